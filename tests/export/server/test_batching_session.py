"""Concurrent runs joined into batches."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from export.c_api import TensorFlowError
from export.protos import meta_graph_pb2
from export.server.errors import ServingError
from export.server.metrics import Metrics
from tests.export.server import batching_sessions
from tests.export.server.batching_sessions import HOUR, Told, floats, send


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def make(pool: ThreadPoolExecutor) -> Iterator[Callable]:
    """Makes sessions, and closes them before the pool waits for them."""
    with batching_sessions.making() as make:
        yield make


def test_requests_that_fill_a_batch_run_as_one(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    batching, session = make(max_batch_size=6, batch_timeout_micros=HOUR)
    requests = ((1,), (2, 3), (4, 5, 6))
    futures = [send(pool, batching, *rows) for rows in requests]
    for rows, future in zip(requests, futures, strict=True):
        (y,) = future.result(10)
        np.testing.assert_array_equal(y, 10 * floats(*rows))
    (feeds,) = session.runs
    assert feeds["x:0"].tolist() == [1, 2, 3, 4, 5, 6]


def test_a_batch_waits_for_its_time_out(make: Callable) -> None:
    metrics = Metrics()
    batching, session = make(
        max_batch_size=6, batch_timeout_micros=50_000, metrics=metrics
    )
    start = time.monotonic()
    batching.run({"x:0": floats(1, 2)}, ["y:0"])
    assert time.monotonic() - start >= 0.05
    assert [len(feeds["x:0"]) for feeds in session.runs] == [2]
    name = ":tensorflow:serving:batching_session:queuing_latency"
    text = metrics.text()
    below = f"{100 * 1.2**34:g}"  # 49 ms
    assert f'{name}_bucket{{thread_pool_name="",le="{below}"}} 0\n' in text
    assert f'{name}_count{{thread_pool_name=""}} 1\n' in text


def test_a_batch_is_padded_and_cut(make: Callable) -> None:
    metrics = Metrics()
    batching, session = make(
        max_batch_size=6, allowed_batch_sizes=(4, 6), metrics=metrics
    )
    y, x = batching.run({"x:0": floats(1, 2, 3)}, ["y:0", "x:0"])
    assert (y.tolist(), x.tolist()) == ([10, 20, 30], [1, 2, 3])
    assert session.runs[0]["x:0"].tolist() == [1, 2, 3, 1]
    name = ":tensorflow:serving:batching:padding_size_v2_sum"
    labels = 'model_name="",execution_batch_size="4",op_name=""'
    assert f"{name}{{{labels}}} 1\n" in metrics.text()


def test_other_tensors_wait_in_another_queue(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    batching, session = make(max_batch_size=3, batch_timeout_micros=HOUR)
    send(pool, batching, 1, 2)
    inputs = Told(x=floats(4, 5, 6))
    (x,) = batching.run(inputs, ["x:0"])
    assert x.tolist() == [4, 5, 6]
    assert len(session.runs) == 1


def test_neighbours_fail_together(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    batching, session = make(max_batch_size=5, batch_timeout_micros=HOUR)
    futures = [send(pool, batching, 1, 2), send(pool, batching, 3, -4, 5)]
    for future in futures:
        with pytest.raises(TensorFlowError, match="x is negative"):
            future.result(10)
    assert len(session.runs) == 1
    assert batching.run({"x:0": floats(1, 2, 3, 4, 5)}, ["y:0"])[0][4] == 50


def test_neighbours_of_other_shapes_fail_together(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    batching, session = make(max_batch_size=3, batch_timeout_micros=HOUR)
    future = send(pool, batching, 1, 2)
    with pytest.raises(ServingError, match="different shapes"):
        batching.run({"x:0": np.ones((1, 2), np.float32)}, ["y:0"])
    with pytest.raises(ServingError, match="different shapes"):
        future.result(10)
    assert session.runs == []


def test_rows_of_other_shapes_are_padded_where_told(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    batching, _ = make(
        max_batch_size=3,
        batch_timeout_micros=HOUR,
        pad_variable_length_inputs=True,
    )
    inputs = Told(x=np.array([[1.0], [2.0]]))
    future = pool.submit(batching.run, inputs, ["y:0"])
    assert inputs.queued.wait(10)
    (y,) = batching.run({"x:0": np.array([[3.0, 4.0]])}, ["y:0"])
    assert y.tolist() == [[30, 40]]
    assert future.result(10)[0].tolist() == [[10, 10], [20, 10]]


def test_a_large_request_runs_in_parts(make: Callable) -> None:
    batching, session = make(
        max_batch_size=20,
        enable_large_batch_splitting=True,
        max_execution_batch_size=4,
    )
    x = np.arange(11, dtype=np.float32)
    (y,) = batching.run({"x:0": x}, ["y:0"])
    np.testing.assert_array_equal(y, 10 * x)
    sizes = sorted(len(feeds["x:0"]) for feeds in session.runs)
    assert sizes == [3, 4, 4]


def test_a_part_that_fails_fails_the_request(make: Callable) -> None:
    batching, _ = make(
        max_batch_size=20,
        enable_large_batch_splitting=True,
        max_execution_batch_size=4,
    )
    with pytest.raises(TensorFlowError, match="x is negative"):
        batching.run({"x:0": floats(1, 2, 3, 4, 5, -6)}, ["y:0"])


def test_what_is_too_large_or_has_no_rows_is_refused_at_once(
    make: Callable,
) -> None:
    batching, _ = make(max_batch_size=8, batch_timeout_micros=HOUR)
    for rows, message in (
        (9, "Task size 9 is larger than maximum input batch size 8"),
        (0, "must have at least one row"),
    ):
        with pytest.raises(ServingError, match=message):
            batching.run({"x:0": floats(*range(rows))}, ["y:0"])


def test_only_the_signatures_tensors_are_joined(make: Callable) -> None:
    signature = meta_graph_pb2.SignatureDef()
    signature.inputs["x"].name = "x:0"
    signature.outputs["b"].name = "y:0"
    signature.outputs["a"].name = "x:0"
    batching, session = make(
        max_batch_size=4, allowed_batch_sizes=(4,), signatures=[signature]
    )
    batching.run({"x:0": floats(1, 2, 3)}, ["y:0", "x:0"])
    (rows,) = batching.run({"x:0": floats(1, 2, 3)}, ["rows:0"])
    batching.run({"x:0": floats(1, 2, 3)}, ["y:0"])
    assert [len(feeds["x:0"]) for feeds in session.runs] == [4, 3, 3]
    assert rows == 3


def test_outputs_without_a_row_each_are_refused(make: Callable) -> None:
    batching, _ = make(max_batch_size=4)
    with pytest.raises(ServingError, match="has 0 dimensions"):
        batching.run({"x:0": floats(1, 2, 3)}, ["rows:0"])
