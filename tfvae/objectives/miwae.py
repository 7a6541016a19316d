"""The mean of importance-weighted bounds, each over a group of the draws."""

import dataclasses

import tensorflow as tf

from tfvae.objectives import schedules
from tfvae.objectives.draws import Draws, Losses
from tfvae.objectives.iwae import log_weights


def miwae_bound(log_weights: tf.Tensor, num_groups: int) -> tf.Tensor:
    """Lower bound on log p(x): the mean of `num_groups` smaller IWAE bounds.

    bound = mean_m log mean_k w_mk,  k < num_samples / num_groups

    One group gives the IWAE bound, a group for each draw the ELBO's estimate.

    Args:
      log_weights: [num_samples, batch], nats; num_samples known when traced.
      num_groups: M, a divisor of num_samples.

    Returns:
      bound: [batch], nats, higher is better.

    Raises:
      ValueError: the groups cannot be of one size.

    References:
      Rainforth et al., 2018. Tighter Variational Bounds are Not Necessarily
      Better. https://arxiv.org/abs/1802.04537
    """
    num_samples = log_weights.shape[0]
    if num_groups < 1 or num_samples % num_groups:
        raise ValueError(
            "`num_groups` must divide the number of draws, "
            f"{num_samples}; got {num_groups}."
        )
    size = num_samples // num_groups
    batch = tf.shape(log_weights)[1]
    grouped = tf.reshape(log_weights, [num_groups, size, batch])
    bounds = tf.reduce_logsumexp(grouped, axis=1) - tf.math.log(float(size))
    return tf.reduce_mean(bounds, axis=0)


@dataclasses.dataclass(frozen=True)
class Miwae:
    """loss = -miwae_bound.

    Attributes:
      num_groups: M, a divisor of the number of draws.
      schedule: from the step to the KL's weight.
    """

    num_groups: int
    schedule: schedules.Schedule = dataclasses.field(
        default_factory=schedules.Constant
    )
    adversary = None

    def __call__(self, draws: Draws) -> Losses:
        """See `Objective.__call__`."""
        log_w = log_weights(draws, self.schedule(draws.step))
        return Losses(-miwae_bound(log_w, self.num_groups))
