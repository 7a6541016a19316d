"""The evidence lower bound, and the loss that comes of it."""

import tensorflow as tf


def elbo(log_likelihood: tf.Tensor, kl: tf.Tensor) -> tf.Tensor:
    """Lower bound on log p(x), normalised and independent of C.

    elbo = log p(x|z) - KL(q(z|x) || p(z))

    Args:
      log_likelihood: [batch], log p(x|z) at z drawn from q(z|x), nats.
      kl: [batch], nats.

    Returns:
      elbo: [batch], nats, higher is better.

    References:
      Kingma and Welling, 2014. Auto-Encoding Variational Bayes, eq. 3.
      https://arxiv.org/abs/1312.6114
    """
    return log_likelihood - kl


def loss(
    log_likelihood: tf.Tensor,
    kl: tf.Tensor,
    *,
    distortion_weight: float,
    kl_weight: tf.Tensor,
) -> tf.Tensor:
    """What is minimised: -elbo with both of its terms weighted.

    loss = distortion_weight * -log p(x|z) + kl_weight * KL(q(z|x) || p(z))

    Args:
      log_likelihood: [batch], nats.
      kl: [batch], nats.
      distortion_weight: 1 for a Gaussian, whose C is inside the density; C
        for every other likelihood.
      kl_weight: scalar, 1 but for a warm-up.

    Returns:
      loss: [batch], nats.
    """
    return distortion_weight * -log_likelihood + kl_weight * kl
