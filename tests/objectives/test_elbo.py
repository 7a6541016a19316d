"""The bound's sign, and which weight goes where."""

import numpy as np
import tensorflow as tf

from tfvae.objectives import elbo as elbo_lib

LOG_LIKELIHOOD = tf.constant([-3.0, -5.0, 2.0])
KL = tf.constant([1.0, 0.5, 4.0])


def test_elbo_is_log_likelihood_minus_kl_of_each_example() -> None:
    elbo = elbo_lib.elbo(LOG_LIKELIHOOD, KL)
    np.testing.assert_array_equal(elbo, [-4.0, -5.5, -2.0])


def test_loss_weighs_distortion_and_kl_apart() -> None:
    loss = elbo_lib.loss(
        LOG_LIKELIHOOD, KL, distortion_weight=2.0, kl_weight=tf.constant(10.0)
    )
    np.testing.assert_array_equal(loss, [16.0, 15.0, 36.0])


def test_loss_with_unit_weights_is_minus_the_elbo() -> None:
    loss = elbo_lib.loss(
        LOG_LIKELIHOOD, KL, distortion_weight=1.0, kl_weight=tf.constant(1.0)
    )
    np.testing.assert_array_equal(loss, [4.0, 5.5, 2.0])
