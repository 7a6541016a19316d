"""Shuffles, the discriminator's loss, and who learns from which gradient."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.draws import (
    BATCH,
    SEED,
    assert_devices_agree,
    make_draws,
    make_inputs,
)
from tfvae.objectives.factor import Factor, discriminator_loss, permute_dims

TC_WEIGHT = 6.0
KERNEL, BIAS = np.array([[0.5], [-2.0]]), np.array([0.25])


def linear_factor() -> Factor:
    """Its discriminator is logit = z @ KERNEL + BIAS."""
    objective = Factor(TC_WEIGHT, latent_dim=2, hidden_units=())
    objective.adversary.set_weights([KERNEL, BIAS])
    return objective


def seeded_factor() -> Factor:
    tf_keras.utils.set_random_seed(3)
    return Factor(TC_WEIGHT, latent_dim=2, hidden_units=(7, 3))


def linear_logit(z: np.ndarray) -> np.ndarray:
    return z @ KERNEL[:, 0] + BIAS[0]


def permuted(z: np.ndarray, seed: tuple[int, int] = SEED) -> np.ndarray:
    return permute_dims(
        tf.constant(z, tf.float32), tf.constant(seed, tf.int64)
    ).numpy()


def test_each_dimension_keeps_its_own_values() -> None:
    z = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(np.sort(permuted(z), axis=0), z)


def test_dimensions_are_shuffled_apart() -> None:
    num_rows = 4000
    column = np.random.default_rng(1).normal(size=num_rows)
    z = np.stack([column, column, column], axis=1)
    correlation = np.corrcoef(np.c_[z[:, :1], permuted(z)], rowvar=False)
    # A correlation of n independent pairs has standard error 1 / sqrt(n).
    np.testing.assert_allclose(
        correlation, np.eye(4), atol=5 / np.sqrt(num_rows)
    )


def test_seed_alone_says_how_they_are_shuffled() -> None:
    z = np.random.default_rng(2).normal(size=[50, 3])
    np.testing.assert_array_equal(permuted(z), permuted(z))
    assert (permuted(z) != permuted(z, (SEED[0], SEED[1] + 1))).any()


def test_every_order_is_equally_likely() -> None:
    num_shuffles, z = 3000, tf.constant([[0.0], [1.0], [2.0]])
    seeds = tf.stack([tf.range(num_shuffles), tf.ones(num_shuffles, tf.int32)])
    shuffled = tf.function(
        lambda seeds: tf.map_fn(
            lambda seed: permute_dims(z, seed), seeds, tf.float32
        )
    )(tf.transpose(seeds))
    orders = shuffled.numpy()[:, :, 0] @ [100, 10, 1]
    _, counts = np.unique(orders, return_counts=True)
    # Six orders, each binomial with p = 1/6.
    standard_error = np.sqrt(num_shuffles * 1 / 6 * 5 / 6)
    assert len(counts) == 6
    assert np.abs(counts - num_shuffles / 6).max() < 5 * standard_error


def test_discriminators_loss_is_the_mean_cross_entropy() -> None:
    logit = np.array([0.3, -2.0, 40.0])
    permuted_logit = np.array([-1.0, 0.5, -50.0])
    loss = discriminator_loss(
        tf.constant(logit, tf.float32), tf.constant(permuted_logit, tf.float32)
    )
    expected = (
        np.log1p(np.exp(-logit)) / 2 + np.log1p(np.exp(permuted_logit)) / 2
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-7)


def test_discriminator_that_knows_nothing_loses_log_two() -> None:
    loss = discriminator_loss(tf.zeros(3), tf.zeros(3))
    np.testing.assert_allclose(loss, np.full(3, np.log(2)), rtol=1e-6)


def test_losses_agree_with_numpy() -> None:
    inputs = make_inputs()
    draws = make_draws(inputs)
    losses = linear_factor()(draws)
    z = inputs.loc + inputs.scale * inputs.eps[0]
    np.testing.assert_allclose(
        losses.model,
        inputs.distortion.mean(axis=0) + draws.kl + TC_WEIGHT * linear_logit(z),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        losses.adversary,
        np.log1p(np.exp(-linear_logit(z))) / 2
        + np.log1p(np.exp(linear_logit(permuted(z)))) / 2,
        rtol=1e-5,
    )
    assert losses.model.shape == losses.adversary.shape == [BATCH]
    assert losses.encoder is None


def test_models_gradient_runs_through_the_discriminator() -> None:
    inputs = make_inputs()
    loc = tf.constant(inputs.loc)
    with tf.GradientTape() as tape:
        tape.watch(loc)
        draws = make_draws(inputs._replace(loc=loc))
        tc = linear_factor()(draws).model - draws.kl
    expected = np.tile(TC_WEIGHT * KERNEL[:, 0], [BATCH, 1])
    np.testing.assert_allclose(tape.gradient(tc, loc), expected, rtol=1e-5)


def test_adversarys_loss_moves_the_adversary_alone() -> None:
    inputs = make_inputs()
    loc, objective = tf.constant(inputs.loc), seeded_factor()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(loc)
        loss = objective(make_draws(inputs._replace(loc=loc))).adversary
    assert tape.gradient(loss, loc) is None
    gradients = tape.gradient(loss, objective.adversary.trainable_variables)
    assert len(gradients) == 6
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_discriminator_is_dense_and_leaky() -> None:
    objective = Factor(TC_WEIGHT, latent_dim=2, hidden_units=(1,))
    one = [np.array([[1.0], [0.0]]), np.zeros(1)]
    objective.adversary.set_weights([*one, np.array([[3.0]]), np.array([0.5])])
    logit = objective.adversary(tf.constant([[2.0, 9.0], [-2.0, 9.0]]))
    # 3 * 2 + 0.5, 3 * (0.2 * -2) + 0.5
    np.testing.assert_allclose(logit, [[6.5], [-0.7]], rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "num_parameters"),
    [
        # (4 + 1) 256 + 2 (256 + 1) 256 + (256 + 1)
        ({}, 1280 + 131584 + 257),
        # (4 + 1) 7 + (7 + 1) 3 + (3 + 1)
        ({"hidden_units": (7, 3)}, 35 + 24 + 4),
    ],
    ids=["default", "small"],
)
def test_discriminator_has_the_layers_asked_for(
    settings: dict[str, tuple[int, ...]], num_parameters: int
) -> None:
    objective = Factor(TC_WEIGHT, latent_dim=4, **settings)
    assert objective.adversary.count_params() == num_parameters


def test_mean_logit_learns_the_total_correlation() -> None:
    correlation, batch, num_steps = 0.8, 512, 400
    mixing = [[1.0, 0.0], [correlation, np.sqrt(1 - correlation**2)]]
    objective = Factor(TC_WEIGHT, latent_dim=2, hidden_units=(32, 32))
    optimizer = tf_keras.optimizers.Adam(
        tf_keras.optimizers.schedules.CosineDecay(0.01, num_steps)
    )
    draws = make_draws(make_inputs(batch=1))

    @tf.function
    def train(index: tf.Tensor) -> tf.Tensor:
        eps = tf.random.stateless_normal([batch, 2], [index, 1])
        z = tf.linalg.matvec(mixing, eps)
        share = draws._replace(z=z[tf.newaxis], seed=tf.stack([index, 2]))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(objective(share).adversary)
        variables = objective.adversary.trainable_variables
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return tf.reduce_mean(objective.adversary(z))

    logits = [float(train(tf.constant(index))) for index in range(num_steps)]
    # TC of a normal: -1/2 log det of its correlation matrix; 0.51.
    expected = -np.log(1 - correlation**2) / 2
    assert abs(np.mean(logits[-100:]) - expected) < 0.05


@pytest.mark.slow
def test_two_devices_agree_with_one() -> None:
    assert_devices_agree(seeded_factor)
