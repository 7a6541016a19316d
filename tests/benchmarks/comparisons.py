"""Comparisons by name, each as a table and figures."""

import functools
from collections.abc import Callable
from typing import Any

from tests.benchmarks import (
    generation,
    startup,
    streams,
    training_speed,
    variants,
    workers,
)
from tests.benchmarks.rounds import Comparison, Settings


def _compare(
    measure: Callable[..., dict[str, Any]],
    to_text: Callable[[dict[str, Any]], str],
    settings: Settings,
) -> Comparison:
    name = measure.__module__.rpartition(".")[2]
    folder = settings.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    figures = measure(
        str(folder), data_dir=settings.data_dir, rounds=settings.rounds
    )
    return Comparison(to_text(figures), figures)


def _of(
    measure: Callable[..., dict[str, Any]],
    to_text: Callable[[dict[str, Any]], str],
) -> Callable[[Settings], Comparison]:
    return functools.partial(_compare, measure, to_text)


COMPARISONS: dict[str, Callable[[Settings], Comparison]] = {
    "mlp": training_speed.mlp,
    "conv": training_speed.conv,
    "variants": variants.compare,
    "workers": workers.compare,
    "startup": _of(startup.measure, startup.table),
    "generation": _of(generation.measure, generation.tables),
    "streams": _of(streams.measure, streams.table),
}
