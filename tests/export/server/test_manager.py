"""A server's models follow its configuration and its folders."""

import pathlib
import threading
from collections.abc import Callable, Iterator

import pytest

from export.batching import BatchingParameters
from export.codes import Code
from export.protos import model_server_config_pb2
from export.server import manager as manager_module
from export.server.errors import ServingError
from export.server.manager import Manager
from export.server.metrics import Metrics
from export.server.options import Options
from tests.export.server.fake_models import (
    FakeLoad,
    make_config,
    make_versions,
    until,
)

Make = Callable[..., Manager]


@pytest.fixture
def load() -> FakeLoad:
    return FakeLoad()


@pytest.fixture
def make(load: FakeLoad) -> Iterator[Make]:
    """Returns what makes a manager that is closed at the end.

    It looks at the base paths only when `poll` is called.
    """
    made = []

    def make(config: object, **options: object) -> Manager:
        values = {
            "file_system_poll_wait_seconds": -1,
            "max_num_load_retries": 0,
        }
        manager = Manager(
            config, Options(**values | options), metrics=Metrics(), load=load
        )
        made.append(manager)
        return manager

    yield make
    for manager in made:
        manager.close()


@pytest.fixture
def base(tmp_path: pathlib.Path) -> pathlib.Path:
    """Returns a base path with two versions."""
    return make_versions(tmp_path / "base", 1, 2)


def _ready(manager: Manager) -> Manager:
    manager.start()
    manager.poll()
    assert manager.wait_until_ready(5)
    return manager


def _states(manager: Manager, name: str = "m") -> dict[int, str]:
    return {each.version: each.state for each in manager.statuses(name)}


def _settle(manager: Manager, states: dict[int, str]) -> None:
    until(lambda: _states(manager) == states)


def _served(manager: Manager, **which: object) -> int:
    with manager.use("m", **which) as servable:
        return servable.version


def _refusal(call: Callable[[], object]) -> tuple[Code, str]:
    with pytest.raises(ServingError) as error:
        call()
    return error.value.code, error.value.message


def test_model_is_served(make: Make, base: pathlib.Path) -> None:
    manager = _ready(make(make_config({"m": base})))
    assert _states(manager) == {2: "AVAILABLE"}
    assert _served(manager) == 2
    assert _served(manager, version=2) == 2
    assert _refusal(lambda: _served(manager, version=1)) == (
        Code.NOT_FOUND,
        "Servable not found for request: Specific(m, 1)",
    )
    with pytest.raises(ServingError, match=r"request: Latest\(other\)"):
        manager.use("other").__enter__()


def test_statuses_are_told_from_the_newest_down(
    make: Make, base: pathlib.Path
) -> None:
    make_versions(base, 10)
    manager = _ready(make(make_config({"m": base}, specific=[1, 2, 10])))
    statuses = manager.statuses("m")
    assert [each.version for each in statuses] == [10, 2, 1]
    assert manager.statuses("m", version=2) == statuses[1:2]
    assert manager.statuses("m", label="any") == statuses
    assert _refusal(lambda: manager.statuses("m", version=3)) == (
        Code.NOT_FOUND,
        "Could not find version 3 of model m",
    )
    assert _refusal(lambda: manager.statuses("n")) == (
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
    _settle(manager, {3: "AVAILABLE", 2: "END"})


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
    code, message = _refusal(lambda: manager.wait_until_ready(5))
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
    _ready(
        make(config, max_num_load_retries=3, load_retry_interval_micros=1000)
    )
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
    assert _served(manager) == 2


def test_lost_base_path_changes_nothing(make: Make, base: pathlib.Path) -> None:
    manager = _ready(make(make_config({"m": base})))
    base.rename(base.parent / "moved")
    manager.poll()
    manager.poll()
    assert _states(manager) == {2: "AVAILABLE"}


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


def test_labels_lead_to_versions(make: Make, base: pathlib.Path) -> None:
    manager = _ready(
        make(
            make_config(
                {"m": base},
                specific=[1, 2],
                labels={"stable": 1, "canary": 2, "gone": 7},
            ),
            allow_version_labels_for_unavailable_models=True,
        )
    )
    assert _served(manager, label="stable") == 1
    assert _served(manager, label="canary") == 2
    assert _refusal(lambda: _served(manager, label="gone")) == (
        Code.NOT_FOUND,
        "Servable not found for request: Specific(m, 7)",
    )
    for label in ("nope", "Stable", ""):
        assert _refusal(lambda label=label: _served(manager, label=label)) == (
            Code.INVALID_ARGUMENT,
            f"Unrecognized servable version label: {label}",
        )


def test_label_moves_only_to_an_available_version(
    make: Make, base: pathlib.Path
) -> None:
    manager = _ready(make(make_config({"m": base}, specific=[1])))
    manager.reload(make_config({"m": base}, specific=[1], labels={"s": 1}))
    both = {"specific": [1, 2], "labels": {"s": 2}}
    with pytest.raises(ServingError, match="version 2 of model m, which is"):
        manager.reload(make_config({"m": base}, **both))
    # A refused configuration changes nothing.
    manager.poll()
    assert _states(manager) == {1: "AVAILABLE"}
    assert _served(manager, label="s") == 1
    manager.reload(make_config({"m": base}, specific=[1, 2], labels={"s": 1}))
    manager.poll()
    _settle(manager, {1: "AVAILABLE", 2: "AVAILABLE"})
    manager.reload(make_config({"m": base}, **both))
    assert _served(manager, label="s") == 2


def test_label_in_use_is_not_moved_to_a_version_that_is_gone(
    make: Make, base: pathlib.Path
) -> None:
    config = make_config({"m": base}, specific=[1], labels={"s": 1})
    manager = _ready(
        make(config, allow_version_labels_for_unavailable_models=True)
    )
    labels = {"s": 7, "new": 7}
    with pytest.raises(ServingError, match="label to version 7 of model m, "):
        manager.reload(make_config({"m": base}, labels=labels))
    manager.reload(make_config({"m": base}, specific=[2], labels={"new": 7}))
    manager.poll()
    _settle(manager, {2: "AVAILABLE", 1: "END"})
    manager.reload(make_config({"m": base}, labels={"s": 2}))
    with pytest.raises(ServingError, match="label to version 1 of model m, "):
        manager.reload(make_config({"m": base}, labels={"s": 1}))


def test_reload_waits_for_the_first_models(
    make: Make, base: pathlib.Path, load: FakeLoad
) -> None:
    load.gates = {2: threading.Event()}
    config = make_config({"m": base})
    manager = make(config, file_system_poll_wait_seconds=0.01)
    manager.start()
    until(lambda: load.tries == [("m", 2)])
    reload = threading.Thread(target=manager.reload, args=(make_config({}),))
    reload.start()
    reload.join(0.05)
    assert manager._config == config
    load.gates[2].set()
    reload.join(5)
    _settle(manager, {2: "END"})


def test_reload_waits_for_a_new_model(
    make: Make, base: pathlib.Path, tmp_path: pathlib.Path, load: FakeLoad
) -> None:
    config = make_config({"m": base})
    manager = make(config, file_system_poll_wait_seconds=0.01)
    manager.start()
    assert manager.wait_until_ready(5)
    new = make_versions(tmp_path / "new", 5)
    load.gates = {5: threading.Event()}
    reload = threading.Thread(
        target=manager.reload, args=(make_config({"m": base, "n": new}),)
    )
    reload.start()
    until(lambda: ("n", 5) in load.tries)
    reload.join(0.02)
    assert reload.is_alive()
    load.gates[5].set()
    reload.join(5)
    assert not reload.is_alive()
    assert _states(manager, "n") == {5: "AVAILABLE"}


def test_reload_tells_of_a_new_model_that_fails(
    make: Make, base: pathlib.Path, load: FakeLoad
) -> None:
    config = make_config({"m": base})
    manager = make(config, file_system_poll_wait_seconds=0.01)
    manager.start()
    assert manager.wait_until_ready(5)
    load.failures = {2: 9}
    code, message = _refusal(
        lambda: manager.reload(make_config({"m": base, "n": base}))
    )
    assert code == Code.UNKNOWN
    assert "{name: n version: 2} due to error: DATA_LOSS" in message
    assert _served(manager) == 2
    assert manager.wait_until_ready(0)


def test_model_that_is_left_out_is_unloaded(
    make: Make, base: pathlib.Path
) -> None:
    manager = _ready(make(make_config({"m": base, "n": base})))
    manager.reload(make_config({"n": base}))
    _settle(manager, {2: "END"})
    manager.poll()
    assert _states(manager, "n") == {2: "AVAILABLE"}
    # And comes back: what has ended before is not taken for a failure.
    again = threading.Thread(
        target=manager.reload, args=(make_config({"m": base, "n": base}),)
    )
    again.start()
    until(lambda: not manager.poll() and not again.is_alive())
    assert _states(manager) == {2: "AVAILABLE"}


def test_policy_naming_no_version_unloads_all(
    make: Make, base: pathlib.Path
) -> None:
    manager = _ready(make(make_config({"m": base})))
    manager.reload(make_config({"m": base}, specific=[77]))
    manager.poll()
    _settle(manager, {2: "END"})


def test_reload_that_waits_ends_with_the_manager(
    make: Make, base: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    manager = _ready(make(make_config({"m": base})))
    empty = make_versions(tmp_path / "empty", "no-version")
    errors = []

    def reload() -> None:
        with pytest.raises(ServingError) as error:
            manager.reload(make_config({"m": base, "n": empty}))
        errors.append(error.value)

    waiting = threading.Thread(target=reload)
    waiting.start()
    until(lambda: len(manager._config.model_config_list.config) == 2)
    manager.close()
    waiting.join(5)
    (error,) = errors
    assert (error.code, error.message) == (
        Code.UNAVAILABLE,
        "The server is ending",
    )


def test_empty_configuration_is_ready_and_may_grow(
    make: Make, base: pathlib.Path
) -> None:
    empty = model_server_config_pb2.ModelServerConfig()
    manager = make(empty, file_system_poll_wait_seconds=0.01)
    manager.start()
    assert manager.wait_until_ready(0)
    manager.reload(make_config({"m": base}))
    assert _served(manager) == 2


def _follow(make: Make, path: pathlib.Path, config: object) -> Manager:
    manager = make(
        config,
        file_system_poll_wait_seconds=0.01,
        model_config_file=str(path),
        model_config_file_poll_wait_seconds=0.01,
    )
    manager.start()
    assert manager.wait_until_ready(5)
    return manager


def test_configuration_file_is_followed(
    make: Make,
    base: pathlib.Path,
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "models.config"
    config = make_config({"m": base}, specific=[1])
    path.write_text(str(config))
    manager = _follow(make, path, config)
    _settle(manager, {1: "AVAILABLE"})
    path.write_text("model_config_list { config { name: ")
    until(lambda: f"Invalid protobuf file: '{path}'" in caplog.text)
    assert _states(manager) == {1: "AVAILABLE"}
    path.write_text(str(make_config({"m": base}, specific=[1, 2])))
    _settle(manager, {1: "AVAILABLE", 2: "AVAILABLE"})
    both = make_config({"m": base}, specific=[1, 2], labels={"s": 1})
    path.write_text(str(both))

    def is_known() -> bool:
        return "s" in manager._labels.get("m", {})

    until(is_known)
    assert _served(manager, label="s") == 1


def test_configuration_file_is_not_read_unless_asked(
    make: Make, base: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(manager_module.model_config, "read")
    config = make_config({"m": base})
    manager = make(config, model_config_file="/gone")
    _ready(manager)


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
