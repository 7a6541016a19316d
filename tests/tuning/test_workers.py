"""Who takes part in a search, and who is lost."""

import os
import pathlib
import time

import pytest

from tfvae.errors import InputError
from tuning import workers

NAMES = (workers.TUNER_ID, workers.ORACLE_IP, workers.ORACLE_PORT)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the environment as it was."""
    for name in NAMES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def _found() -> list[str | None]:
    return [os.environ.get(name) for name in NAMES]


@pytest.mark.parametrize(
    ("role", "worker_id", "found", "is_chief", "is_worker"),
    [
        ("alone", "", [None, None, None], False, False),
        ("chief", "", ["chief", "10.0.0.7", "8790"], True, False),
        ("chief", "w3", ["chief", "10.0.0.7", "8790"], True, False),
        ("worker", "w3", ["w3", "10.0.0.7", "8790"], False, True),
    ],
)
def test_role_sets_keras_tuner_s_variables(
    role: str,
    worker_id: str,
    found: list[str | None],
    is_chief: bool,
    is_worker: bool,
) -> None:
    workers.set_environment(role, "10.0.0.7:8790", worker_id)
    assert _found() == found
    assert workers.is_chief() == is_chief
    assert workers.is_worker() == is_worker
    if role != "alone":
        assert workers.chief_address() == "10.0.0.7:8790"


def test_worker_without_an_id_is_named_after_host_and_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "chief 1/a.b")
    workers.set_environment("worker", "127.0.0.1:1")
    assert os.environ[workers.TUNER_ID] == f"host-1-a.b-{os.getpid()}"
    assert workers.is_worker()


def test_variables_of_the_user_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(workers.TUNER_ID, "mine")
    monkeypatch.setenv(workers.ORACLE_IP, "10.0.0.9")
    workers.set_environment("worker", "127.0.0.1:8790", "w3")
    assert _found() == ["mine", "10.0.0.9", "8790"]


def test_variables_alone_make_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(NAMES, ["w1", "10.0.0.9", "8790"], strict=True):
        monkeypatch.setenv(name, value)
    workers.set_environment("alone", "127.0.0.1:8790")
    assert workers.is_worker()
    assert workers.chief_address() == "10.0.0.9:8790"


@pytest.mark.parametrize(
    "address", ["", "8790", ":8790", "host:", "host:x", "host:0", "host:65536"]
)
def test_wrong_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match=r"HOST:PORT, for example 127\.0\.0"):
        workers.set_environment("worker", address)
    assert _found() == [None, None, None]


@pytest.mark.parametrize("worker_id", ["my_chief", "a/b", ".a", "a b"])
def test_wrong_id_is_refused(worker_id: str) -> None:
    with pytest.raises(InputError, match=r"without the word chief; got '"):
        workers.set_environment("worker", "127.0.0.1:8790", worker_id)


def test_role_against_the_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(workers.TUNER_ID, "chief")
    with pytest.raises(InputError, match=r"makes it a chief; unset it or"):
        workers.set_environment("worker", "127.0.0.1:8790")


def test_half_an_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(workers.ORACLE_IP, "127.0.0.1")
    with pytest.raises(InputError, match=r"but not KERASTUNER_ORACLE_PORT; s"):
        workers.set_environment("alone", "127.0.0.1:8790")


def _wait_for(path: pathlib.Path, number: int) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or int(path.read_text()) < number:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_heart_beats_until_the_worker_leaves(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "workers" / "w1"
    with workers.Heartbeat(str(tmp_path), "w1", interval_seconds=0.01):
        _wait_for(path, 3)
    assert list(path.parent.iterdir()) == []


def test_heart_beats_in_a_worker_only(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workers.heartbeat(str(tmp_path)):
        assert list(tmp_path.iterdir()) == []
    workers.set_environment("worker", "127.0.0.1:8790", "w1")
    with workers.heartbeat(str(tmp_path)):
        _wait_for(tmp_path / "workers" / "w1", 1)


def test_full_disk_does_not_stop_the_heart(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, replace, calls = tmp_path / "workers" / "w1", os.replace, []

    def fail_at_first(source: str, target: str) -> None:
        calls.append(target)
        if len(calls) < 3:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_at_first)
    with workers.Heartbeat(str(tmp_path), "w1", interval_seconds=0.01):
        _wait_for(path, 3)
    assert not path.exists()


class Clock:
    """Is set by hand; its zero is far from the files' times."""

    def __init__(self) -> None:
        self.seconds = 1e6

    def __call__(self) -> float:
        return self.seconds


class Room:
    """A shared folder with workers that beat when they are told to."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.folder, self.clock = directory / "workers", Clock()
        self.watch = workers.Watch(str(directory), 10.0, clock=self.clock)

    def beat(self, tuner_id: str, number: int) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / tuner_id).write_text(str(number))

    def lost(self, *tuner_ids: str, after: float) -> list[str]:
        self.clock.seconds += after
        return self.watch.lost(tuner_ids)


@pytest.fixture
def room(tmp_path: pathlib.Path) -> Room:
    """An empty one, in which 10 seconds of silence mean a loss."""
    return Room(tmp_path)


def test_worker_whose_number_stands_still_is_lost(room: Room) -> None:
    room.beat("a", 1)
    room.beat("b", 1)
    assert room.lost("b", "a", after=0) == []
    room.beat("a", 2)
    assert room.lost("b", "a", after=9) == []
    assert room.lost("b", "a", after=2) == ["b"]
    assert room.lost("a", after=7) == []
    assert room.lost("a", after=2) == ["a"]
    assert room.lost("b", "a", after=0) == ["a"]
    assert room.lost("b", "a", after=11) == ["a", "b"]


def test_worker_that_beats_again_is_not_lost(room: Room) -> None:
    room.beat("a", 7)
    assert room.lost("a", after=0) == []
    assert room.lost("a", after=11) == ["a"]
    room.beat("a", 8)
    assert room.lost("a", after=1) == []


def test_worker_without_a_file_counts_from_when_it_is_first_seen(
    room: Room,
) -> None:
    assert room.lost("a", after=500) == []
    assert room.lost("a", "b", after=9) == []
    assert room.lost("a", "b", after=2) == ["a"]
    assert room.lost("b", after=7) == []
    assert room.lost("b", "a", after=2) == ["b"]  # a was forgotten in between


def test_worker_that_took_its_file_away_is_lost_at_once(room: Room) -> None:
    room.beat("a", 1)
    assert room.lost("a", after=0) == []
    (room.folder / "a").unlink()
    assert room.lost("a", after=1) == ["a"]


def test_present_are_those_with_a_file(room: Room) -> None:
    assert room.watch.present() == set()
    room.beat("a", 1)
    room.beat(".a.partial", 1)
    room.beat("b", 1)
    assert room.watch.present() == {"a", "b"}
    room.watch.forget("a")
    room.watch.forget("never there")
    assert room.watch.present() == {"b"}


def test_forgotten_worker_begins_anew(room: Room) -> None:
    room.beat("a", 1)
    assert room.lost("a", after=0) == []
    assert room.lost("a", after=11) == ["a"]
    room.watch.forget("a")
    room.beat("a", 1)
    assert room.lost("a", after=1) == []


def test_file_that_cannot_be_read_for_a_while_is_no_news(room: Room) -> None:
    room.beat("a", 1)
    assert room.lost("a", after=0) == []
    (room.folder / "a").unlink()
    (room.folder / "a").mkdir()  # reading fails with another error
    assert room.lost("a", after=9) == []
    assert room.lost("a", after=2) == ["a"]
