"""Programs that are disturbed: their processes, and what they leave behind."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import uuid
import weakref
import zipfile
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from tests import runs

UNSOUND = (
    ValueError, KeyError, EOFError, OSError, AssertionError, zipfile.BadZipFile,
)  # fmt: skip
T = TypeVar("T")
ROOT = pathlib.Path(__file__).parents[2]
MARK = "TFVAE_DISTURBED"
MOST_SECONDS = 300.0  # of a program, on a machine that is busy
GONE_WITHIN = 2.0  # seconds after a program's end, of all its processes


class Started:
    """A program, and all processes that come of it.

    These are known by a mark in their environment, whoever their parent is.

    Args:
      *words: module and arguments, as after `python -m`.
    """

    def __init__(self, *words: str) -> None:
        self.words = words
        self._mark = f"{MARK}={uuid.uuid4().hex}".encode()
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115 (as long as self)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        for file in (self._stdout, self._stderr):
            weakref.finalize(self, file.close)
        name, _, value = self._mark.decode().partition("=")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), name: value},
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
        )

    def processes(self) -> dict[int, list[bytes]]:
        """Returns the environment of each living process, by its number."""
        found = {}
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                variables = (path / "environ").read_bytes().split(b"\0")
            except OSError:  # it ended, or is not ours
                continue
            if self._mark in variables:
                found[int(path.name)] = variables
        return found

    def worker(self, index: int) -> int | None:
        """Returns the number of a worker's process; None: there is none."""
        for number, variables in self.processes().items():
            for variable in variables:
                name, _, value = variable.partition(b"=")
                if name == b"TF_CONFIG" and (
                    json.loads(value)["task"]["index"] == index
                ):
                    return number
        return None

    def child(self, name: str) -> int | None:
        """Returns the number of a process whose command holds a name."""
        for number in self.processes():
            path = pathlib.Path(f"/proc/{number}/cmdline")
            if path.exists() and name.encode() in path.read_bytes():
                return number
        return None

    def wait(self) -> int:
        """Returns the exit status; kills what does not end."""
        try:
            return self.process.wait(MOST_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def has_ended(self) -> bool:
        """Whether the program has, if not all that it started."""
        return self.process.poll() is not None

    def left_behind(self) -> list[str]:
        """Returns which processes outlive it; a sentence each."""
        until = time.monotonic() + GONE_WITHIN
        while (found := self.processes()) and time.monotonic() < until:
            time.sleep(0.02)
        return [f"process {number} was left" for number in found]

    def stdout(self) -> list[str]:
        """Returns the lines that were printed so far."""
        return _lines(self._stdout.fileno())

    def stderr(self) -> list[str]:
        """Returns the lines of errors so far."""
        return _lines(self._stderr.fileno())

    def misspoken(self) -> list[str]:
        """Returns what no program may print: a traceback, or many errors."""
        text = [*self.stdout(), *self.stderr()]
        found = [line for line in text if line.startswith("Traceback")]
        if self.process.returncode in (1, 2) and len(self.stderr()) != 1:
            found.append(f"{len(self.stderr())} lines of error")
        return found

    def wait_for(
        self,
        ask: Callable[[], T | None],
        *,
        every: float = 0.002,
        within: float = MOST_SECONDS,
    ) -> T | None:
        """Returns the first answer that is not None or False.

        Args:
          ask: is asked again and again.
          every: so many seconds.
          within: so many seconds, and while the program runs; then None.
        """
        until = time.monotonic() + within
        while not (answer := ask()):
            if self.has_ended() or time.monotonic() > until:
                return None
            time.sleep(every)
        return answer


def finish(*words: str) -> None:
    """Runs a program that must succeed."""
    program = Started(*words)
    status = program.wait()
    assert status == 0, program.stderr()


def num_rows(run_dir: pathlib.Path) -> int:
    """Returns how many epochs have ended."""
    path = run_dir / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def is_saving(run_dir: pathlib.Path) -> bool:
    """Whether a checkpoint, or weights, are half-written at this moment."""
    names = [p.name for p in (run_dir / "checkpoints").glob("*")]
    steps = {name.split(".")[0] for name in names if name.startswith("ckpt-")}
    return any(f"{step}.json" not in names for step in steps) or any(
        run_dir.glob("weights/.*.partial")
    )


def differences(one: pathlib.Path, other: pathlib.Path) -> list[str]:
    """Returns in what two whole runs differ, but for times; a sentence each."""
    found = [
        f"{which} weights differ"
        for which in ("last", "best")
        if runs.weights_of(one, which) != runs.weights_of(other, which)
    ]
    if runs.rows_of(one) != runs.rows_of(other):
        found.append("rows differ")
    return found


def flaws(folder: pathlib.Path) -> list[str]:
    """Returns what is not whole in a folder of a run that has ended."""
    found = [
        f"{path.relative_to(folder)} was left behind"
        for path in folder.rglob("*")
        if path.name.endswith(".partial") or path.name.startswith(".")
    ]
    for pattern, check in CHECKS.items():
        for path in folder.rglob(pattern):
            try:
                check(path)
            except UNSOUND as error:
                found.append(f"{path.relative_to(folder)}: {error!r}")
    saved = folder / "checkpoints"
    for path in saved.glob("ckpt-*"):
        if not (saved / f"{path.name.split('.')[0]}.json").exists():
            found.append(f"{path.relative_to(folder)} has no record")
    return found


def _check_json(path: pathlib.Path) -> None:
    text = path.read_text()
    for part in text.splitlines() if path.suffix == ".jsonl" else [text]:
        json.loads(part)


def _check_arrays(path: pathlib.Path) -> None:
    with np.load(path, allow_pickle=False) as arrays:
        assert all(arrays[name] is not None for name in arrays)


def _check_record(path: pathlib.Path) -> None:
    for name, measured in json.loads(path.read_text())["files"].items():
        content = (path.parent / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        assert measured == {"size": len(content), "sha256": digest}, name


CHECKS: dict[str, Callable[[pathlib.Path], None]] = {
    "*.json": _check_json,
    "*.jsonl": _check_json,
    "*.npz": _check_arrays,
    "ckpt-*.json": _check_record,
}


def _lines(descriptor: int) -> list[str]:
    size = os.fstat(descriptor).st_size
    text = os.pread(descriptor, size, 0).decode(errors="replace")
    return text.splitlines()
