"""Order, skipping and draws of the batches that a model sees."""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfvae.data import pipeline
from tfvae.data.split import ArraySplit, Split, StreamSplit

NUM_EXAMPLES, BATCH, STEPS = 11, 4, 3
IDS = np.arange(NUM_EXAMPLES, dtype=np.uint8)
X = np.tile(IDS.reshape(-1, 1, 1, 1), [1, 6, 5, 1])  # pixel = the example's id


def array_split() -> ArraySplit:
    return ArraySplit(X, None, 255.0)


def stream_split() -> StreamSplit:
    elements = tf.data.Dataset.from_tensor_slices({"x": X})
    return StreamSplit(
        elements,
        lambda record: (record["x"], tf.constant(-1, tf.int64)),
        NUM_EXAMPLES,
        255.0,
        shuffle_buffer=100,
    )


SPLITS = pytest.mark.parametrize("make", [array_split, stream_split])


def ids_of(batch: np.ndarray) -> list[int]:
    return (batch[:, 0, 0, 0] * 255).round().astype(int).tolist()


def train(split: Split, **options) -> list[np.ndarray]:
    options = {"seed": 3, "num_epochs": 3} | options
    batches = pipeline.train_batches(split, BATCH, **options)
    return list(batches.as_numpy_iterator())


@functools.cache
def all_steps(make: Callable[[], Any], binarize: str) -> list[np.ndarray]:
    return train(make(), binarize=binarize)


def orders(split: Split, **options) -> list[list[int]]:
    """Order of the examples in each epoch."""
    ids = [ids_of(batch) for batch in train(split, **options)]
    return [
        list(itertools.chain(*ids[k : k + STEPS]))
        for k in range(0, len(ids), STEPS)
    ]


@SPLITS
def test_every_example_comes_once_an_epoch_in_the_unit_range(
    make: Callable[[], Any],
) -> None:
    batches = train(make())
    assert [len(batch) for batch in batches] == [4, 4, 3] * 3
    assert batches[0].dtype == np.float32
    assert batches[0].max() <= 10 / 255
    for order in orders(make()):
        assert sorted(order) == list(range(NUM_EXAMPLES))


@SPLITS
def test_epochs_differ_in_order(make: Callable[[], Any]) -> None:
    assert len(set(map(tuple, orders(make())))) == 3


@SPLITS
def test_order_depends_on_the_seed(make: Callable[[], Any]) -> None:
    first = orders(make())
    assert orders(make()) == first
    assert orders(make(), seed=4) != first


@SPLITS
def test_a_dataset_iterated_twice_gives_the_same(
    make: Callable[[], Any],
) -> None:
    batches = pipeline.train_batches(make(), BATCH, seed=3, num_epochs=2)
    first, second = (
        np.concatenate(list(batches.as_numpy_iterator())) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@SPLITS
def test_order_of_an_epoch_depends_on_neither_run_length_nor_start(
    make: Callable[[], Any],
) -> None:
    long = orders(make(), num_epochs=4)
    assert orders(make(), num_epochs=2) == long[:2]
    assert orders(make(), num_epochs=4, first_step=2 * STEPS) == long[2:]


@SPLITS
@pytest.mark.parametrize("binarize", ["none", "dynamic"])
@pytest.mark.parametrize("first_step", [2, 3, 7, 9])
def test_first_step_leaves_out_exactly_what_is_done(
    make: Callable[[], Any], first_step: int, binarize: str
) -> None:
    whole = all_steps(make, binarize)
    rest = train(make(), binarize=binarize, first_step=first_step)
    assert len(rest) == 9 - first_step
    for expected, batch in zip(whole[first_step:], rest, strict=True):
        np.testing.assert_array_equal(batch, expected)


def grey_split(probs: list[float], size: int = 2000) -> ArraySplit:
    x = np.tile(np.array(probs, np.float32), [size, 1])
    return ArraySplit(x.reshape(size, -1, 1, 1), None, 1.0)


def epochs_of(probs: list[float], seed: int = 3, **options) -> np.ndarray:
    split = grey_split(probs)
    batches = pipeline.train_batches(
        split, 700, seed=seed, num_epochs=3, **options
    )
    x = np.concatenate(list(batches.as_numpy_iterator()))
    return x.reshape(3, 2000, -1)


def test_dynamic_draws_have_the_pixels_mean_and_differ_by_epoch() -> None:
    x = epochs_of([0.0, 0.2, 0.7, 1.0], binarize="dynamic")
    assert set(np.unique(x)) == {0, 1}
    np.testing.assert_array_equal(x[..., 0], 0)
    np.testing.assert_array_equal(x[..., 3], 1)
    # Five standard errors: 5 * sqrt(0.25 / 2000) = 0.056.
    np.testing.assert_allclose(
        x.mean(axis=1), [[0, 0.2, 0.7, 1]] * 3, atol=0.056
    )
    # Draws of two epochs, and of two batches of one, are uncorrelated.
    for first, second in [(x[0], x[1]), (x[1], x[2]),
                          (x[0, :700], x[0, 700:1400])]:  # fmt: skip
        correlation = np.corrcoef(first[:, 2], second[:, 2])[0, 1]
        assert abs(correlation) < 5 / np.sqrt(len(first))
    correlation = np.corrcoef(x[0, :, 1], x[0, :, 2])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(2000)


def test_dynamic_draws_depend_on_the_seed() -> None:
    first, again, other = (
        epochs_of([0.5], seed=seed, binarize="dynamic") for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("binarize", ["none", "static"])
def test_only_dynamic_draws_in_the_pipeline(binarize: str) -> None:
    np.testing.assert_array_equal(
        np.unique(epochs_of([0.2, 0.7], binarize=binarize)),
        np.array([0.2, 0.7], np.float32),
    )


@SPLITS
@pytest.mark.parametrize("binarize", ["none", "dynamic"])
def test_eval_batches_are_the_same_at_every_call_and_pass(
    make: Callable[[], Any], binarize: str
) -> None:
    def batches() -> tf.data.Dataset:
        return pipeline.eval_batches(make(), BATCH, seed=3, binarize=binarize)

    dataset = batches()
    first = list(dataset.as_numpy_iterator())
    for other in (dataset, batches()):
        for expected, batch in zip(first, other, strict=True):
            np.testing.assert_array_equal(batch, expected)
    assert [len(batch) for batch in first] == [4, 4, 3]
    assert dataset.cardinality() == 3


@SPLITS
def test_eval_batches_keep_the_sources_order_and_range(
    make: Callable[[], Any],
) -> None:
    batches = pipeline.eval_batches(make(), BATCH, seed=3)
    x = np.concatenate(list(batches.as_numpy_iterator()))
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, X.astype(np.float32) / np.float32(255))


def test_eval_draws_of_dynamic_have_the_pixels_mean() -> None:
    batches = pipeline.eval_batches(
        grey_split([0.2, 0.7]), 700, seed=3, binarize="dynamic"
    )
    x = np.concatenate(list(batches.as_numpy_iterator())).reshape(2000, 2)
    assert set(np.unique(x)) == {0, 1}
    np.testing.assert_allclose(x.mean(axis=0), [0.2, 0.7], atol=0.056)
    correlation = np.corrcoef(x[:700, 1], x[700:1400, 1])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(700)


def test_eval_draws_are_not_those_of_training() -> None:
    split = grey_split([0.5])
    options = {"seed": 3, "binarize": "dynamic"}
    drawn = pipeline.eval_batches(split, 2000, **options)
    trained = pipeline.train_batches(split, 2000, num_epochs=1, **options)
    first, second = (
        next(x.as_numpy_iterator()).ravel() for x in (drawn, trained)
    )
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(2000)


@pytest.mark.parametrize(
    ("batch_size", "count"), [(1, 11), (4, 3), (10, 2), (11, 1), (12, 1)]
)
def test_short_last_batch_counts_as_one(batch_size: int, count: int) -> None:
    assert pipeline.num_batches(array_split(), batch_size) == count
    batches = pipeline.eval_batches(array_split(), batch_size, seed=0)
    assert len(list(batches)) == count


def labelled(make: Callable[[], Any]) -> Split:
    """Returns the split with the example's id as its label."""
    if make is array_split:
        return dataclasses.replace(make(), y=IDS.astype(np.int64))
    return dataclasses.replace(
        make(),
        decode=lambda record: (
            record["x"],
            tf.cast(record["x"][0, 0, 0], "int64"),
        ),
    )


@SPLITS
@pytest.mark.parametrize("first_step", [0, 4])
def test_label_comes_with_its_example(
    make: Callable[[], Any], first_step: int
) -> None:
    split = labelled(make)
    trained = train(split, condition="label", first_step=first_step)
    fixed = pipeline.eval_batches(split, BATCH, seed=3, condition="label")
    assert len(trained) == 9 - first_step
    for x, y in (*trained, *fixed.as_numpy_iterator()):
        assert ids_of(x) == y.tolist()
        assert y.dtype == np.int64


@SPLITS
def test_masks_are_drawn_anew_each_epoch_and_once_for_evaluation(
    make: Callable[[], Any],
) -> None:
    pairs = train(make(), condition="mask", mask="scattered")
    masks = [mask for _, mask in pairs]
    assert [mask.shape for mask in masks[:3]] == [
        (4, 6, 5, 1), (4, 6, 5, 1), (3, 6, 5, 1),
    ]  # fmt: skip
    flat = np.concatenate(masks).reshape(33, -1)
    assert len(np.unique(flat, axis=0)) > 25
    fixed = [
        list(
            pipeline.eval_batches(
                make(), BATCH, seed=seed, condition="mask", mask="scattered"
            ).as_numpy_iterator()
        )
        for seed in (3, 3, 4)
    ]
    for (x, mask), (x_again, again), (_, other) in zip(*fixed, strict=True):
        np.testing.assert_array_equal(x, x_again)
        np.testing.assert_array_equal(mask, again)
        assert not np.array_equal(mask, other)


@SPLITS
def test_masks_go_on_where_a_run_was_broken_off(
    make: Callable[[], Any],
) -> None:
    whole = train(make(), condition="mask")
    rest = train(make(), condition="mask", first_step=5)
    for (_, expected), (_, mask) in zip(whole[5:], rest, strict=True):
        np.testing.assert_array_equal(mask, expected)
