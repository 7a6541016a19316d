"""How a server is told to end: SIGINT, or SIGTERM."""

import signal
import threading
from types import FrameType

from tfvae import program

# The exit status after each.
STATUS = {signal.SIGINT: program.INTERRUPTED, signal.SIGTERM: program.DONE}


class Ending:
    """Is set by the first of the signals; the second one ends the process.

    Attributes:
      status: the exit status that the signal asks for; None before.
      signal: that came.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.signal: int | None = None
        self._came = threading.Event()
        for number in STATUS:
            signal.signal(number, self._on_signal)

    def wait(self, seconds: float | None = None) -> bool:
        """Waits so long at most, or for ever; returns whether a signal came."""
        return self._came.wait(seconds)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signal, self.status = number, STATUS[signal.Signals(number)]
        self._came.set()
        for known in STATUS:
            signal.signal(known, signal.SIG_DFL)
