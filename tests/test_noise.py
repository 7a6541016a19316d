"""Noise depends on seed, stream, step and index in the global batch alone."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from tensorflow_probability import distributions as tfd

from tests.conftest import replicas
from tfvae import noise
from tfvae.replicas import BatchShare, batch_share

NUM_DIMS = 3


def draw(
    size: int, *, seed: int = 5, stream: int = noise.TRAIN, step: int = 7
) -> np.ndarray:
    share = BatchShare(tf.constant(0), tf.constant(size))
    return noise.normal(
        seed, stream, tf.constant(step), share, tf.constant(size), NUM_DIMS
    ).numpy()


def draw_on_replicas(sizes: list[int]) -> tuple[np.ndarray, list[int]]:
    """Returns the noise of all replicas in a row, and what each counted."""
    strategy = replicas(len(sizes))
    parts = strategy.experimental_distribute_values_from_function(
        lambda context: tf.zeros([sizes[context.replica_id_in_sync_group], 2])
    )

    @tf.function
    def local(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        share, step = batch_share(x), tf.constant(7)
        size = tf.shape(x)[0]
        eps = noise.normal(5, noise.TRAIN, step, share, size, NUM_DIMS)
        return eps, share.num_examples

    eps, counts = strategy.run(local, args=(parts,))
    return (
        np.concatenate(strategy.experimental_local_results(eps)),
        [int(n) for n in strategy.experimental_local_results(counts)],
    )


@pytest.mark.parametrize(
    "sizes",
    [[9], [5, 4], [3, 2, 2, 2], [1, 8], [7, 2, 0, 0], [0, 9]],
    ids=str,
)
def test_any_number_of_replicas_draws_the_same(sizes: list[int]) -> None:
    eps, counts = draw_on_replicas(sizes)
    np.testing.assert_array_equal(eps, draw(9))
    assert counts == [9] * len(sizes)


@pytest.mark.parametrize("size", [1, 2, 8, 101])
def test_an_examples_noise_does_not_depend_on_the_batch_size(
    size: int,
) -> None:
    np.testing.assert_array_equal(draw(size), draw(200)[:size])


def test_equal_arguments_draw_equal_noise() -> None:
    np.testing.assert_array_equal(draw(5), draw(5))


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 6},
        {"step": 8},
        {"stream": noise.TEST},
        {"stream": noise.SAMPLE},
        {"seed": 5 + 2**32},
        {"step": 7 + 2**20},
    ],
    ids=str,
)
def test_other_seed_stream_or_step_is_uncorrelated(
    other: dict[str, int],
) -> None:
    num_draws = 4000
    one, two = draw(num_draws).ravel(), draw(num_draws, **other).ravel()
    # A correlation of n independent pairs has standard error 1 / sqrt(n).
    correlation = np.corrcoef(one, two)[0, 1]
    assert abs(correlation) < 5 / np.sqrt(one.size)


def test_streams_are_three() -> None:
    assert len({noise.TRAIN, noise.TEST, noise.SAMPLE}) == 3


def test_draws_are_standard_normal_and_independent() -> None:
    eps = draw(10_000)
    assert stats.kstest(eps.ravel(), "norm").pvalue > 0.01
    covariance = np.cov(eps, rowvar=False)
    np.testing.assert_allclose(covariance, np.eye(NUM_DIMS), atol=0.05)


def test_draws_over_steps_are_standard_normal() -> None:
    eps = np.concatenate([draw(2, step=step) for step in range(200)])
    assert stats.kstest(eps.ravel(), "norm").pvalue > 0.01


def test_tfp_takes_every_seed() -> None:
    normal = tfd.Normal(0.0, 1.0)
    largest = 2**32 - 1
    draws = [
        normal.sample(3, seed=noise.tfp_seed(seed, 2)).numpy()
        for seed in (0, 1, 2**31, largest)
    ]
    assert len({draw.tobytes() for draw in draws}) == 4
    again = normal.sample(3, seed=tf.constant([1, 2], tf.int32))
    np.testing.assert_array_equal(draws[1], again)
