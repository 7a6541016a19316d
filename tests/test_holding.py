"""Who holds a folder, and what others are told."""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tfvae import holding, storage
from tfvae.errors import InputError, WriteError
from tfvae.folder import Folder

ROOT = pathlib.Path(__file__).parents[1]
HOLD = """
import sys, time
from tfvae.folder import Folder
with Folder(sys.argv[1]).hold():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(holding, "RENEW_SECONDS", 0.02)
    monkeypatch.setattr(holding, "STALE_SECONDS", 0.1)


@pytest.fixture(params=["local", "ram"])
def folder(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path
) -> Iterator[Folder]:
    """A folder that the system locks, and one that is signed."""
    path = str(tmp_path / "a") if request.param == "local" else "ram://held/a"
    yield Folder(path)
    storage.remove(path)


@pytest.fixture
def far() -> Iterator[Folder]:
    """A folder that is signed."""
    storage.make_folder("ram://far/a")
    yield Folder("ram://far/a")
    storage.remove("ram://far")


@pytest.fixture
def signed(far: Folder) -> str:
    """The path of its lock."""
    return far.file(holding.NAME)


def _write(path: str, **record: Any) -> None:
    known = {
        "host": "elsewhere", "space": "", "pid": 4321, "program": "tfvae.train",
        "since": "2024-05-06 07:08:09", "token": "t", "sign": time.time(),
    }  # fmt: skip
    with storage.writer(path) as file:
        file.write(json.dumps(known | record).encode())


def test_second_is_told_who_holds_it(folder: Folder) -> None:
    told: list[str] = []

    def hold() -> None:
        with pytest.raises(InputError) as caught, Folder(folder.path).hold():
            pass
        told.append(str(caught.value))

    with folder.hold():
        other = threading.Thread(target=hold)
        other.start()
        other.join()
        assert storage.names(folder.path) == [holding.NAME]
    assert re.fullmatch(
        rf"{folder} is in use by \S+ \(process {os.getpid()} on \S+, since "
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\); wait until it has ended, stop it, "
        r"or give another folder\.",
        told[0],
    )
    assert storage.names(folder.path) == []
    with Folder(folder.path).hold():  # it is free again
        pass


def test_hold_ends_with_an_error_too(folder: Folder) -> None:
    with pytest.raises(KeyError), folder.hold():
        raise KeyError
    assert storage.names(folder.path) == []


def test_held_folder_is_empty_and_can_go(folder: Folder) -> None:
    with folder.hold():
        folder.remove_if_empty()
        assert not storage.exists(folder.path)


def test_who_does_not_write_needs_no_hold(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "a")
    with Folder(path, writes=False).hold():
        assert not os.path.exists(path)
    with Folder(path).hold(), Folder(path, writes=False).hold():
        pass


def test_folder_that_cannot_be_written_cannot_be_held(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "a").touch()
    with (
        pytest.raises(WriteError, match=r"\.lock cannot be written: "),
        Folder(str(tmp_path / "a")).hold(),
    ):
        pass


def test_lock_that_was_removed_meanwhile_is_taken_anew(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, path = fcntl.flock, tmp_path / holding.NAME

    def flock_late(file: Any, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        path.unlink()  # as the holder before does at its end
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", flock_late)
    with Folder(str(tmp_path)).hold():
        assert json.loads(path.read_text())["pid"] == os.getpid()
        with pytest.raises(InputError, match="is in use by"):
            holding.hold(str(tmp_path)).__enter__()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"pid": "x"}', b"\xff", b"[" * 10**5]
)
def test_holder_that_is_not_known_is_another_process(
    tmp_path: pathlib.Path, content: bytes
) -> None:
    (tmp_path / holding.NAME).write_bytes(content)
    with (tmp_path / holding.NAME).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="in use by another process; wait"):
            holding.hold(str(tmp_path)).__enter__()


def test_file_system_without_locks_is_signed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with Folder(str(tmp_path)).hold():
        assert "sign" in json.loads((tmp_path / holding.NAME).read_text())
    assert list(tmp_path.iterdir()) == []


def test_system_s_other_errors_are_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(WriteError, match="Input/output error"),
        Folder(str(tmp_path)).hold(),
    ):
        pass


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_holder_gives_signs_of_life(far: Folder, signed: str) -> None:
    with far.hold():
        first = storage.read(signed)
        _until(lambda: storage.read(signed) != first)


def test_holder_that_gives_no_sign_is_gone(far: Folder, signed: str) -> None:
    _write(signed)
    started = time.monotonic()
    with far.hold():
        assert time.monotonic() - started >= 0.09
    # A clock that is behind or ahead changes nothing.
    for sign in (0, time.time() + 1e6):
        _write(signed, sign=sign)
        started = time.monotonic()
        with far.hold():
            assert time.monotonic() - started >= 0.04


def test_holder_that_gives_a_sign_is_there(far: Folder, signed: str) -> None:
    _write(signed, sign=0)
    timer = threading.Timer(0.01, _write, [signed], {"sign": 1})
    timer.start()
    with (
        pytest.raises(
            InputError,
            match=r"ram://far/a is in use by tfvae.train \(process 4321 on "
            r"elsewhere, since 2024-05-06 07:08:09\)",
        ),
        far.hold(),
    ):
        pass
    timer.join()


def test_holder_that_ends_is_not_waited_for(
    far: Folder, signed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "STALE_SECONDS", 1e6)
    _write(signed)
    threading.Timer(0.01, storage.remove, [signed]).start()
    with far.hold():
        pass
    with subprocess.Popen(["true"]) as process:
        pass
    here = holding._own_record() | {"pid": process.pid}
    _write(signed, **here)  # it ran here, and is no more
    with far.hold():
        pass


def test_one_of_two_that_begin_at_once_holds_it(
    far: Folder, signed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding.time, "sleep", lambda _: _write(signed))
    with pytest.raises(InputError, match="process 4321"), far.hold():
        pass


def test_holder_that_lost_the_folder_writes_no_more(
    far: Folder, signed: str
) -> None:
    with far.hold():
        far.write("a", lambda file: file.write(b"1"))
        _write(signed)
        with pytest.raises(
            WriteError,
            match=r"tfvae.train \(process 4321 .*\) took the folder over, as "
            "this process gave no sign of life for 0.1 s",
        ):
            far.write("b", lambda file: file.write(b"1"))
        time.sleep(0.05)
    assert storage.names(far.path) == [holding.NAME, "a"]
    assert json.loads(storage.read(signed))["pid"] == 4321


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_system_frees_what_a_killed_process_held(
    tmp_path: pathlib.Path, number: signal.Signals
) -> None:
    with contextlib.ExitStack() as stack:
        first, second = (
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", HOLD, str(tmp_path)],
                    env=os.environ | {"PYTHONPATH": str(ROOT)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(2)
        )
        stack.callback(first.kill)
        stack.callback(second.kill)
        _until(lambda: first.poll() is not None or second.poll() is not None)
        loser, holder = (first, second) if first.poll() else (second, first)
        assert f"process {holder.pid} on" in loser.communicate()[1]
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(number)
        holder.wait()
        with Folder(str(tmp_path)).hold():
            pass
