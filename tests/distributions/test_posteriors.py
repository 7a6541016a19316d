"""q(z|x): the KL's closed form, the bounded scale, the draw."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

from tests import oracles
from tfvae.distributions import posteriors

tfd = tfp.distributions
RNG = np.random.default_rng(0)
LOC = RNG.normal(size=[3, 2]).astype(np.float32)
LOG_SCALE = RNG.normal(size=[3, 2]).astype(np.float32)
BOUNDED_SCALE = np.exp(7 * np.tanh(LOG_SCALE / 7))


def posterior_layer(*, exact: bool = True) -> posteriors.MultivariateNormalDiag:
    return posteriors.MultivariateNormalDiag(
        posteriors.KLRegularizer(posteriors.standard_normal(2), exact=exact)
    )


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_exact_kl_is_the_closed_form_of_each_example(batch: int) -> None:
    loc = RNG.normal(size=[batch, 2]).astype(np.float32)
    log_scale = RNG.normal(size=[batch, 2]).astype(np.float32)
    layer = posterior_layer()
    qz = layer([loc, log_scale])
    kl = layer.kl_regularizer(qz, tf.zeros([batch, 2]))
    assert kl.shape == [batch]
    scale = np.exp(7 * np.tanh(log_scale / 7))
    expected = oracles.kl_to_standard_normal(loc, scale)
    np.testing.assert_allclose(kl, expected, rtol=1e-5)


def test_kl_is_zero_at_the_prior() -> None:
    layer = posterior_layer()
    qz = layer([tf.zeros([3, 2]), tf.zeros([3, 2])])
    np.testing.assert_array_equal(layer.kl_regularizer(qz, qz.mean()), [0] * 3)


def test_one_draw_kl_is_the_log_ratio_at_z() -> None:
    layer = posterior_layer(exact=False)
    z = RNG.normal(size=[3, 2]).astype(np.float32)
    kl = layer.kl_regularizer(layer([LOC, LOG_SCALE]), z)
    log_q = stats.norm(LOC, BOUNDED_SCALE).logpdf(z).sum(axis=1)
    log_p = stats.norm.logpdf(z).sum(axis=1)
    np.testing.assert_allclose(kl, log_q - log_p, rtol=1e-5)


def test_one_draw_kl_is_right_on_average() -> None:
    num_draws = 20_000
    layer = posterior_layer(exact=False)
    loc, log_scale = (np.tile(a[:1], [num_draws, 1]) for a in (LOC, LOG_SCALE))
    qz = layer([loc, log_scale])
    eps = np.random.default_rng(1).normal(size=[num_draws, 2])
    z = posteriors.reparameterize(qz, tf.constant(eps, tf.float32))
    kl = layer.kl_regularizer(qz, z).numpy()
    expected = oracles.kl_to_standard_normal(LOC[:1], BOUNDED_SCALE[:1])[0]
    standard_error = kl.std() / np.sqrt(num_draws)
    assert abs(kl.mean() - expected) < 5 * standard_error


def test_prior_need_not_be_standard() -> None:
    prior = tfd.MultivariateNormalDiag(loc=[1.0, -2.0], scale_diag=[0.5, 3.0])
    regularizer = posteriors.KLRegularizer(prior)
    kl = regularizer(posterior_layer()([LOC, LOG_SCALE]), tf.zeros([3, 2]))
    # Scaling both by the prior's scale leaves the KL unchanged.
    expected = oracles.kl_to_standard_normal(
        (LOC - [1.0, -2.0]) / [0.5, 3.0], BOUNDED_SCALE / [0.5, 3.0]
    )
    np.testing.assert_allclose(kl, expected, rtol=1e-5)


def test_scale_is_bounded_and_near_one_is_the_exponential() -> None:
    log_scale = tf.constant([[-1e6, -0.01], [1e6, 0.02], [0.0, 0.5]])
    scale = posterior_layer()([tf.zeros([3, 2]), log_scale]).stddev().numpy()
    assert scale.shape == (3, 2)
    np.testing.assert_allclose(scale[:2, 0], np.exp([-7.0, 7.0]), rtol=1e-5)
    np.testing.assert_allclose(scale[:2, 1], np.exp([-0.01, 0.02]), rtol=1e-5)


@pytest.mark.parametrize("value", [-1e6, 1e6])
def test_kl_and_gradient_are_finite_at_extreme_heads(value: float) -> None:
    layer = posterior_layer()
    loc, log_scale = tf.zeros([3, 2]), tf.fill([3, 2], value)
    with tf.GradientTape() as tape:
        tape.watch([loc, log_scale])
        kl = layer.kl_regularizer(layer([loc, log_scale]), loc)
    assert np.isfinite(kl).all()
    for gradient in tape.gradient(kl, [loc, log_scale]):
        assert np.isfinite(gradient).all()


def test_draw_is_location_plus_scale_times_noise() -> None:
    eps = RNG.normal(size=[3, 2]).astype(np.float32)
    z = posteriors.reparameterize(posterior_layer()([LOC, LOG_SCALE]), eps)
    np.testing.assert_allclose(z, LOC + BOUNDED_SCALE * eps, rtol=1e-5)


def test_gradient_passes_through_the_draw() -> None:
    eps = RNG.normal(size=[3, 2]).astype(np.float32)
    loc, log_scale = tf.constant(LOC), tf.constant(LOG_SCALE)
    with tf.GradientTape() as tape:
        tape.watch([loc, log_scale])
        z = posteriors.reparameterize(posterior_layer()([loc, log_scale]), eps)
    by_loc, by_log_scale = tape.gradient(z, [loc, log_scale])
    np.testing.assert_array_equal(by_loc, np.ones([3, 2]))
    # d/ds exp(7 tanh(s / 7)) = exp(7 tanh(s / 7)) (1 - tanh^2(s / 7))
    slope = BOUNDED_SCALE * (1 - np.tanh(LOG_SCALE / 7) ** 2)
    np.testing.assert_allclose(by_log_scale, slope * eps, rtol=1e-5)


def test_as_a_tensor_the_posterior_is_its_mean() -> None:
    qz = posterior_layer()([LOC, LOG_SCALE])
    np.testing.assert_array_equal(tf.convert_to_tensor(qz), LOC)


def test_standard_normal_is_over_one_z() -> None:
    prior = posteriors.standard_normal(2)
    assert (prior.batch_shape, prior.event_shape) == ([], [2])
    np.testing.assert_allclose(
        prior.log_prob(LOC), stats.norm.logpdf(LOC).sum(axis=1), rtol=1e-5
    )
