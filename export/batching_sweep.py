"""Chooses how a server joins requests, by what was measured on this machine.

A setting is chosen for the rows it gives to many clients, among those that
keep one client alone from waiting.
"""

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from export import batching_load
from export.batching import BatchingParameters
from export.batching_load import Load, Order
from tfvae.folder import Folder

FILE = os.path.join("assets.extra", "batching_sweep.json")
# p99 of one client alone may be this many times the best one.
LATENCY_BOUND = 1.5
# Less of a gain in rows a second is noise, and the earlier setting stays.
NOISE = 0.05
CLIENTS, SECONDS, ROUNDS = (1, 16, 64), 0.4, 3
# Rows of a batch, sizes to which it is padded, microseconds that it waits.
BATCH_ROWS = (64, 16)
PADDED_TO: tuple[tuple[int, ...], ...] = (
    (1, 4, 16, 64),
    (1, 2, 4, 8, 16, 32, 64),
    (),
)
TIMEOUTS = (0, 1000)


class Point(NamedTuple):
    """A setting, and the medians of its rounds under each load."""

    parameters: BatchingParameters
    loads: Sequence[Load]


def settings(default: BatchingParameters) -> list[BatchingParameters]:
    """Returns the settings to measure, the default first.

    The largest request stays what it is: where a batch has fewer rows, a
    request of more is cut.

    Args:
      default: of which they are variations.
    """
    return [
        dataclasses.replace(
            default,
            batch_timeout_micros=timeout,
            allowed_batch_sizes=sizes,
            enable_large_batch_splitting=True if is_cut else None,
            max_execution_batch_size=rows if is_cut else None,
        )
        for timeout, sizes, rows in itertools.product(
            TIMEOUTS, PADDED_TO, BATCH_ROWS
        )
        for is_cut in [rows < (default.max_batch_size or rows)]
    ]


def choose(points: Sequence[Point]) -> Point:
    """Returns the best setting.

    Args:
      points: in the order of preference, all under the same loads, the lightest
        first.

    Returns:
      point: the first that gives within 5% of the most rows a second under the
        heaviest load, of those whose p99 under the lightest one is at most 1.5
        times the best.
    """
    best = min(point.loads[0].p99_ms for point in points)
    quick = [p for p in points if p.loads[0].p99_ms <= LATENCY_BOUND * best]
    most = max(point.loads[-1].rows_per_second for point in quick)
    return next(
        point
        for point in quick
        if point.loads[-1].rows_per_second >= (1 - NOISE) * most
    )


def tune(
    folder: str, default: BatchingParameters, *, tell: Callable[[str], object]
) -> BatchingParameters:
    """Measures all settings for a version, and keeps the figures in it.

    Args:
      folder: of the version.
      default: what it has now.
      tell: takes the progress and the table, line by line.

    Returns:
      parameters: the ones to serve it with.

    Raises:
      FailedError: a request failed.
    """
    tried = settings(default)
    texts = tuple(parameters.text() for parameters in tried)
    order = Order(texts, clients=CLIENTS, seconds=SECONDS, rounds=ROUNDS)
    measured: list[list[list[Load]]] = [[] for _ in tried]
    for number, loads in enumerate(batching_load.run(folder, order), start=1):
        measured[(number - 1) % len(tried)].append(loads)
        if number % len(tried) == 0:
            tell(f"batching: round {number // len(tried)} of {ROUNDS} measured")
    points = [
        Point(parameters, _medians(rounds))
        for parameters, rounds in zip(tried, measured, strict=True)
    ]
    chosen = choose(points)
    for line in _table(points, chosen):
        tell(line)
    _write(folder, points, chosen)
    return chosen.parameters


def _medians(rounds: Sequence[Sequence[Load]]) -> list[Load]:
    """Returns the median over rounds of each figure of each load."""
    return [
        Load(*np.median([dataclasses.astuple(one) for one in same], axis=0))
        for same in zip(*rounds, strict=True)
    ]


def _write(folder: str, points: Sequence[Point], chosen: Point) -> None:
    record = {
        "cores": len(os.sched_getaffinity(0)),
        "signature": batching_load.SIGNATURE,
        "seconds": SECONDS,
        "rounds": ROUNDS,
        "latency_bound": LATENCY_BOUND,
        "noise": NOISE,
        "points": [
            {
                "parameters": dataclasses.asdict(point.parameters),
                "loads": [dataclasses.asdict(load) for load in point.loads],
                "chosen": point is chosen,
            }
            for point in points
        ],
    }
    Folder(folder).write_json(FILE, record)


def _table(points: Sequence[Point], chosen: Point) -> Iterator[str]:
    cores = len(os.sched_getaffinity(0))
    yield (
        f"measured on {cores} cores of this machine's CPU: rows a second and "
        "p99 of clients that ask for one row after another"
    )
    loads = "".join(f"{f'{clients} at a time':>25}" for clients in CLIENTS)
    yield f"  batch  padded to           waits us{loads}"
    for point in points:
        mark = "  <- chosen" if point is chosen else ""
        yield _row(point) + mark


def _row(point: Point) -> str:
    parameters = point.parameters
    rows = parameters.max_execution_batch_size or parameters.max_batch_size
    sizes = " ".join(map(str, parameters.allowed_batch_sizes)) or "nothing"
    loads = "".join(
        f"{load.rows_per_second:>12,.0f} {load.p99_ms:>9.2f} ms"
        for load in point.loads
    )
    return f"{rows:>7}  {sizes:19}{parameters.batch_timeout_micros:>9}{loads}"
