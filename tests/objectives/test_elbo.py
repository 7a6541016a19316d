"""The bound's sign, and the objective that is its negative."""

import numpy as np
import tensorflow as tf

from tests.draws import make_draws, make_inputs
from tfvae.objectives import elbo as elbo_lib
from tfvae.objectives.penalty import KLPenalty
from tfvae.objectives.schedules import Constant

INPUTS = make_inputs()
DISTORTION = INPUTS.distortion.mean(axis=0)  # over the 4 draws of each of 5
VARIANCE = np.square(INPUTS.scale)
KL = (VARIANCE + np.square(INPUTS.loc) - np.log(VARIANCE) - 1).sum(axis=1) / 2


def test_elbo_is_log_likelihood_minus_kl_of_each_example() -> None:
    log_likelihood = tf.constant([-3.0, -5.0, 2.0])
    kl = tf.constant([1.0, 0.5, 4.0])
    elbo = elbo_lib.elbo(log_likelihood, kl)
    np.testing.assert_array_equal(elbo, [-4.0, -5.5, -2.0])


def test_loss_is_the_draws_mean_distortion_plus_kl() -> None:
    losses = elbo_lib.Elbo()(make_draws(INPUTS))
    np.testing.assert_allclose(losses.model, DISTORTION + KL, rtol=1e-5)
    assert losses.encoder is None
    assert losses.adversary is None


def test_penalty_weighs_the_kl_alone() -> None:
    objective = elbo_lib.Elbo(KLPenalty(Constant(10.0)))
    losses = objective(make_draws(INPUTS))
    np.testing.assert_allclose(losses.model, DISTORTION + 10 * KL, rtol=1e-5)
