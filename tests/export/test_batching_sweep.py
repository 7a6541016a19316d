"""Of the settings that were measured the right one is chosen, and kept."""

import dataclasses
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from export import batching_load, batching_sweep
from export.batching import BatchingParameters, read
from export.batching_load import Load, Order
from export.batching_sweep import Point
from export.version import PARAMETERS


def point(micros: int, p99_ms: float, rows_per_second: float) -> Point:
    """Returns a setting with its lightest and its heaviest load."""
    loads = [
        Load(1, rows_per_second=9e9, p50_ms=0.0, p99_ms=p99_ms),
        Load(64, rows_per_second, p50_ms=0.0, p99_ms=1e9),
    ]
    return Point(BatchingParameters(batch_timeout_micros=micros), loads)


@pytest.mark.parametrize(
    ("figures", "chosen"),
    [
        ([(2.0, 100), (2.0, 300), (2.0, 200)], 1),
        ([(2.0, 100), (3.1, 900), (3.0, 300)], 2),  # 3.1 is too late
        ([(2.0, 96), (2.0, 100), (2.0, 98)], 0),  # a gain of 4% is noise
        ([(2.0, 94), (2.0, 100), (2.0, 98)], 1),
        ([(9.0, 100), (2.0, 1), (9.0, 100)], 1),
    ],
)
def test_the_most_rows_of_those_that_answer_in_time(
    figures: list[tuple[float, float]], chosen: int
) -> None:
    points = [point(k, *pair) for k, pair in enumerate(figures)]
    assert batching_sweep.choose(points) is points[chosen]


def test_settings_are_such_as_the_server_loads() -> None:
    settings = batching_sweep.settings(PARAMETERS)
    assert settings[0] == PARAMETERS
    assert len(set(settings)) == len(settings) == 12
    for parameters in settings:
        parameters.check()
        assert read(parameters.text()) == parameters
        assert parameters.max_batch_size == 64
    assert {p.max_execution_batch_size for p in settings} == {None, 16}
    assert {p.batch_timeout_micros for p in settings} == {0, 1000}
    assert {p.allowed_batch_sizes for p in settings} == {
        (1, 4, 16, 64), (1, 2, 4, 8, 16, 32, 64), (),
    }  # fmt: skip


def test_the_table_is_told_and_kept(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "assets.extra").mkdir()
    orders: list[Any] = []

    def run(folder: str, order: Order) -> Iterator[list[Load]]:
        orders.append((folder, order))
        for factor in (1, 7, 2):  # of the rounds; the median is 2
            for number, _ in enumerate(order.settings):
                rows = 500.0 if number == 4 else 100.0
                yield [
                    Load(clients, factor * rows, factor * 1.0, factor * 3.0)
                    for clients in order.clients
                ]

    monkeypatch.setattr(batching_load, "run", run)
    lines: list[str] = []
    chosen = batching_sweep.tune(str(tmp_path), PARAMETERS, tell=lines.append)
    assert chosen == dataclasses.replace(PARAMETERS, allowed_batch_sizes=())
    ((folder, order),) = orders
    assert folder == str(tmp_path)
    assert order.rounds == 3
    assert lines[:3] == [
        f"batching: round {k} of 3 measured" for k in (1, 2, 3)
    ]
    assert "1 at a time" in lines[4]
    assert "64 at a time" in lines[4]
    assert len(lines) == 5 + 12
    (marked,) = [line for line in lines if line.endswith("<- chosen")]
    assert marked.split()[:6] == ["64", "nothing", "0", "1,000", "6.00", "ms"]
    path = tmp_path / "assets.extra" / "batching_sweep.json"
    record = json.loads(path.read_text())
    assert record["signature"] == "serving_default"
    assert [p["chosen"] for p in record["points"]].index(True) == 4
    assert record["points"][4]["parameters"]["allowed_batch_sizes"] == []
    assert record["points"][0]["loads"][2] == {
        "clients": 64,
        "rows_per_second": 200.0,
        "p50_ms": 2.0,
        "p99_ms": 6.0,
    }
