"""The importance-weighted bound, and the objective that is its negative."""

import dataclasses

import tensorflow as tf

from tfvae.objectives import schedules
from tfvae.objectives.draws import Draws, Losses


def log_weights(draws: Draws, kl_weight: tf.Tensor) -> tf.Tensor:
    """Logarithms of the importance weights of the draws.

    log w_k = -distortion_k - kl_weight * (log q(z_k|x) - log p(z_k))

    Args:
      draws: z_k ~ q(z|x).
      kl_weight: scalar; 1 makes it log p(x, z_k) - log q(z_k|x).

    Returns:
      log_weights: [num_samples, batch], nats.
    """
    log_ratio = draws.log_posterior - draws.log_prior
    return -draws.distortion - kl_weight * log_ratio


def iwae_bound(log_weights: tf.Tensor) -> tf.Tensor:
    """Importance-weighted lower bound on log p(x).

    bound = log mean_k w_k

    Args:
      log_weights: [num_samples, batch], nats.

    Returns:
      bound: [batch], nats, higher is better; with one draw it is the ELBO's
        estimate.

    References:
      Burda et al., 2016. Importance Weighted Autoencoders, eq. 8.
      https://arxiv.org/abs/1509.00519
    """
    num_samples = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    return tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(num_samples)


@dataclasses.dataclass(frozen=True)
class Iwae:
    """loss = -iwae_bound, over all draws.

    Its gradient is that of log w_k, averaged over the draws with the weights
    w_k / sum w. With a KL weight other than 1 it is no bound.

    Attributes:
      schedule: from the step to the KL's weight.
    """

    schedule: schedules.Schedule = dataclasses.field(
        default_factory=schedules.Constant
    )
    adversary = None

    def __call__(self, draws: Draws) -> Losses:
        """See `Objective.__call__`."""
        log_w = log_weights(draws, self.schedule(draws.step))
        return Losses(-iwae_bound(log_w))
