"""Densities beside the normal: the ends of the beta, the tails of the t."""

import numpy as np
import tensorflow as tf
from scipy import special, stats

from tfvae.distributions.likelihoods import LIKELIHOODS


def test_beta_scores_its_own_draws_however_extreme() -> None:
    # The least concentrated beta draws nothing but the ends of its support.
    parameters = tf.constant([[[-3.0, -1e4], [0.0, -1e4], [3.0, -1e4]]])
    px = LIKELIHOODS["beta"]()(parameters)
    draws = px.sample(50, seed=[1, 2])
    assert draws.shape == [50, 1, 3]
    assert (np.abs(np.abs(draws - 0.5) - 256 / 510) < 1e-6).any()
    assert np.isfinite(px.log_prob(draws)).all()


def test_beta_begins_uniform_at_mean_one_half() -> None:
    layer = LIKELIHOODS["beta"]()
    parameters = layer.parameters_of_mean(np.full([3], 0.5))
    x = np.float32([[0.0, 0.3, 1.0]])
    log_prob = layer(parameters[None].astype("f")).log_prob(x)
    np.testing.assert_allclose(log_prob, [3 * np.log(510 / 512)], rtol=1e-4)


def test_variance_of_student_t_exists_at_its_bounds() -> None:
    layer = LIKELIHOODS["student_t"](unit_interval=True)
    for log_excess, df in ((-9.0, 2.1), (9.0, 1002.0)):
        layer.excess.variable.assign(log_excess / layer.excess.gain)
        px = layer(np.zeros([3, 4, 1], np.float32))
        expected = stats.t(df, scale=np.sqrt(0.1)).var()
        np.testing.assert_allclose(px.variance(), expected, rtol=1e-4)


def test_continuous_bernoulli_is_exact_around_one_half() -> None:
    logits = np.float32([-0.3, -0.2, -1e-3, -1e-8, 0, 1e-8, 1e-3, 0.2, 0.3])
    px = LIKELIHOODS["continuous_bernoulli"]()(logits[:, None, None])
    x = np.full([9, 1], 0.3, np.float32)
    # log((exp(s) - 1) / s) = s / 2 + log(sinh(s / 2) / (s / 2))
    s = logits.astype(float)
    log_integral = s / 2 + np.log(special.exprel(s) * np.exp(-s / 2))
    np.testing.assert_allclose(
        px.log_prob(x), s * 0.3 - log_integral, rtol=1e-5, atol=5e-7
    )
