"""Many calls: a few under way at once, their answers in order."""

import asyncio
import collections
import concurrent.futures
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
)
from typing import TypeVar

from tfvae.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    start: Callable[[Item], "concurrent.futures.Future[Result]"],
    items: Iterable[Item],
    *,
    num_concurrent: int,
) -> Iterator[Result]:
    """Yields what is made of each item; the rest is given up on an error.

    Args:
      start: begins the work on an item.
      items: no more of them are read than are under way.
      num_concurrent: under way at once.

    Raises:
      InputError: `num_concurrent` is below 1.
    """
    _check(num_concurrent)
    waiting: collections.deque = collections.deque()
    try:
        for item in items:
            waiting.append(start(item))
            if len(waiting) == num_concurrent:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


async def in_order_async(
    work: Callable[[Item], Awaitable[Result]],
    items: Iterable[Item],
    *,
    num_concurrent: int,
) -> AsyncIterator[Result]:
    """`in_order` for an event loop.

    Raises:
      InputError: `num_concurrent` is below 1.
    """
    _check(num_concurrent)
    waiting: collections.deque = collections.deque()
    try:
        for item in items:
            waiting.append(asyncio.ensure_future(work(item)))
            if len(waiting) == num_concurrent:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _check(num_concurrent: int) -> None:
    if num_concurrent < 1:
        raise InputError(
            f"`num_concurrent` must be at least 1; got {num_concurrent}."
        )
