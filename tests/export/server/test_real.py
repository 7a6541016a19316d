"""The real server's process: how it is called, told to end, and ends."""

import json
import os
import pathlib
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from export.server import real
from export.server.ending import Ending
from export.server.flags import ServerFlags

# Writes its arguments, listens, and ends on SIGTERM with 7.
STAND_IN = """#!{python}
import json, os, signal, socket, sys, time
flags = dict(a.lstrip("-").split("=", 1) for a in sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
with open({seen!r}, "w") as file:
    json.dump(sys.argv[1:], file)
if flags.get("model_name") == "bad":
    sys.exit(3)
with socket.create_server(("127.0.0.1", int(flags["rest_api_port"]))):
    time.sleep(20)
"""


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def binary(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(real, "LOOK_SECONDS", 0.02)
    path = tmp_path / "bin" / "tensorflow_model_server"
    path.parent.mkdir()
    seen = str(tmp_path / "seen")
    path.write_text(STAND_IN.format(python=sys.executable, seen=seen))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(binary: str, on_ready: Callable[[], None], **flags: object) -> int:
    return real.run(
        ServerFlags(**flags),
        binary=binary,
        ending=Ending(),
        on_ready=on_ready,
    )


def test_it_is_found_on_path(
    binary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.path.dirname(binary))
    assert real.find() == binary
    monkeypatch.setenv("PATH", "/nowhere")
    assert real.find() is None


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 7), (signal.SIGINT, 130)]
)
def test_it_gets_flags_and_signals_and_its_status_is_ours(
    binary: str,
    tmp_path: pathlib.Path,
    free_port: int,
    number: int,
    status: int,
) -> None:
    ready = []

    def on_ready() -> None:
        ready.append(time.monotonic())
        timer = threading.Timer(0.1, os.kill, (os.getpid(), number))
        timer.start()

    ended = run(binary, on_ready, rest_api_port=free_port, model_name="a b")
    assert ended == status
    assert len(ready) == 1
    assert json.loads((tmp_path / "seen").read_text()) == [
        f"--rest_api_port={free_port}",
        "--model_name=a b",
    ]


def test_its_own_end_is_ours(binary: str, free_port: int) -> None:
    ready: list[int] = []
    ended = run(
        binary,
        lambda: ready.append(1),
        rest_api_port=free_port,
        model_name="bad",
    )
    assert (ended, ready) == (3, [])
