"""Uniform noise on whole levels: its law, its replay, its reach."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfvae.data import pipeline
from tfvae.data.split import ArraySplit, Split, StreamSplit

NUM_EXAMPLES, BATCH, STEPS = 11, 4, 3
IDS = np.arange(NUM_EXAMPLES, dtype=np.uint8)
X = np.tile(IDS.reshape(-1, 1, 1, 1), [1, 6, 5, 1])  # pixel = the example's id
LEVELS = 17.0
SEED = tf.constant([3, 5], tf.int64)


def array_split() -> ArraySplit:
    return ArraySplit(X, None, LEVELS, dequantized=True)


def stream_split() -> StreamSplit:
    elements = tf.data.Dataset.from_tensor_slices({"x": X})
    return StreamSplit(
        elements,
        lambda record: (record["x"], tf.constant(-1, tf.int64)),
        NUM_EXAMPLES,
        LEVELS,
        shuffle_buffer=100,
        dequantized=True,
    )


SPLITS = pytest.mark.parametrize("make", [array_split, stream_split])


def train(split: Split, **options) -> list[np.ndarray]:
    options = {"seed": 3, "num_epochs": 3, "dequantize": True} | options
    batches = pipeline.train_batches(split, BATCH, **options)
    return list(batches.as_numpy_iterator())


def evaluated(split: Split, seed: int = 3, batch_size: int = BATCH):
    batches = pipeline.eval_batches(
        split, batch_size, seed=seed, dequantize=True
    )
    return np.concatenate(list(batches.as_numpy_iterator()))


def noise_of(x: np.ndarray) -> np.ndarray:
    return np.mod(x.astype(np.float64) * LEVELS, 1)


@SPLITS
def test_floor_gives_the_level_back(make: Callable[[], Any]) -> None:
    x = evaluated(make())
    assert x.dtype == np.float32
    assert x.shape == X.shape
    np.testing.assert_array_equal(np.floor(x.astype(float) * LEVELS), X)
    epochs = np.concatenate(train(make())).reshape(3, *X.shape)
    for epoch in np.floor(epochs.astype(float) * LEVELS):
        np.testing.assert_array_equal(epoch[np.argsort(epoch[:, 0, 0, 0])], X)


@pytest.mark.parametrize("levels", [2.0, 17.0, 256.0, 65536.0])
def test_noise_is_uniform_and_never_reaches_the_next_level(
    levels: float,
) -> None:
    k = tf.constant(np.repeat([0, levels - 1], 200_000), tf.float32)
    x = pipeline.uniform_dequantized(k, levels=levels, seed=SEED).numpy()
    assert 0 <= x.min() <= x.max() < 1
    u = x.astype(np.float64) * levels - k.numpy()
    # The grid of float32 is levels / 2^23 wide next to 1.
    assert 0 <= u.min() <= u.max() <= 1 - levels * 2.0**-24
    for half in (u[:200_000], u[200_000:]):
        # The 1e-6 quantile of Kolmogorov's distribution is 2.7 / sqrt(n).
        grid = levels * 2.0**-22
        assert stats.kstest(half, "uniform").statistic < 2.7 / 447 + grid


@pytest.mark.parametrize("is_training", [True, False])
def test_noise_is_drawn_anew_at_each_step(is_training: bool) -> None:
    # Where every level is 0 the noise is x itself, to the last bit.
    split = ArraySplit(np.zeros_like(X), None, LEVELS, dequantized=True)
    batches = train(split) if is_training else [evaluated(split)]
    x = np.concatenate(batches).astype(np.float64)
    assert len(np.unique(x)) > 0.99 * x.size
    error = LEVELS * x.mean() - 0.5
    assert abs(error) < 5 / np.sqrt(12 * x.size)


@SPLITS
@pytest.mark.parametrize("first_step", [2, 3, 7])
def test_resumed_run_draws_what_an_undisturbed_one_would(
    make: Callable[[], Any], first_step: int
) -> None:
    whole, rest = train(make()), train(make(), first_step=first_step)
    assert len(rest) == 3 * STEPS - first_step
    for expected, batch in zip(whole[first_step:], rest, strict=True):
        np.testing.assert_array_equal(batch, expected)


@SPLITS
def test_noise_is_set_by_the_seed(make: Callable[[], Any]) -> None:
    first, again, other = (train(make(), seed=seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.isin(noise_of(other), noise_of(first)).any()
    drawn = evaluated(make())
    np.testing.assert_array_equal(evaluated(make()), drawn)
    assert not np.array_equal(evaluated(make(), seed=4), drawn)


@SPLITS
def test_evaluation_noise_is_drawn_once_for_all_passes(
    make: Callable[[], Any],
) -> None:
    batches = pipeline.eval_batches(make(), BATCH, seed=3, dequantize=True)
    first, second = (
        np.concatenate(list(batches.as_numpy_iterator())) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(noise_of(first))) > 0.99 * first.size


def test_evaluation_noise_is_not_that_of_training() -> None:
    split = ArraySplit(np.zeros([2000, 1], np.uint8), None, 2.0, True)
    drawn = next(
        pipeline.eval_batches(
            split, 2000, seed=3, dequantize=True
        ).as_numpy_iterator()
    )
    batches = pipeline.train_batches(
        split, 2000, seed=3, num_epochs=1, dequantize=True
    )
    trained = next(batches.as_numpy_iterator())
    correlation = np.corrcoef(drawn.ravel(), trained.ravel())[0, 1]
    assert abs(correlation) < 5 / np.sqrt(2000)


def test_streams_and_arrays_are_dequantised_alike() -> None:
    np.testing.assert_array_equal(
        evaluated(array_split()), evaluated(stream_split())
    )


@SPLITS
def test_mean_of_a_split_is_that_of_what_a_model_sees(
    make: Callable[[], Any],
) -> None:
    mean = make().mean()
    np.testing.assert_allclose(mean, np.full([6, 5, 1], (5 + 0.5) / LEVELS))


@SPLITS
def test_split_prepared_otherwise_is_an_error_of_ours(
    make: Callable[[], Any],
) -> None:
    with pytest.raises(AssertionError, match="the split is prepared otherwise"):
        pipeline.eval_batches(make(), BATCH, seed=0)
    plain = ArraySplit(X, None, 255.0)
    with pytest.raises(AssertionError, match="the split is prepared otherwise"):
        pipeline.train_batches(
            plain, BATCH, seed=0, num_epochs=1, dequantize=True
        )
