"""The discrepancy against a double loop; what is left of the KL."""

import numpy as np
import pytest
import tensorflow as tf

from tests.draws import (
    BATCH,
    LATENT_DIM,
    SEED,
    assert_devices_agree,
    make_draws,
    make_inputs,
    numeric_gradient,
)
from tfvae.objectives import mmd

WEIGHT = 8.0


def sample_prior(num: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_normal([num, LATENT_DIM], seed)


def loop_kernel(x: np.ndarray, y: np.ndarray) -> float:
    squared_distance = np.sum((x - y) ** 2)
    widths = [2 * len(x) * s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
    return sum(c / (c + squared_distance) for c in widths)


def loop_mmd(z: np.ndarray, prior_z: np.ndarray) -> float:
    n = len(z)
    total = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                within = loop_kernel(z[i], z[j])
                within += loop_kernel(prior_z[i], prior_z[j])
                total += within / (n * (n - 1))
            total -= 2 * loop_kernel(z[i], prior_z[j]) / n**2
    return total


def test_kernel_is_a_sum_of_inverse_multiquadratics() -> None:
    x = np.random.default_rng(5).normal(size=[3, 2])
    y = np.random.default_rng(6).normal(size=[4, 2])
    expected = [[loop_kernel(a, b) for b in y] for a in x]
    kernel = mmd.kernel(tf.constant(x, tf.float32), tf.constant(y, tf.float32))
    np.testing.assert_allclose(kernel, expected, rtol=1e-5)


def test_kernel_of_a_point_with_itself_is_the_number_of_scales() -> None:
    x = tf.constant([[100.1, -7.3], [0.0, 0.0]])
    np.testing.assert_allclose(tf.linalg.diag_part(mmd.kernel(x, x)), [7, 7])


def test_estimate_agrees_with_a_double_loop() -> None:
    rng = np.random.default_rng(7)
    z, prior_z = rng.normal(1, 2, size=[5, 3]), rng.normal(size=[5, 3])
    estimate = mmd.squared_mmd(
        tf.constant(z, tf.float32), tf.constant(prior_z, tf.float32)
    )
    np.testing.assert_allclose(estimate, loop_mmd(z, prior_z), rtol=1e-5)


@pytest.mark.parametrize(("mean", "is_zero"), [(0.0, True), (0.5, False)])
def test_mean_estimate_is_zero_for_equal_distributions_only(
    mean: float, is_zero: bool
) -> None:
    num_batches, batch = 2000, 4
    z, prior_z = np.random.default_rng(8).normal(
        size=[2, num_batches, batch, LATENT_DIM]
    )
    estimate_all = tf.function(
        lambda *pairs: tf.map_fn(
            lambda pair: mmd.squared_mmd(*pair), pairs, tf.float32
        )
    )
    estimates = estimate_all(
        tf.constant(z + mean, tf.float32), tf.constant(prior_z, tf.float32)
    ).numpy()
    standard_error = estimates.std() / np.sqrt(num_batches)
    assert (abs(estimates.mean()) < 5 * standard_error) == is_zero
    assert estimates.min() < 0


def test_batch_of_one_has_no_estimate() -> None:
    z = tf.constant([[0.5, -2.0]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        estimate = mmd.squared_mmd(z, tf.ones([1, LATENT_DIM]))
    np.testing.assert_array_equal(estimate, 0.0)
    np.testing.assert_array_equal(tape.gradient(estimate, z), [[0.0, 0.0]])


# alpha, what is left of the KL, what the MMD weighs
@pytest.mark.parametrize(
    ("alpha", "kl_weight", "mmd_weight"),
    [(1.0, 0.0, 8.0), (0.0, 1.0, 7.0), (0.25, 0.75, 7.25), (-2.0, 3.0, 5.0)],
)
def test_loss_trades_the_kl_for_the_discrepancy(
    alpha: float, kl_weight: float, mmd_weight: float
) -> None:
    inputs = make_inputs()
    draws = make_draws(inputs)
    objective = mmd.Mmd(WEIGHT, alpha, sample_prior)
    losses = objective(draws)
    prior_z = tf.random.stateless_normal([BATCH, LATENT_DIM], SEED).numpy()
    extra = loop_mmd(inputs.loc + inputs.scale * inputs.eps[0], prior_z)
    np.testing.assert_allclose(
        losses.model,
        inputs.distortion.mean(axis=0)
        + kl_weight * draws.kl
        + mmd_weight * extra,
        rtol=1e-5,
        atol=2e-5,  # rounding of kernels that cancel, of about 7 each
    )
    assert losses.model.shape == [BATCH]
    assert (losses.encoder, losses.adversary) == (None, None)
    assert objective.adversary is None


def test_gradient_moves_the_draws() -> None:
    rng = np.random.default_rng(9)
    start = rng.normal(1, 2, size=[4, 3])
    prior_z = rng.normal(size=[4, 3])
    z = tf.constant(start, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(z)
        estimate = mmd.squared_mmd(z, tf.constant(prior_z, tf.float32))
    np.testing.assert_allclose(
        tape.gradient(estimate, z),
        numeric_gradient(lambda z: loop_mmd(z, prior_z), start),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.slow
def test_two_devices_agree_with_one() -> None:
    assert_devices_agree(lambda: mmd.Mmd(WEIGHT, 0.25, sample_prior))
