"""The settings of many trials, a column each."""

import numbers
from collections.abc import Sequence

from tfvae.settings import to_text
from tuning.results import Result


def columns(
    results: Sequence[Result],
) -> dict[str, list[float] | list[str]]:
    """Returns {name: [n]}, the settings that all trials have.

    A column holds numbers, or, where one of its values is none (a word, a
    switch, a list), every value as it is typed on a command line.

    Args:
      results: n trials.
    """
    names = [
        name
        for name in (results[0].values if results else ())
        if all(name in result.values for result in results)
    ]
    return {n: _column([r.values[n] for r in results]) for n in names}


def _column(values: list) -> list[float] | list[str]:
    if all(map(_is_number, values)):
        return values
    return [to_text(value) for value in values]


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
