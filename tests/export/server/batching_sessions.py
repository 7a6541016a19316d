"""Batching sessions over a session that computes y = 10 x."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from export.batching import BatchingParameters
from export.c_api import TensorFlowError
from export.codes import Code
from export.server.batching_session import BatchingSession

HOUR = 3_600_000_000  # micros


class TenTimes:
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


class Told(dict):
    """Inputs that tell when they are put into the queue."""

    def __init__(self, **inputs: np.ndarray) -> None:
        super().__init__({f"{k}:0": v for k, v in inputs.items()})
        self.queued = threading.Event()

    def items(self) -> object:
        self.queued.set()
        return super().items()


@contextlib.contextmanager
def making() -> Iterator[Callable]:
    """Yields what makes sessions, which are closed at the end."""
    made = []

    def make(session: object = None, **parameters: object) -> tuple:
        keywords = {
            name: parameters.pop(name)
            for name in ("signatures", "metrics")
            if name in parameters
        }
        session = session or TenTimes()
        parameters = {"num_batch_threads": 2, **parameters}
        batching = BatchingSession(
            session, BatchingParameters(**parameters), **keywords
        )
        made.append(batching)
        return batching, session

    try:
        yield make
    finally:
        for batching in made:
            batching.close()


def floats(*rows: float) -> np.ndarray:
    """Returns rows of a number each, in float32."""
    return np.array(rows, np.float32)


def send(
    pool: ThreadPoolExecutor, batching: BatchingSession, *rows: float
) -> Future:
    """Runs rows in a thread, and waits until they are in the queue."""
    inputs = Told(x=floats(*rows))
    future = pool.submit(batching.run, inputs, ["y:0"])
    assert inputs.queued.wait(10)
    return future
