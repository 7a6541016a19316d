"""A server's models follow its configuration, reloaded or in a file."""

import pathlib
import threading

import pytest

from export.codes import Code
from export.protos import model_server_config_pb2
from export.server import manager as manager_module
from export.server.errors import ServingError
from export.server.manager import Manager
from tests.export.server.fake_models import (
    FakeLoad,
    make_config,
    make_versions,
    until,
)
from tests.export.server.managers import (
    Make,
    ready,
    refusal,
    served,
    settle,
    states,
)


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
    reload.join(60)
    settle(manager, {2: "END"})


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
    reload.join(60)
    assert not reload.is_alive()
    assert states(manager, "n") == {5: "AVAILABLE"}


def test_reload_tells_of_a_new_model_that_fails(
    make: Make, base: pathlib.Path, load: FakeLoad
) -> None:
    config = make_config({"m": base})
    manager = make(config, file_system_poll_wait_seconds=0.01)
    manager.start()
    assert manager.wait_until_ready(5)
    load.failures = {2: 9}
    code, message = refusal(
        lambda: manager.reload(make_config({"m": base, "n": base}))
    )
    assert code == Code.UNKNOWN
    assert "{name: n version: 2} due to error: DATA_LOSS" in message
    assert served(manager) == 2
    assert manager.wait_until_ready(0)


def test_model_that_is_left_out_is_unloaded(
    make: Make, base: pathlib.Path
) -> None:
    manager = ready(make(make_config({"m": base, "n": base})))
    manager.reload(make_config({"n": base}))
    settle(manager, {2: "END"})
    manager.poll()
    assert states(manager, "n") == {2: "AVAILABLE"}
    # And comes back: what has ended before is not taken for a failure.
    again = threading.Thread(
        target=manager.reload, args=(make_config({"m": base, "n": base}),)
    )
    again.start()
    until(lambda: not manager.poll() and not again.is_alive())
    assert states(manager) == {2: "AVAILABLE"}


def test_policy_naming_no_version_unloads_all(
    make: Make, base: pathlib.Path
) -> None:
    manager = ready(make(make_config({"m": base})))
    manager.reload(make_config({"m": base}, specific=[77]))
    manager.poll()
    settle(manager, {2: "END"})


def test_reload_that_waits_ends_with_the_manager(
    make: Make, base: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    manager = ready(make(make_config({"m": base})))
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
    waiting.join(60)
    (error,) = errors
    assert (error.code, error.message) == (
        Code.UNAVAILABLE,
        "The server is ending",
    )


def test_reload_that_nobody_waits_for_ends(
    make: Make,
    base: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manager_module, "LOOK_SECONDS", 0.01)
    manager = ready(make(make_config({"m": base})))
    empty = make_versions(tmp_path / "empty", "no-version")
    config, left = make_config({"m": base, "n": empty}), threading.Event()
    waiting = threading.Thread(
        target=refusal,
        args=(
            lambda: manager.reload(config, is_wanted=lambda: not left.wait(0)),
        ),
    )
    waiting.start()
    until(lambda: manager._config == config)
    # Nor does one wait that comes behind it.
    assert refusal(lambda: manager.reload(config, is_wanted=lambda: False)) == (
        Code.CANCELLED,
        "Nobody waits for the reload",
    )
    left.set()
    waiting.join(60)
    assert not waiting.is_alive()
    manager.reload(make_config({"m": base}))


@pytest.mark.parametrize(
    "path",
    ["/etc", "{base}/../../other", "{base}-link", "/", "gs://bucket/m",
     "/a\0b"],
)  # fmt: skip
def test_request_may_not_load_from_elsewhere(
    make: Make, base: pathlib.Path, tmp_path: pathlib.Path, path: str
) -> None:
    (tmp_path / "base-link").symlink_to("/etc")
    manager = ready(make(make_config({"m": base})))
    path = path.replace("{base}", str(base))
    code, message = refusal(
        lambda: manager.reload(make_config({"m": base, "n": path}))
    )
    assert code == Code.PERMISSION_DENIED
    assert message == (
        f"Model n is at {path}; a request may only load what lies beside the "
        "models, or the configuration, with which this development server was "
        "started"
    )
    assert states(manager) == {2: "AVAILABLE"}


def test_request_may_load_what_lies_beside_the_configuration(
    make: Make, base: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    aside = tmp_path / "aside"
    new = make_versions(aside / "deeper" / "new", 5)
    manager = make(
        make_config({"m": base}),
        model_config_file=str(aside / "models.config"),
        file_system_poll_wait_seconds=0.01,
    )
    manager.start()
    manager.reload(make_config({"n": new}))
    with manager.use("n") as servable:
        assert servable.version == 5


def test_empty_configuration_is_ready_and_may_grow(
    make: Make, base: pathlib.Path
) -> None:
    empty = model_server_config_pb2.ModelServerConfig()
    manager = make(empty, file_system_poll_wait_seconds=0.01)
    manager.start()
    assert manager.wait_until_ready(0)
    manager.reload(make_config({"m": base}))
    assert served(manager) == 2


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
    settle(manager, {1: "AVAILABLE"})
    path.write_text("model_config_list { config { name: ")
    until(lambda: f"Invalid protobuf file: '{path}'" in caplog.text)
    assert states(manager) == {1: "AVAILABLE"}
    path.write_text(str(make_config({"m": base}, specific=[1, 2])))
    settle(manager, {1: "AVAILABLE", 2: "AVAILABLE"})
    both = make_config({"m": base}, specific=[1, 2], labels={"s": 1})
    path.write_text(str(both))

    def is_known() -> bool:
        return "s" in manager._labels.get("m", {})

    until(is_known)
    assert served(manager, label="s") == 1


def test_configuration_file_is_not_read_unless_asked(
    make: Make, base: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(manager_module.model_config, "read")
    config = make_config({"m": base})
    manager = make(config, model_config_file="/gone")
    ready(manager)
