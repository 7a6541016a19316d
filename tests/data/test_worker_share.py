"""A worker's share of a streamed batch: its rows, and no others' work."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import replicas
from tfvae.data.split import StreamSplit
from tfvae.replicas import WorkerShare, own_rows

X = np.random.default_rng(4).integers(1, 256, [11, 3, 2, 1], np.uint8)
Y = 1 + np.arange(11) % 3
SEED = tf.constant([3, 5], tf.int64)
# Of a batch of 10 on 4 replicas: 3, 3, 3 and 1; of 4: 1 each; of 2: 1, 1, 0, 0;
# as numpy cuts them.
SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13]


def parts(values: np.ndarray, num: int) -> list[np.ndarray]:
    """Returns equally large pieces but for the last ones."""
    most = int(np.ceil(len(values) / num))
    return [values[n * most : (n + 1) * most] for n in range(num)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("num_workers", "own"), [(2, 2), (3, 1), (2, 1)])
def test_rows_are_those_of_the_workers_replicas(
    num_workers: int, own: int, size: int
) -> None:
    num = num_workers * own
    seen = []
    for worker in range(num_workers):
        share = WorkerShare(worker * own, (worker + 1) * own, num)
        first, end = (int(row) for row in share.rows(tf.constant(size)))
        expected = parts(np.arange(size), num)[
            worker * own : (worker + 1) * own
        ]
        assert list(range(first, end)) == list(np.concatenate(expected))
        seen += range(first, end)
    assert seen == list(range(size))


@pytest.mark.parametrize("size", [2, 5, 10])
def test_replicas_get_the_rows_they_would_take_themselves(size: int) -> None:
    x, y = np.arange(2 * size).reshape(size, 2), np.arange(size) * 3
    batch = {"x": tf.constant(x), "y": tf.constant(y)}
    given = [
        rows
        for first in (0, 2)
        for rows in WorkerShare(first, first + 2, 4).of_replicas(batch)
    ]
    assert len(given) == 4
    for rows, of_x, of_y in zip(given, parts(x, 4), parts(y, 4), strict=True):
        np.testing.assert_array_equal(rows["x"], of_x)
        np.testing.assert_array_equal(rows["y"], of_y)


def test_rows_that_replicas_take_themselves() -> None:
    strategy = replicas(4)
    for size in (2, 5, 10):  # as those above
        taken = strategy.experimental_local_results(
            strategy.run(own_rows, (tf.range(size),))
        )
        for rows, own in zip(taken, parts(np.arange(size), 4), strict=True):
            np.testing.assert_array_equal(rows, own)


def test_share_of_all_is_told_from_a_part() -> None:
    assert WorkerShare(0, 3, 3).is_all
    assert not WorkerShare(0, 2, 3).is_all
    assert not WorkerShare(1, 3, 3).is_all


class Decoder:
    """Decodes records, and keeps which."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, record: dict) -> tuple[tf.Tensor, tf.Tensor]:
        def note(index: np.ndarray) -> np.ndarray:
            self.seen.append(int(index))
            return index

        index = tf.numpy_function(note, [record["index"]], tf.int64)
        index = tf.ensure_shape(index, [])
        return record["x"], record["y"] + 0 * index


def make_split(decode: Decoder, share: WorkerShare | None) -> StreamSplit:
    records = {"x": X, "y": Y, "index": np.arange(11)}
    elements = tf.data.Dataset.from_tensor_slices(records)
    return StreamSplit(elements, decode, 11, 255.0, 5, share=share)


def test_worker_decodes_its_rows_alone() -> None:
    def batches(decode: Decoder, share: WorkerShare | None) -> list:
        split = make_split(decode, share)
        dataset = split.shuffled(4, SEED, labelled=True)
        return list(dataset.as_numpy_iterator())

    whole = batches(Decoder(), None)
    seen = []
    for worker in range(3):
        decode = Decoder()
        for (x, y), (all_x, all_y) in zip(
            batches(decode, WorkerShare(worker, worker + 1, 3)),
            whole,
            strict=True,
        ):
            own = parts(np.arange(len(all_x)), 3)[worker]
            others = np.setdiff1d(np.arange(len(all_x)), own)
            assert x.dtype == np.uint8
            np.testing.assert_array_equal(x[own], all_x[own])
            np.testing.assert_array_equal(y[own], all_y[own])
            assert not x[others].any()
            assert not y[others].any()
        seen += decode.seen
    assert sorted(seen) == list(range(11))


def test_worker_of_all_replicas_decodes_all() -> None:
    decode = Decoder()
    split = make_split(decode, WorkerShare(0, 2, 2))
    x = np.concatenate(list(split.ordered(4).as_numpy_iterator()))
    np.testing.assert_array_equal(x, X)
    assert sorted(decode.seen) == list(range(11))
