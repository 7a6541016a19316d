"""Batches in several threads, also while their session is closed."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from export.codes import Code
from export.server.errors import ServingError
from tests.export.server import batching_sessions, served_models
from tests.export.server.batching_sessions import (
    HOUR,
    TenTimes,
    floats,
    send,
)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def make(pool: ThreadPoolExecutor) -> Iterator[Callable]:
    """Makes sessions, and closes them before the pool waits for them."""
    with batching_sessions.making() as make:
        yield make


def test_closing_runs_what_waits(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    batching, session = make(max_batch_size=6, batch_timeout_micros=HOUR)
    future = send(pool, batching, 1, 2)
    batching.close()
    assert future.result(10)[0].tolist() == [10, 20]
    assert session.closed
    with pytest.raises(ServingError, match="unloaded") as caught:
        batching.run({"x:0": floats(1)}, ["y:0"])
    assert caught.value.code == Code.UNAVAILABLE


def test_closing_waits_for_what_runs(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    class Late(TenTimes):
        def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
            time.sleep(0.05)
            self.was_closed = self.closed
            return super().run(feeds, fetches)

    batching, session = make(Late(), max_batch_size=6)
    future = send(pool, batching, 1, 2)
    batching.close()
    assert future.result(10)[0].tolist() == [10, 20]
    assert not session.was_closed


def test_a_batch_that_finds_no_memory_fails_its_requests(
    make: Callable,
) -> None:
    class Full(TenTimes):
        def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
            raise MemoryError

    batching, _ = make(Full(), max_batch_size=6)
    for _ in range(3):  # more than there are threads
        with pytest.raises(MemoryError):
            batching.run({"x:0": floats(1)}, ["y:0"])


def test_batches_run_at_once_in_several_threads(
    make: Callable, pool: ThreadPoolExecutor
) -> None:
    meeting = threading.Barrier(2)

    class Meets(TenTimes):
        def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
            meeting.wait(10)
            return super().run(feeds, fetches)

    batching, _ = make(Meets(), max_batch_size=1)
    futures = [send(pool, batching, row) for row in (1, 2)]
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
