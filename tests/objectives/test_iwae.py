"""Importance weights, their bound, and its gradient."""

import numpy as np
import tensorflow as tf
from scipy import special

from tests.draws import (
    LOG_WEIGHTS,
    NUM_SAMPLES,
    make_draws,
    make_inputs,
    numpy_log_weights,
)
from tfvae.objectives import iwae, schedules

KL_WEIGHT = 0.3


def test_log_weights_weigh_the_kl_alone() -> None:
    draws = make_draws(make_inputs())
    for kl_weight in (KL_WEIGHT, 1.0):
        log_weights = iwae.log_weights(draws, tf.constant(kl_weight))
        np.testing.assert_allclose(
            log_weights, numpy_log_weights(kl_weight), rtol=1e-5
        )


def test_bound_is_the_log_of_the_mean_weight() -> None:
    # (1 + 5) / 2 = 3, (2 + 2) / 2 = 2, (0.5 + 1.5) / 2 = 1
    weights = tf.constant([[1.0, 2.0, 0.5], [5.0, 2.0, 1.5]])
    np.testing.assert_allclose(
        iwae.iwae_bound(tf.math.log(weights)), np.log([3, 2, 1]), atol=1e-6
    )


def test_bound_agrees_with_scipy() -> None:
    np.testing.assert_allclose(
        iwae.iwae_bound(tf.constant(LOG_WEIGHTS, tf.float32)),
        special.logsumexp(LOG_WEIGHTS, axis=0) - np.log(6),
        rtol=1e-5,
    )


def test_bound_of_one_draw_is_its_log_weight() -> None:
    log_weights = tf.constant([[-3.0, 0.5, 2.0]])
    np.testing.assert_array_equal(
        iwae.iwae_bound(log_weights), [-3.0, 0.5, 2.0]
    )


def test_bound_neither_over_nor_underflows() -> None:
    log_weights = tf.constant([[-2000.0, 900.0, 0.0]] * 4)
    np.testing.assert_allclose(
        iwae.iwae_bound(log_weights), [-2000.0, 900.0, 0.0], atol=1e-4
    )


def test_loss_is_minus_the_bound() -> None:
    objective = iwae.Iwae(schedules.Constant(KL_WEIGHT))
    log_weights = numpy_log_weights(KL_WEIGHT)
    losses = objective(make_draws(make_inputs()))
    np.testing.assert_allclose(
        losses.model,
        np.log(NUM_SAMPLES) - special.logsumexp(log_weights, axis=0),
        rtol=1e-5,
    )
    assert (losses.encoder, losses.adversary) == (None, None)
    assert objective.adversary is None


def test_kl_weight_is_the_schedules_at_the_step() -> None:
    # Of 10 steps of warm-up, 3 are done.
    losses = iwae.Iwae(schedules.Linear(10))(make_draws(make_inputs()))
    expected = special.logsumexp(numpy_log_weights(0.3), axis=0)
    np.testing.assert_allclose(
        losses.model, np.log(NUM_SAMPLES) - expected, rtol=1e-5
    )


def test_gradient_is_weighted_by_the_normalised_weights() -> None:
    draws = make_draws(make_inputs())
    with tf.GradientTape() as tape:
        tape.watch(draws.distortion)
        loss = iwae.Iwae()(draws).model
    np.testing.assert_allclose(
        tape.gradient(loss, draws.distortion),
        special.softmax(numpy_log_weights(1.0), axis=0),
        rtol=1e-5,
    )
