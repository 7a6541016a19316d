"""Contestants measured in turn, their medians, and a Markdown table."""

import dataclasses
import pathlib
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

Measured = TypeVar("Measured")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the command line asks for.

    Attributes:
      folder: where runs, logs and figures go.
      data_dir: where TFDS keeps prepared data; empty: its own.
      rounds: how often each contestant is measured.
      epochs: of each measurement; None: the comparison's own.
      contestants: those that take part; empty: all.
    """

    folder: pathlib.Path
    data_dir: str
    rounds: int
    epochs: int | None
    contestants: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
      text: Markdown, to be printed.
      figures: all that was measured, to be written as JSON.
    """

    text: str
    figures: dict[str, Any]


def interleave(
    names: Iterable[str], measure: Callable[[str, int], Measured], rounds: int
) -> dict[str, list[Measured]]:
    """Measures every contestant once a round, one after another.

    So what disturbs the machine for a while disturbs all of them.

    Args:
      names: of the contestants.
      measure: from (name, round from 1) to what was measured.
      rounds: how many.
    """
    found: dict[str, list[Measured]] = {name: [] for name in names}
    for number in range(1, rounds + 1):
        for name, results in found.items():
            results.append(measure(name, number))
            say(f"round {number} of {rounds}: {name}")
    return found


def say(line: str) -> None:
    """Prints a line of progress."""
    print(line, file=sys.stderr, flush=True)


def spread(values: Sequence[float], digits: str) -> str:
    """Returns `median (min..max)`, each written as `digits` says."""
    middle = statistics.median(values)
    least, most = min(values), max(values)
    return f"{middle:{digits}} ({least:{digits}}..{most:{digits}})"


def table(
    title: str, head: Sequence[str], rows: Iterable[Sequence[str]]
) -> str:
    """Returns a Markdown table below its title."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([title, "", *(f"| {' | '.join(row)} |" for row in lines)])
