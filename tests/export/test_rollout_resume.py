"""Rollouts that are killed, held up, or asked for what is not there."""

import hashlib
import json
import pathlib
import signal
import subprocess
import sys

import pytest

from export import models_config, rollout
from tests.export import status_server
from tests.export.rollouts import config, folder, run, server
from tfvae.errors import FailedError, InputError, WriteError
from tfvae.flags import HelpRequested

ROOT = pathlib.Path(__file__).parents[2]
__all__ = ["folder", "server"]  # fixtures


def start(folder: pathlib.Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [
            sys.executable, "-m", "export.rollout", *arguments,
            f"--export_dir={folder}",
        ],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)],
)
def test_killed_rollout_is_told_and_goes_on(
    folder: pathlib.Path,
    server: status_server.StatusServer,
    number: int,
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.loading = {3}
    arguments = ("--model=decoder", f"--url={server.url}")
    process = start(folder, "promote", *arguments)
    assert process.stdout is not None
    assert process.stdout.readline() == "decoder: loading 3\n"
    with pytest.raises(InputError, match=r"another rollout of .* is under way"):
        run(folder, "canary", *arguments)
    process.send_signal(number)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == status
    if number != signal.SIGKILL:
        assert errors == (
            "rollout.py: stopped; `status` says where it stands, and the same "
            "command goes on.\n"
        )
    assert config(folder)["decoder"] == ([1, 3], 1, 1)
    run(folder, "status", "--model=decoder")
    assert "stopped half-way: 3 served without" in capsys.readouterr().out
    with pytest.raises(
        InputError, match=r"half-way \(served: 1, 3; stable: 1\); say --vers"
    ):
        run(folder, "rollback", *arguments)
    server.loading = set()
    assert run(folder, "promote", *arguments) == 0
    assert config(folder)["decoder"] == ([3], 3, 3)


def test_rollout_killed_before_its_last_step_goes_on(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    arguments = ("--model=decoder", f"--url={server.url}")
    run(folder, "promote", *arguments)
    with models_config.edit(str(folder)) as edited:
        models_config.serve(edited.model_config_list.config[0], [1])
    assert config(folder)["decoder"] == ([1, 3], 3, 3)
    assert run(folder, "promote", *arguments) == 0
    assert config(folder)["decoder"] == ([3], 3, 3)
    run(folder, "rollback", *arguments)
    assert config(folder)["decoder"] == ([1], 1, 1)


def test_half_a_rollout_is_taken_back_by_its_version(
    folder: pathlib.Path, server: status_server.StatusServer
) -> None:
    with models_config.edit(str(folder)) as edited:
        models_config.serve(edited.model_config_list.config[0], [3])
    arguments = ("--model=decoder", f"--url={server.url}", "--version=1")
    assert run(folder, "rollback", *arguments) == 0
    assert config(folder)["decoder"] == ([1], 1, 1)


def test_status_shows_where_models_stand(
    folder: pathlib.Path,
    server: status_server.StatusServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(folder, "promote", f"--url={server.url}", "--version=2")
    run(folder, "canary", f"--url={server.url}", "--model=decoder")
    server.broken = {3: "bit rot"}
    capsys.readouterr()
    assert run(folder, "status", f"--url={server.url}") == 0
    assert capsys.readouterr().out.splitlines() == [
        "decoder: canary 3, stable 2",
        "  published: 1, 2, 3",
        "  served: 2, 3",
        "  stable before: 1",
        "  server: 1 END",
        "  server: 2 AVAILABLE",
        "  server: 3 END: DATA_LOSS: bit rot",
        "vae: canary 2, stable 2",
        "  published: 1, 2",
        "  served: 2",
        "  stable before: 1",
        "  server: 1 END",
        "  server: 2 AVAILABLE",
    ]


def test_rollouts_say_what_they_do(
    folder: pathlib.Path,
    server: status_server.StatusServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(folder, "promote", "--model=vae", f"--url={server.url}")
    assert (
        capsys.readouterr().out == "vae: loading 2\nvae: canary 2, stable 2\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["promote", "--version=7"],
            r"`version` 7 of decoder does not exist; there are 1, 2, 3\.",
        ),
        (
            ["promote", "--version=3"],
            r"`version` 3 of vae does not exist; there are 1, 2\.",
        ),
        (
            ["canary", "--model=other"],
            r"`model` other is not in .*models\.config, which has decoder, vae",
        ),
        (["promote", "--url=http://a", "--offline"], "exclude each other"),
        (["promote", "--timeout=0"], "`timeout` must be a number above 0"),
        (["promote", "--version=-1"], "`version` must be a whole number"),
        (["deploy"], "`action` must be promote, canary, rollback or status"),
        (["--offline"], "`action` is missing"),
    ],
)
def test_wrong_input_is_told(
    folder: pathlib.Path, arguments: list[str], message: str
) -> None:
    before = config(folder)
    with pytest.raises(InputError, match=message):
        run(folder, *arguments)
    assert config(folder) == before


def test_folder_without_models_is_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"models\.config has no models"):
        run(tmp_path, "status")
    with pytest.raises(InputError, match="`export_dir` must name the folder"):
        run(tmp_path / "none", "status")


def test_model_without_versions_is_told(folder: pathlib.Path) -> None:
    for version in ("1", "2"):
        (folder / "vae" / version / "saved_model.pb").unlink()
    with pytest.raises(InputError, match="vae has no version; `python -m"):
        run(folder, "promote", "--model=vae", "--offline")
    with pytest.raises(InputError, match="exist; there are none"):
        run(folder, "promote", "--model=vae", "--version=1")


@pytest.mark.parametrize(
    "text", ["{", "", "[]", '{"vae": 3}', '{"vae": ["3"]}', "[" * 100_000]
)
def test_broken_history_is_told(folder: pathlib.Path, text: str) -> None:
    (folder / ".rollout.json").write_text(text)
    with pytest.raises(InputError, match=r"\.rollout\.json cannot be read: "):
        run(folder, "status")


def test_help_says_what_it_does() -> None:
    with pytest.raises(HelpRequested, match="promote   both labels"):
        rollout.main(["rollout.py", "--help"])


def test_folder_that_cannot_be_written_is_told(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tfvae.atomic.write_whole", refuse)
    with pytest.raises(
        WriteError, match=r"rollout.json cannot be written: Read-only file sys"
    ):
        run(folder, "promote", "--offline")
    assert config(folder)["vae"] == ([1], 1, 1)


def test_folder_that_cannot_be_locked_is_told(folder: pathlib.Path) -> None:
    (folder / ".rollout.lock").mkdir()
    with pytest.raises(
        InputError, match=r"`export_dir` .* cannot be written: Is a directory"
    ):
        run(folder, "promote", "--offline")


@pytest.mark.parametrize("arguments", [["--offline"], ["--url=http://no:1"]])
@pytest.mark.parametrize("action", ["promote", "canary"])
def test_damaged_version_is_not_rolled_out(
    folder: pathlib.Path, action: str, arguments: list[str]
) -> None:
    extra = folder / "vae" / "2" / "assets.extra"
    extra.mkdir()
    empty = hashlib.sha256(b"").hexdigest()
    entry = {"bytes": 0, "sha256": empty}
    (extra / "tfvae.json").write_text(
        json.dumps({"files": {"saved_model.pb": entry}})
    )
    (folder / "vae" / "2" / "saved_model.pb").write_bytes(b"\1")
    before = config(folder)
    with pytest.raises(
        FailedError, match=r"vae/2 is not what was published: .* 1 bytes, not 0"
    ):
        run(folder, action, *arguments)
    assert config(folder) == before
    (folder / "vae" / "2" / "saved_model.pb").write_bytes(b"")
    assert run(folder, action, "--offline") == 0
