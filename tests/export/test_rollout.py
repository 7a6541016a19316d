"""Rollouts: the sequence, what stops it, and how to go back."""

import os
import pathlib
import shutil
import time

import pytest

from export import models_config
from tests.export import status_server
from tests.export.rollouts import config, folder, run, server
from tfvae.errors import FailedError, InputError

__all__ = ["folder", "server"]  # fixtures


def test_promotion_loads_waits_moves_and_drops(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    steps = []

    def look(path: str) -> None:
        if len(server.paths) == 3:
            server.loading.clear()
        seen = config(folder)["decoder"]
        if not steps or steps[-1] != seen:
            steps.append(seen)

    server.loading, server.before_answer = {2}, look
    arguments = ("--model=decoder", "--version=2", f"--url={server.url}")
    assert run(folder, "promote", *arguments) == 0
    assert config(folder)["decoder"] == ([2], 2, 2)
    assert steps == [
        ([1], 1, 1),
        ([1, 2], 1, 1),
        ([1, 2], 2, 2),
        ([2], 2, 2),
    ]
    asked = [path for path in server.paths if "labels" not in path]
    assert len(asked) >= 4
    assert config(folder)["vae"] == ([1], 1, 1)


def test_promotion_takes_the_newest_of_every_model(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    assert run(folder, "promote", f"--url={server.url}") == 0
    assert config(folder) == {"decoder": ([3], 3, 3), "vae": ([2], 2, 2)}


def test_canary_runs_beside_stable_until_it_is_promoted(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    url = f"--url={server.url}"
    run(folder, "canary", url, "--model=decoder", "--version=2")
    assert config(folder)["decoder"] == ([1, 2], 1, 2)
    run(folder, "promote", url, "--model=decoder")
    assert config(folder)["decoder"] == ([2], 2, 2)


def test_rollback_ends_a_canary(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    url = f"--url={server.url}"
    run(folder, "promote", url, "--version=2")
    run(folder, "canary", url, "--model=decoder", "--version=3")
    run(folder, "rollback", url, "--model=decoder")
    assert config(folder)["decoder"] == ([2], 2, 2)


def test_rollback_goes_back_one_by_one(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    arguments = (f"--url={server.url}", "--model=decoder")
    for version in (2, 3):
        run(folder, "promote", *arguments, f"--version={version}")
    for version in (2, 1):
        run(folder, "rollback", *arguments)
        assert config(folder)["decoder"] == ([version], version, version)
    with pytest.raises(
        InputError, match=r"no earlier stable .*: there are 1, 2, 3\."
    ):
        run(folder, "rollback", *arguments)


def test_rollback_to_a_version_forgets_what_came_after(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    (folder / "decoder" / "3").rename(folder / "decoder" / "4")
    shutil.copytree(folder / "decoder" / "4", folder / "decoder" / "3")
    arguments = (f"--url={server.url}", "--model=decoder")
    for version in (2, 3, 4):
        run(folder, "promote", *arguments, f"--version={version}")
    run(folder, "rollback", *arguments, "--version=1")
    assert config(folder)["decoder"] == ([1], 1, 1)
    with pytest.raises(InputError, match="no earlier stable"):
        run(folder, "rollback", *arguments)


def test_rollback_that_failed_is_tried_again(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    arguments = (f"--url={server.url}", "--model=decoder")
    run(folder, "promote", *arguments, "--version=2")
    server.stuck = True
    with pytest.raises(FailedError, match="has not moved to 1 in time"):
        run(folder, "rollback", *arguments, "--timeout=0.3")
    server.stuck = False
    run(folder, "rollback", *arguments)
    assert config(folder)["decoder"] == ([1], 1, 1)


def test_rollback_skips_versions_that_are_gone(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    arguments = (f"--url={server.url}", "--model=decoder")
    for version in (2, 3):
        run(folder, "promote", *arguments, f"--version={version}")
    (folder / "decoder" / "2" / "saved_model.pb").unlink()
    run(folder, "rollback", *arguments)
    assert config(folder)["decoder"] == ([1], 1, 1)


def test_version_that_cannot_be_loaded_changes_nothing(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    server.broken = {2: "Checksum does not match"}
    before = config(folder)
    with pytest.raises(
        FailedError,
        match=r"version 2 of decoder cannot be loaded: DATA_LOSS: Checksum "
        r"does not match; models\.config is as it was",
    ):
        run(folder, "promote", "--version=2", f"--url={server.url}")
    assert config(folder) == before


def test_version_that_was_dropped_before_is_not_taken_for_a_failure(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    server.known["decoder"].add(2)
    assert server._state("decoder", 2)["state"] == "END"
    server.deaf = True
    server.before_answer = lambda path: setattr(
        server, "deaf", len(server.paths) < 3
    )
    arguments = ("--model=decoder", "--version=2", f"--url={server.url}")
    assert run(folder, "promote", *arguments) == 0


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("loading", "version 3 of decoder was not available in time: it is "),
        ("deaf", "the server does not know of it; does it read models.config"),
        ("stuck", "the label .* of decoder has not moved to 3 in time: it lea"),
    ],
)
def test_waiting_has_an_end(
    folder: pathlib.Path,
    server: status_server.StatusServer,
    trouble: str,
    words: str,
) -> None:
    setattr(server, trouble, {3} if trouble == "loading" else True)
    before = config(folder)
    start = time.monotonic()
    with pytest.raises(FailedError, match=f"{words}.*; models.config is as it"):
        run(folder, "promote", f"--url={server.url}", "--timeout=0.3")
    assert time.monotonic() - start < 20
    assert config(folder) == before


def test_what_is_not_dropped_in_time_is_told(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    server.before_answer = lambda path: setattr(
        server, "deaf", config(folder)["decoder"][0] == [3]
    )
    with pytest.raises(
        FailedError,
        match=r"labels of decoder have moved, but version 1 was not dropped in "
        "time: it is AVAILABLE$",
    ):
        run(
            folder, "promote", "--model=decoder", f"--url={server.url}",
            "--timeout=0.3",
        )  # fmt: skip
    assert config(folder)["decoder"] == ([3], 3, 3)


def test_server_that_goes_away_is_waited_for(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    def fail(path: str) -> None:
        if len(server.paths) == 2:
            server.paths.append("one that is dropped")
            raise ConnectionAbortedError

    server.before_answer = fail
    handled = []
    # The thread of the request that is dropped says so on stderr.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "socketserver.BaseServer.handle_error",
            lambda *arguments: handled.append(1),
        )
        arguments = ("--model=decoder", f"--url={server.url}")
        assert run(folder, "promote", *arguments) == 0
    assert handled == [1]


def test_server_that_does_not_answer_changes_nothing(
    folder: pathlib.Path,
) -> None:
    before = config(folder)
    with pytest.raises(
        FailedError,
        match=r"no server of models at http://127\.0\.0\.1:9: cannot connect "
        "to .*; nothing was changed",
    ):
        run(folder, "promote", "--url=http://127.0.0.1:9")
    assert config(folder) == before


def test_without_server_only_the_harmless_step_is_taken(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    with pytest.raises(
        FailedError, match=r"labels have not moved: .*--url=.*--offline"
    ):
        run(folder, "promote", "--model=decoder")
    assert config(folder)["decoder"] == ([1, 3], 1, 1)
    run(folder, "promote", "--model=decoder", f"--url={server.url}")
    assert config(folder)["decoder"] == ([3], 3, 3)


def test_offline_writes_the_end_at_once(folder: pathlib.Path) -> None:
    assert run(folder, "canary", "--offline") == 0
    assert config(folder) == {"decoder": ([1, 3], 1, 3), "vae": ([1, 2], 1, 2)}
    assert run(folder, "promote", "--offline") == 0
    assert run(folder, "rollback", "--offline") == 0
    assert config(folder) == {"decoder": ([1], 1, 1), "vae": ([1], 1, 1)}


def test_nothing_is_written_where_it_stands_so_already(
    folder: pathlib.Path,
) -> None:
    before = os.stat(folder / "models.config")
    assert run(folder, "promote", "--version=1") == 0
    assert os.stat(folder / "models.config").st_ino == before.st_ino


def test_labels_of_somebody_else_are_left(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    with models_config.edit(str(folder)) as edited:
        entry = edited.model_config_list.config[0]
        entry.version_labels["audit"] = 2
        models_config.serve(entry, [])
    server.read()
    server.loading = {2}
    run(folder, "promote", "--model=decoder", f"--url={server.url}")
    entry = models_config.read(str(folder)).model_config_list.config[0]
    assert dict(entry.version_labels) == {"stable": 3, "canary": 3, "audit": 2}
    assert models_config.served(entry) == [2, 3]
