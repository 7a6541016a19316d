"""Which requests share a batch, and when it may run."""

import numpy as np
import pytest

from export.batching import BatchingParameters
from export.codes import Code
from export.server.batch_queue import BatchQueue
from export.server.errors import ServingError


def _queue(**parameters: object) -> BatchQueue:
    return BatchQueue(BatchingParameters(**parameters))


def _add(queue: BatchQueue, rows: int, *, now: float = 0.0) -> list[int]:
    """Adds a request of rows 0, 1, ...; returns the rows of its parts."""
    inputs = {"x:0": np.arange(rows), "y:0": np.zeros((rows, 2))}
    return [t.rows for t in queue.add(inputs, rows=rows, now=now)]


def _batches(queue: BatchQueue) -> list[list[int]]:
    """Takes all batches; returns the rows of their tasks."""
    found = []
    while queue.due() is not None:
        found.append([task.rows for task in queue.take().tasks])
    return found


def test_an_empty_queue_is_never_due() -> None:
    queue = _queue()
    assert queue.due() is None
    _add(queue, 3)
    queue.take()
    assert queue.due() is None


def test_requests_are_joined_while_they_fit() -> None:
    queue = _queue(max_batch_size=8)
    for rows in (3, 4, 2, 5, 1, 8, 1):
        assert _add(queue, rows) == [rows]
    assert _batches(queue) == [[3, 4], [2, 5, 1], [8], [1]]


def test_a_batch_is_due_at_the_time_out_of_its_first_request() -> None:
    queue = _queue(max_batch_size=8, batch_timeout_micros=2_500_000)
    _add(queue, 3, now=10.0)
    assert queue.due() == 12.5
    _add(queue, 4, now=11.0)
    assert queue.due() == 12.5
    batch = queue.take()
    assert (batch.rows, batch.start) == (7, 10.0)


def test_a_batch_does_not_wait_unless_told_to() -> None:
    queue = _queue(max_batch_size=8)
    _add(queue, 3, now=10.0)
    assert queue.due() == 10.0


@pytest.mark.parametrize("last", [5, 6])
def test_a_full_batch_is_due_at_once(last: int) -> None:
    queue = _queue(max_batch_size=8, batch_timeout_micros=2_500_000)
    _add(queue, 3, now=10.0)
    _add(queue, last, now=11.0)  # 5 fills the batch, 6 begins another
    assert queue.due() == 10.0
    queue.take()
    assert queue.due() == (None if last == 5 else 13.5)


def test_the_default_limit_is_a_thousand_rows() -> None:
    queue = _queue()
    assert _add(queue, 1000) == [1000]
    with pytest.raises(ServingError) as caught:
        _add(queue, 1001)
    assert caught.value.code == Code.INVALID_ARGUMENT
    assert caught.value.message == (
        "Task size 1001 is larger than maximum input batch size 1000"
    )


def test_a_full_queue_refuses_what_needs_another_batch() -> None:
    queue = _queue(max_batch_size=4, max_enqueued_batches=2)
    for rows in (3, 2):
        _add(queue, rows)
    with pytest.raises(ServingError) as caught:
        _add(queue, 3)
    assert caught.value.code == Code.UNAVAILABLE
    assert caught.value.message == (
        "The batch scheduling queue to which this task was submitted is full; "
        "currently 2 batches enqueued and max_enqueued_batches is 2"
    )
    _add(queue, 2)  # still fits the second
    queue.take()
    _add(queue, 3)
    assert _batches(queue) == [[2, 2], [3]]


def test_ten_batches_may_wait_by_default() -> None:
    queue = _queue(max_batch_size=1)
    for _ in range(10):
        _add(queue, 1)
    with pytest.raises(ServingError, match="max_enqueued_batches is 10"):
        _add(queue, 1)


def test_a_large_request_is_cut_to_fill_batches() -> None:
    queue = _queue(
        max_batch_size=20,
        enable_large_batch_splitting=True,
        max_execution_batch_size=4,
    )
    assert _add(queue, 3) == [3]
    assert _add(queue, 10) == [1, 4, 4, 1]
    assert _add(queue, 3) == [3]
    assert _add(queue, 8) == [4, 4]
    assert _batches(queue) == [[3, 1], [4], [4], [1, 3], [4], [4]]


def test_a_cut_request_keeps_its_rows_in_order() -> None:
    queue = _queue(
        max_batch_size=20,
        enable_large_batch_splitting=True,
        max_execution_batch_size=4,
    )
    _add(queue, 3)
    inputs = {"x:0": np.arange(7), "y:0": np.arange(14).reshape(7, 2)}
    tasks = queue.add(inputs, rows=7, now=0.0)
    assert [len(task.inputs["x:0"]) for task in tasks] == [1, 4, 2]
    for name, array in inputs.items():
        whole = np.concatenate([task.inputs[name] for task in tasks])
        np.testing.assert_array_equal(whole, array)


def test_parts_are_as_large_as_requests_unless_told_otherwise() -> None:
    queue = _queue(max_batch_size=6, enable_large_batch_splitting=True)
    assert _add(queue, 4) == [4]
    assert _add(queue, 5) == [2, 3]


@pytest.mark.parametrize("rows", [15, 20])
def test_a_full_queue_refuses_what_it_cannot_hold_in_parts(rows: int) -> None:
    queue = _queue(
        max_batch_size=20,
        max_enqueued_batches=4,
        enable_large_batch_splitting=True,
        max_execution_batch_size=4,
    )
    _add(queue, 2)
    with pytest.raises(ServingError) as caught:
        _add(queue, rows)
    assert caught.value.code == Code.UNAVAILABLE
    assert caught.value.message == (
        "The batch scheduling queue to which this task was submitted is full; "
        f"task size is {rows} but scheduling capacity is only 14 "
        "(num_enqueued_batches=1, max_enqueued_batches=4, open_batch_size=2, "
        "max_execution_batch_size=4)"
    )
    assert _add(queue, 14) == [2, 4, 4, 4]
    with pytest.raises(ServingError, match="larger than maximum input batch"):
        _add(queue, 21)
