"""Patience: one deadline for a call, and further tries within it."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from export.client.errors import ConnectionFailed, DeadlineExceeded, Unavailable

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds
JITTER = (0.5, 1.5)  # factors on a pause, so that clients do not come at once

Result = TypeVar("Result")


class Deadline:
    """The moment until which a call must be done.

    Args:
      seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Returns the seconds that are left; 0: it is over."""
        return max(0.0, self._end - time.monotonic())


async def within(deadline: Deadline, work: Awaitable[Result]) -> Result:
    """Waits for work, and gives it up when the deadline is over.

    Raises:
      DeadlineExceeded: it was not done by then.
    """
    try:
        return await asyncio.wait_for(work, deadline.left())
    except asyncio.TimeoutError as error:
        raise DeadlineExceeded(
            f"no answer within {deadline.seconds:g} seconds"
        ) from error


async def retried(
    send: Callable[[], Awaitable[Result]],
    *,
    deadline: Deadline,
    num_retries: int,
) -> Result:
    """Sends a request, again where the server was not available.

    Args:
      send: one try.
      deadline: no pause goes beyond it.
      num_retries: after the first try.

    Raises:
      Unavailable: as the last try did.
      ConnectionFailed: the same; at once where the server may have got the
        request.
    """
    for attempt in itertools.count():
        try:
            return await send()
        except (Unavailable, ConnectionFailed) as error:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
            pause *= random.uniform(*JITTER)
            is_over = attempt >= num_retries or pause >= deadline.left()
            if is_over or not error.may_retry:
                raise
        await asyncio.sleep(pause)
    raise AssertionError("itertools.count() has no end")
