"""Signals that end a server, and the status that each asks for."""

import os
import signal
from collections.abc import Iterator

import pytest

from export.server.ending import Ending


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)]
)
def test_first_signal_asks_for_the_end(number: int, status: int) -> None:
    ending = Ending()
    assert not ending.wait(0)
    assert (ending.status, ending.signal) == (None, None)
    os.kill(os.getpid(), number)
    assert ending.wait()
    assert (ending.status, ending.signal) == (status, number)


def test_second_signal_has_its_own_way() -> None:
    ending = Ending()
    os.kill(os.getpid(), signal.SIGTERM)
    assert ending.wait(60)
    for number in (signal.SIGINT, signal.SIGTERM):
        assert signal.getsignal(number) == signal.SIG_DFL
