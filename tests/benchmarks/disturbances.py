"""Faults of a soak: what is done to a program, when, and what may follow."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

from tests.benchmarks import faults
from tests.benchmarks.faults import Started

SIZE = "64m"  # of the disk that a round fills
STOPPED_SECONDS = 5.0
LARGEST_FILE = 1024  # bytes, where the size of files is limited
BALLAST = "ballast"
KEPT = ".before"  # ending of a file's copy
KILLED, TERMINATED, FAILED, WRONG_INPUT = -9, 143, 1, 2

Act = Callable[[Started, pathlib.Path], str | None]
Touch = Callable[[pathlib.Path], object]


def _nothing(*_: object) -> None:
    """Does nothing."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """One kind of fault; the folder that its functions are given is a round's.

    Attributes:
      name: in words.
      stage: of the round, in which it happens.
      act: is done to the running program; may return what another one said.
      is_due: whether the moment to act has come.
      before: is done before the program starts.
      after: is done once it has ended, as a user would, to try again.
      statuses: with which the program may end.
      says: words of the line that tells of it.
      mounts: whether the round's folder is to be a small disk of its own.
    """

    name: str
    stage: str
    act: Act = _nothing
    is_due: Callable[[pathlib.Path], bool] = lambda folder: True
    before: Touch = _nothing
    after: Touch = _nothing
    statuses: tuple[int, ...] = (0,)
    says: str = ""
    mounts: bool = False


@contextlib.contextmanager
def mounted(folder: pathlib.Path) -> Iterator[None]:
    """Makes a folder a small disk of its own while the context lasts."""
    _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def _make_read_only(folder: pathlib.Path) -> None:
    _mount("-o", "remount,ro", str(folder))


def _make_writable(folder: pathlib.Path) -> None:
    _mount("-o", "remount,rw", str(folder))


def _fill(folder: pathlib.Path) -> None:
    with (folder / BALLAST).open("wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            with contextlib.suppress(OSError):  # until it is full
                while file.write(b"0" * size):
                    pass


def _empty(folder: pathlib.Path) -> None:
    (folder / BALLAST).unlink()


def _limit(program: Started, folder: pathlib.Path) -> None:
    limits = (LARGEST_FILE, LARGEST_FILE)
    resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, limits)


def _signal(number: int, program: Started, folder: pathlib.Path) -> None:
    program.process.send_signal(number)


def _kill_worker(program: Started, folder: pathlib.Path) -> None:
    os.kill(_worker(program), signal.SIGKILL)


def _pause_worker(program: Started, folder: pathlib.Path) -> None:
    found = _worker(program)
    os.kill(found, signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)
    os.kill(found, signal.SIGCONT)


def _worker(program: Started) -> int:
    found = program.worker(1)
    assert found is not None, "no worker runs"
    return found


def _pause(program: Started, folder: pathlib.Path) -> None:
    program.process.send_signal(signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)
    program.process.send_signal(signal.SIGCONT)


def _kill_server(program: Started, folder: pathlib.Path) -> None:
    program.process.kill()
    program.wait()


def _pause_server(program: Started, folder: pathlib.Path) -> None:
    """Stops it; lets it go on while a client waits for it."""
    program.process.send_signal(signal.SIGSTOP)
    subprocess.Popen(  # ends by itself
        ["sh", "-c", f"sleep {STOPPED_SECONDS}; kill -CONT $0",
         str(program.process.pid)]
    )  # fmt: skip


def _take_away(folder: pathlib.Path) -> None:
    """Removes the run's folder, all of it at once."""
    (folder / "run").rename(folder / "gone")
    shutil.rmtree(folder / "gone")


def _begin_another(program: Started, folder: pathlib.Path) -> str:
    """Gives the same command, on the same folder; returns what it says.

    The first stands still meanwhile: it could be done before the second looks.
    """
    program.process.send_signal(signal.SIGSTOP)
    second = Started(*program.words)
    status = second.wait()
    program.process.send_signal(signal.SIGCONT)
    return f"status {status}: {' / '.join(second.stderr())}"


def _newest(folder: pathlib.Path) -> pathlib.Path:
    """Returns the data of the newest checkpoint that was finished."""
    saved = folder / "run" / "checkpoints"
    records = saved.glob("ckpt-*.json")
    last = max(records, key=lambda path: int(path.stem.partition("-")[2]))
    return last.with_name(f"{last.stem}.data-00000-of-00001")


def _cut(path: pathlib.Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: pathlib.Path) -> None:
    """Flips a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _weights(folder: pathlib.Path) -> pathlib.Path:
    return folder / "run" / "weights" / "best.npz"


def _flip_weights(folder: pathlib.Path) -> None:
    path = _weights(folder)
    shutil.copy2(path, folder / KEPT)
    _flip(path)


def _put_back(folder: pathlib.Path) -> None:
    (folder / KEPT).replace(_weights(folder))


def _flip_served(folder: pathlib.Path) -> None:
    (path,) = (folder / "export").glob("decoder/1/variables/*.data-*")
    _flip(path)


def _export_anew(folder: pathlib.Path) -> None:
    exported = f"--export_dir={folder / 'export'}"
    faults.finish(
        "export.saved_model", f"--run_dir={folder / 'run'}", exported,
        "--parts=decoder",
    )  # fmt: skip
    faults.finish("export.rollout", "promote", exported, "--offline")


def _after_epochs(num: int) -> Callable[[pathlib.Path], bool]:
    return lambda folder: faults.num_rows(folder / "run") >= num


def _is_trial_done(folder: pathlib.Path) -> bool:
    return (folder / "search" / "search" / "trial_0" / "figures.json").exists()


def _is_staged(folder: pathlib.Path) -> bool:
    return any((folder / "export").glob("decoder/.*/*"))


def _on_folder(touch: Touch) -> Act:
    def act(program: Started, folder: pathlib.Path) -> None:
        touch(folder)

    return act


def _damage_newest(damage: Touch) -> Touch:
    return lambda folder: damage(_newest(folder))


KILL = functools.partial(_signal, signal.SIGKILL)
TERM = functools.partial(_signal, signal.SIGTERM)
FILL = _on_folder(_fill)
_in_epoch = _after_epochs(4)
_full = functools.partial(
    Fault,
    "disk full (tmpfs)",
    after=_empty,
    statuses=(FAILED,),
    mounts=True,
    says="No space left on device",
)
_read_only = functools.partial(
    Fault, "folder read-only (mount)", before=_make_read_only,
    after=_make_writable, statuses=(WRONG_INPUT,), mounts=True,
    says="Read-only file system",
)  # fmt: skip
_killed = functools.partial(Fault, act=KILL, statuses=(KILLED,))
_terminated = functools.partial(
    Fault,
    "SIGTERM",
    act=TERM,
    statuses=(TERMINATED,),
    says="stopped by SIGTERM",
)
FAULTS = (
    _full(stage="train", act=FILL, is_due=_in_epoch),
    Fault("disk full (limit of a file's size)", "train", _limit, _in_epoch,
          statuses=(FAILED,), says="File too large"),
    _read_only(stage="train"),
    _killed("SIGKILL", "train", is_due=_in_epoch),
    _terminated(stage="train", is_due=_in_epoch),
    Fault("SIGSTOP for 5 s", "train", _pause, _in_epoch),
    _killed("SIGKILL, newest checkpoint cut short", "train", is_due=_in_epoch,
            after=_damage_newest(_cut), says="is damaged"),
    _killed("SIGKILL, bit of the newest checkpoint flipped", "train",
            is_due=_in_epoch, after=_damage_newest(_flip), says="is damaged"),
    Fault("folder removed", "train", _on_folder(_take_away), _in_epoch,
          statuses=(FAILED,), says="was removed meanwhile"),
    Fault("second process on the folder", "train", _begin_another, _in_epoch,
          says="status 2: train.py: "),
    Fault("SIGKILL of a worker", "launch", _kill_worker, _in_epoch,
          says="worker 1 was killed (SIGKILL); restart 1 of"),
    Fault("SIGSTOP of a worker for 5 s", "launch", _pause_worker, _in_epoch),
    _full(stage="evaluate", act=FILL),
    Fault("bit of the weights flipped", "evaluate", before=_flip_weights,
          after=_put_back, statuses=(WRONG_INPUT,), says="is damaged"),
    _full(stage="search", act=FILL, is_due=_is_trial_done),
    _killed("SIGKILL", "search", is_due=_is_trial_done),
    _terminated(stage="search", is_due=_is_trial_done),
    Fault("second process on the folder", "search", _begin_another,
          _is_trial_done, says="status 2: search.py: "),
    _full(stage="export", act=FILL, is_due=_is_staged),
    _killed("SIGKILL", "export", is_due=_is_staged),
    _read_only(stage="export"),
    Fault("SIGKILL of the server", "serve", _kill_server, statuses=(FAILED,),
          says="client"),
    Fault("SIGSTOP of the server for 5 s", "serve", _pause_server),
    Fault("bit of the weights flipped", "serve", before=_flip_served,
          after=_export_anew, statuses=(FAILED,), says="sha256"),
)  # fmt: skip


def told_by(program: Started, status: int) -> str:
    """Returns the line that says what happened; "": none does."""
    if status in (FAILED, WRONG_INPUT):
        return " / ".join(program.stderr())
    words = ("stopped by", "checkpoint ckpt-", "launch.py: ")
    lines = [*program.stdout(), *program.stderr()]
    return next((line for line in lines if line.startswith(words)), "")
