"""A server's models follow its folders."""

import pathlib

import pytest

from export.batching import BatchingParameters
from export.codes import Code
from export.server.errors import ServingError
from export.server.manager import Manager
from export.server.metrics import Metrics
from export.server.options import Options
from tests.export.server.fake_models import FakeLoad, make_config, make_versions
from tests.export.server.managers import (
    Make,
    ready,
    refusal,
    served,
    settle,
    states,
)


def test_model_is_served(make: Make, base: pathlib.Path) -> None:
    manager = ready(make(make_config({"m": base})))
    assert states(manager) == {2: "AVAILABLE"}
    assert served(manager) == 2
    assert served(manager, version=2) == 2
    assert refusal(lambda: served(manager, version=1)) == (
        Code.NOT_FOUND,
        "Servable not found for request: Specific(m, 1)",
    )
    with pytest.raises(ServingError, match=r"request: Latest\(other\)"):
        manager.use("other").__enter__()


def test_statuses_are_told_from_the_newest_down(
    make: Make, base: pathlib.Path
) -> None:
    make_versions(base, 10)
    manager = ready(make(make_config({"m": base}, specific=[1, 2, 10])))
    statuses = manager.statuses("m")
    assert [each.version for each in statuses] == [10, 2, 1]
    assert manager.statuses("m", version=2) == statuses[1:2]
    assert manager.statuses("m", label="any") == statuses
    assert refusal(lambda: manager.statuses("m", version=3)) == (
        Code.NOT_FOUND,
        "Could not find version 3 of model m",
    )
    assert refusal(lambda: manager.statuses("n")) == (
        Code.NOT_FOUND,
        "Could not find any versions of model n",
    )


def test_folders_are_looked_at_again_and_again(
    make: Make, base: pathlib.Path
) -> None:
    config = make_config({"m": base})
    manager = make(config, file_system_poll_wait_seconds=0.01)
    manager.start()
    assert manager.wait_until_ready(5)
    make_versions(base, 3)
    settle(manager, {3: "AVAILABLE", 2: "END"})


def test_folders_are_looked_at_once_or_never(
    make: Make, base: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(Manager, "poll", lambda manager: looks.append(manager))
    once = make(make_config({"m": base}), file_system_poll_wait_seconds=0)
    never = make(make_config({"m": base}), file_system_poll_wait_seconds=-1)
    for manager in (once, never):
        manager.start()
        assert not manager.wait_until_ready(0.02)
    assert looks == [once]


def test_server_waits_for_a_first_version(
    make: Make, tmp_path: pathlib.Path
) -> None:
    manager = make(make_config({"m": tmp_path}))
    manager.start()
    manager.poll()
    assert not manager.wait_until_ready(0.02)
    make_versions(tmp_path, 1)
    manager.poll()
    assert manager.wait_until_ready(5)


def test_server_ends_where_the_newest_version_is_bad(
    make: Make, base: pathlib.Path, load: FakeLoad
) -> None:
    load.failures = {2: 9}
    manager = make(make_config({"m": base}))
    manager.start()
    manager.poll()
    code, message = refusal(lambda: manager.wait_until_ready(5))
    assert code == Code.UNKNOWN
    assert message == (
        "1 model(s) did not become available: {{{name: m version: 2} due to "
        f"error: DATA_LOSS: bit rot in {base}/2}}, }}"
    )


def test_failed_loads_are_tried_again(
    make: Make, base: pathlib.Path, load: FakeLoad
) -> None:
    load.failures = {2: 3}
    config = make_config({"m": base})
    ready(make(config, max_num_load_retries=3, load_retry_interval_micros=1000))
    assert load.tries == [("m", 2)] * 4


def test_one_missing_base_path_stops_the_look_at_all(
    make: Make, base: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = base.parent / "gone"
    manager = make(make_config({"m": base, "n": gone}))
    manager.start()
    manager.poll()
    assert f"Could not find base path {gone} for servable n" in caplog.text
    assert not manager.wait_until_ready(0.02)
    with pytest.raises(ServingError, match="any versions of model m"):
        manager.statuses("m")
    make_versions(gone, 5)
    manager.poll()
    assert manager.wait_until_ready(5)
    assert served(manager) == 2


def test_lost_base_path_changes_nothing(make: Make, base: pathlib.Path) -> None:
    manager = ready(make(make_config({"m": base})))
    base.rename(base.parent / "moved")
    manager.poll()
    manager.poll()
    assert states(manager) == {2: "AVAILABLE"}


def test_refused_configuration_stops_the_start(
    make: Make, base: pathlib.Path
) -> None:
    manager = make(make_config({"m": base}, labels={"stable": 1}))
    with pytest.raises(ServingError, match="assign label to version 1 of mo"):
        manager.start()
    with pytest.raises(ServingError, match="to have an absolute path or URI"):
        make(make_config({"m": "base"})).start()


def test_wrong_batching_stops_the_start(base: pathlib.Path) -> None:
    parameters = BatchingParameters(max_batch_size=8, allowed_batch_sizes=(4,))
    wrong = Options(enable_batching=True, batching_parameters=parameters)
    with pytest.raises(ServingError, match="Last entry in allowed_batch_siz"):
        Manager(make_config({"m": base}), wrong, metrics=Metrics())


def test_close_frees_all(
    make: Make, base: pathlib.Path, load: FakeLoad
) -> None:
    config = make_config({"m": base, "n": base})
    manager = make(config, file_system_poll_wait_seconds=0.01)
    manager.start()
    assert manager.wait_until_ready(5)
    manager.close()
    assert len(load.sessions) == 2
    assert all(session.is_closed for session in load.sessions.values())
    assert not any(thread.is_alive() for thread in manager._threads)
