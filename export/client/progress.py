"""How far many requests have come: a bar, or a line now and then."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import tqdm

SECONDS_A_LINE = 5.0
Item = TypeVar("Item")


def shown(
    answers: Iterable[tuple[int, Item]], *, total: int, what: str
) -> Iterator[Item]:
    """Yields answers and shows how many rows they hold so far.

    Args:
      answers: (number of rows, answer) of each.
      total: rows of all.
      what: is done to a row, as "decode".
    """
    with tqdm.tqdm(
        desc=what, total=total, unit=" rows", dynamic_ncols=True,
        disable=not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        done, last = 0, time.monotonic()
        for num_rows, answer in answers:
            done += num_rows
            bar.update(num_rows)
            is_late = time.monotonic() - last >= SECONDS_A_LINE
            if bar.disable and (is_late and done < total):
                print(f"{what}: {done:,} of {total:,} rows", flush=True)
                last = time.monotonic()
            yield answer
