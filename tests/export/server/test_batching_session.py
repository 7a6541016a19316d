"""Concurrent runs joined into batches."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from export.batching import BatchingParameters
from export.c_api import TensorFlowError
from export.codes import Code
from export.protos import meta_graph_pb2
from export.server.batching_session import BatchingSession
from export.server.errors import ServingError
from export.server.metrics import Metrics
from tests.export.server import served_models

HOUR = 3_600_000_000  # micros


class _TenTimes:
    """A session that computes y = 10 x, and notes what it ran."""

    def __init__(self) -> None:
        self.runs: list[dict] = []
        self.closed = False

    def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
        self.runs.append(feeds)
        x = feeds["x:0"]
        if (x < 0).any():
            raise TensorFlowError(Code.INVALID_ARGUMENT, "x is negative")
        values = {"y:0": 10 * x, "x:0": x, "rows:0": np.array(len(x))}
        return [values[name] for name in fetches]

    def close(self) -> None:
        self.closed = True


class _Told(dict):
    """Inputs that tell when they are put into the queue."""

    def __init__(self, **inputs: np.ndarray) -> None:
        super().__init__({f"{k}:0": v for k, v in inputs.items()})
        self.queued = threading.Event()

    def items(self) -> object:
        self.queued.set()
        return super().items()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def make(pool: ThreadPoolExecutor) -> Iterator[Callable]:
    """Makes sessions, and closes them before the pool waits for them."""
    made = []

    def _make(session: object = None, **parameters: object) -> tuple:
        keywords = {
            name: parameters.pop(name)
            for name in ("signatures", "metrics")
            if name in parameters
        }
        session = session or _TenTimes()
        parameters = {"num_batch_threads": 2, **parameters}
        batching = BatchingSession(
            session, BatchingParameters(**parameters), **keywords
        )
        made.append(batching)
        return batching, session

    yield _make
    for batching in made:
        batching.close()


def _x(*rows: float) -> np.ndarray:
    return np.array(rows, np.float32)


def _send(
    pool: ThreadPoolExecutor, batching: BatchingSession, *rows: float
) -> Future:
    """Runs rows in a thread, and waits until they are in the queue."""
    inputs = _Told(x=_x(*rows))
    future = pool.submit(batching.run, inputs, ["y:0"])
    assert inputs.queued.wait(10)
    return future


def test_requests_that_fill_a_batch_run_as_one(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    batching, session = make(max_batch_size=6, batch_timeout_micros=HOUR)
    requests = ((1,), (2, 3), (4, 5, 6))
    futures = [_send(pool, batching, *rows) for rows in requests]
    for rows, future in zip(requests, futures, strict=True):
        (y,) = future.result(10)
        np.testing.assert_array_equal(y, 10 * _x(*rows))
    (feeds,) = session.runs
    assert feeds["x:0"].tolist() == [1, 2, 3, 4, 5, 6]


def test_a_batch_waits_for_its_time_out(make: Callable) -> None:
    metrics = Metrics()
    batching, session = make(
        max_batch_size=6, batch_timeout_micros=50_000, metrics=metrics
    )
    start = time.monotonic()
    batching.run({"x:0": _x(1, 2)}, ["y:0"])
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
    y, x = batching.run({"x:0": _x(1, 2, 3)}, ["y:0", "x:0"])
    assert (y.tolist(), x.tolist()) == ([10, 20, 30], [1, 2, 3])
    assert session.runs[0]["x:0"].tolist() == [1, 2, 3, 1]
    name = ":tensorflow:serving:batching:padding_size_v2_sum"
    labels = 'model_name="",execution_batch_size="4",op_name=""'
    assert f"{name}{{{labels}}} 1\n" in metrics.text()


def test_other_tensors_wait_in_another_queue(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    batching, session = make(max_batch_size=3, batch_timeout_micros=HOUR)
    _send(pool, batching, 1, 2)
    inputs = _Told(x=_x(4, 5, 6))
    (x,) = batching.run(inputs, ["x:0"])
    assert x.tolist() == [4, 5, 6]
    assert len(session.runs) == 1


def test_neighbours_fail_together(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    batching, session = make(max_batch_size=5, batch_timeout_micros=HOUR)
    futures = [_send(pool, batching, 1, 2), _send(pool, batching, 3, -4, 5)]
    for future in futures:
        with pytest.raises(TensorFlowError, match="x is negative"):
            future.result(10)
    assert len(session.runs) == 1
    assert batching.run({"x:0": _x(1, 2, 3, 4, 5)}, ["y:0"])[0][4] == 50


def test_neighbours_of_other_shapes_fail_together(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    batching, session = make(max_batch_size=3, batch_timeout_micros=HOUR)
    future = _send(pool, batching, 1, 2)
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
    inputs = _Told(x=np.array([[1.0], [2.0]]))
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
        batching.run({"x:0": _x(1, 2, 3, 4, 5, -6)}, ["y:0"])


def test_what_is_too_large_or_has_no_rows_is_refused_at_once(
    make: Callable,
) -> None:
    batching, _ = make(max_batch_size=8, batch_timeout_micros=HOUR)
    for rows, message in (
        (9, "Task size 9 is larger than maximum input batch size 8"),
        (0, "must have at least one row"),
    ):
        with pytest.raises(ServingError, match=message):
            batching.run({"x:0": _x(*range(rows))}, ["y:0"])


def test_only_the_signatures_tensors_are_joined(make: Callable) -> None:
    signature = meta_graph_pb2.SignatureDef()
    signature.inputs["x"].name = "x:0"
    signature.outputs["b"].name = "y:0"
    signature.outputs["a"].name = "x:0"
    batching, session = make(
        max_batch_size=4, allowed_batch_sizes=(4,), signatures=[signature]
    )
    batching.run({"x:0": _x(1, 2, 3)}, ["y:0", "x:0"])
    (rows,) = batching.run({"x:0": _x(1, 2, 3)}, ["rows:0"])
    batching.run({"x:0": _x(1, 2, 3)}, ["y:0"])
    assert [len(feeds["x:0"]) for feeds in session.runs] == [4, 3, 3]
    assert rows == 3


def test_outputs_without_a_row_each_are_refused(make: Callable) -> None:
    batching, _ = make(max_batch_size=4)
    with pytest.raises(ServingError, match="has 0 dimensions"):
        batching.run({"x:0": _x(1, 2, 3)}, ["rows:0"])


def test_closing_runs_what_waits(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    batching, session = make(max_batch_size=6, batch_timeout_micros=HOUR)
    future = _send(pool, batching, 1, 2)
    batching.close()
    assert future.result(10)[0].tolist() == [10, 20]
    assert session.closed
    with pytest.raises(ServingError, match="unloaded") as caught:
        batching.run({"x:0": _x(1)}, ["y:0"])
    assert caught.value.code == Code.UNAVAILABLE


def test_closing_waits_for_what_runs(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    class Late(_TenTimes):
        def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
            time.sleep(0.05)
            self.was_closed = self.closed
            return super().run(feeds, fetches)

    batching, session = make(Late(), max_batch_size=6)
    future = _send(pool, batching, 1, 2)
    batching.close()
    assert future.result(10)[0].tolist() == [10, 20]
    assert not session.was_closed


def test_a_batch_that_finds_no_memory_fails_its_requests(
    make: Callable,
) -> None:
    class Full(_TenTimes):
        def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
            raise MemoryError

    batching, _ = make(Full(), max_batch_size=6)
    for _ in range(3):  # more than there are threads
        with pytest.raises(MemoryError):
            batching.run({"x:0": _x(1)}, ["y:0"])


def test_batches_run_at_once_in_several_threads(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    meeting = threading.Barrier(2)

    class Meets(_TenTimes):
        def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
            meeting.wait(10)
            return super().run(feeds, fetches)

    batching, _ = make(Meets(), max_batch_size=1)
    futures = [_send(pool, batching, row) for row in (1, 2)]
    assert [future.result(10)[0].tolist() for future in futures] == [[10], [20]]


def test_rows_of_a_real_model_do_not_depend_on_their_batch(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    servable = served_models.load("decoder")
    info = servable.signatures["sample"]
    seed, z = info.inputs["seed"].name, info.outputs["z"].name

    class Shared:
        """The shared model, which stays open."""

        def __init__(self) -> None:
            self.rows: list[int] = []

        def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
            self.rows.append(len(feeds[seed]))
            return servable.session.run(feeds, fetches)

        def close(self) -> None:
            pass

    seeds = np.arange(40) * 7919
    alone = np.concatenate(
        [servable.session.run({seed: s[None]}, [z])[0] for s in seeds]
    )
    batching, session = make(
        Shared(),
        max_batch_size=32,
        allowed_batch_sizes=(8, 32),
        batch_timeout_micros=1000,
    )

    def check(client: int) -> None:
        random = np.random.RandomState(client)
        for _ in range(15):
            rows = random.randint(0, len(seeds), random.randint(1, 6))
            (own,) = batching.run({seed: seeds[rows]}, [z])
            np.testing.assert_array_equal(own, alone[rows], strict=True)

    for done in [pool.submit(check, client) for client in range(8)]:
        done.result(30)
    assert set(session.rows) <= {8, 32}
    assert len(session.rows) < 8 * 15
