"""SIGINT and SIGTERM end a program between two of its steps, not within one."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal came.

    Args:
      number: of the signal.

    Attributes:
      status: the exit status that tells of it: 130 or 143.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def run(work: Callable[[], int], *, stopped: str) -> int:
    """Runs a program's work and returns the exit status.

    Args:
      work: returns its own.
      stopped: what the line says that is printed when a signal ended it.
    """
    try:
        with _watched():
            return work()
    except Interrupted as interrupted:
        name = os.path.basename(sys.argv[0])
        print(f"{name}: {stopped}", file=sys.stderr)
        return interrupted.status


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Keeps signals back until a block has ended; none begins after one.

    Only in a program's work, as `run` runs it; elsewhere it changes nothing.
    """
    _heed()
    _State.is_held = True
    try:
        yield
    finally:
        _State.is_held = False
    _heed()


class _State:
    came: int | None = None  # the first signal; it stays until the work ends
    is_held = False


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    before = {number: signal.signal(number, _on_signal) for number in SIGNALS}
    try:
        yield
    finally:
        _State.came = None
        for number, handler in before.items():
            signal.signal(number, handler)


def _on_signal(number: int, frame: FrameType | None) -> None:
    _State.came = _State.came or number
    if not _State.is_held:
        raise Interrupted(number)


def _heed() -> None:
    # One that was raised where Python swallows it, as in a destructor, counts.
    if _State.came:
        raise Interrupted(_State.came)
