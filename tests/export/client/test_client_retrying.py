"""Further tries: how many, after what pauses, until when."""

import asyncio

import pytest

from export.client import (
    BadAnswer,
    ConnectionFailed,
    DeadlineExceeded,
    Unavailable,
    retrying,
)
from export.client.retrying import Deadline

BUSY = Unavailable("busy")
REFUSED = ConnectionFailed("refused", may_retry=True)


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.pauses = 1000.0, []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(retrying.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(retrying.asyncio, "sleep", clock.sleep)
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(retrying, "JITTER", (1, 1))
    return clock


def _tried(*outcomes: object, num_retries: int, seconds: float) -> object:
    """Returns what comes of tries with these outcomes, the last for ever."""
    left = list(outcomes)

    async def send() -> object:
        outcome = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def tried() -> object:
        return await retrying.retried(
            send, deadline=Deadline(seconds), num_retries=num_retries
        )

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(tried())
    finally:
        loop.close()


def test_pauses_grow_up_to_a_limit(clock: Clock) -> None:
    found = _tried(
        *[BUSY] * 4, REFUSED, *[BUSY] * 3, 7, num_retries=8, seconds=99
    )
    assert found == 7
    expected = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert clock.pauses == pytest.approx(expected)


def test_tries_are_counted(clock: Clock) -> None:
    with pytest.raises(Unavailable, match="busy"):
        _tried(BUSY, num_retries=3, seconds=99)
    assert len(clock.pauses) == 3
    with pytest.raises(ConnectionFailed, match="refused"):
        _tried(REFUSED, num_retries=0, seconds=99)
    assert len(clock.pauses) == 3


def test_no_pause_goes_beyond_the_deadline(clock: Clock) -> None:
    with pytest.raises(Unavailable, match="busy"):
        _tried(BUSY, num_retries=99, seconds=1.0)
    assert clock.pauses == pytest.approx([0.1, 0.2, 0.4])  # 0.8: too late


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailed("lost", may_retry=False),
        BadAnswer("nonsense"),
        DeadlineExceeded("late"),
    ],
)
def test_other_errors_are_raised_at_once(
    clock: Clock, error: Exception
) -> None:
    with pytest.raises(type(error)):
        _tried(error, 7, num_retries=9, seconds=99)
    assert clock.pauses == []


def test_pauses_differ_between_clients(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "JITTER", (0.5, 1.5))
    for _ in range(20):
        _tried(BUSY, 7, num_retries=1, seconds=99)
    assert min(clock.pauses) >= 0.05
    assert max(clock.pauses) <= 0.15
    assert len(set(clock.pauses)) == 20


def test_a_deadline_passes(clock: Clock) -> None:
    deadline = Deadline(2.5)
    assert deadline.left() == 2.5
    clock.now += 2
    assert deadline.left() == 0.5
    clock.now += 2
    assert deadline.left() == 0
