"""Completed: what is seen is known, the rest is as p(x|z) says."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from tensorflow_probability import distributions as tfd

from tfvae.distributions.completed import Completed
from tfvae.distributions.likelihoods import LIKELIHOODS

RNG = np.random.default_rng(0)
SHAPE = (3, 4, 5, 2)  # batch, height, width, channels
LOC = RNG.normal(size=SHAPE).astype(np.float32)
X = RNG.normal(size=SHAPE).astype(np.float32)
MASK = RNG.integers(0, 2, [3, 4, 5, 1]).astype(np.float32)
SEEN = np.broadcast_to(MASK == 1, SHAPE)


def completed(image: np.ndarray = X, mask: np.ndarray = MASK) -> Completed:
    px = tfd.Independent(tfd.Normal(LOC, 0.7), reinterpreted_batch_ndims=3)
    return Completed(px, image, mask)


def test_log_prob_is_of_the_hidden_dimensions() -> None:
    per_dim = stats.norm.logpdf(X.astype(float), LOC, 0.7)
    expected = np.where(SEEN, 0, per_dim).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(completed().log_prob(X), expected, rtol=1e-5)


def test_what_the_seen_pixels_hold_does_not_count() -> None:
    other = np.where(SEEN, np.nan, X)
    np.testing.assert_array_equal(
        completed().log_prob(other), completed().log_prob(X)
    )


def test_mean_and_variance_keep_the_seen_part_to_the_bit() -> None:
    image = np.where(SEEN, X, np.nan)  # hidden pixels are not looked at
    px = completed(image)
    np.testing.assert_array_equal(px.mean(), np.where(SEEN, X, LOC))
    np.testing.assert_allclose(
        px.variance(), np.where(SEEN, 0, 0.49), rtol=1e-5
    )


def test_draws_keep_the_seen_part_and_follow_px_elsewhere() -> None:
    draws = completed().sample(4000, seed=(1, 2)).numpy()
    assert draws.shape == (4000, *SHAPE)
    assert (draws[:, SEEN] == X[SEEN]).all()
    hidden = (draws - LOC)[:, ~SEEN]
    # Five standard errors of a mean of 4,000: 5 * 0.7 / 63.2 = 0.055.
    np.testing.assert_allclose(hidden.mean(axis=0), 0, atol=0.055)
    np.testing.assert_allclose(hidden.std(axis=0), 0.7, atol=0.04)
    again = completed().sample(4000, seed=(1, 2)).numpy()
    np.testing.assert_array_equal(draws, again)


def test_everything_seen_is_certain() -> None:
    px = completed(mask=np.ones_like(MASK))
    np.testing.assert_array_equal(px.log_prob(X), np.zeros(3))
    np.testing.assert_array_equal(px.mean(), X)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_every_likelihood_can_be_completed(name: str) -> None:
    layer = LIKELIHOODS[name].for_data(1.0, support="unit", levels=5)
    parameters = tf.constant(
        RNG.normal(size=[*SHAPE, layer.params_per_dim]), tf.float32
    )
    px = layer(parameters)
    x = (RNG.integers(0, 5, SHAPE) / 4).astype(np.float32)
    whole = Completed(px, x, np.zeros_like(MASK))
    np.testing.assert_allclose(whole.log_prob(x), px.log_prob(x), rtol=1e-5)
    part = Completed(px, x, MASK)
    assert (part.mean().numpy()[SEEN] == x[SEEN]).all()
    assert (part.sample(seed=(1, 2)).numpy()[SEEN] == x[SEEN]).all()
    # Hidden and seen parts add up to the whole.
    rest = Completed(px, x, 1 - MASK)
    np.testing.assert_allclose(
        part.log_prob(x) + rest.log_prob(x), px.log_prob(x), rtol=1e-4
    )
