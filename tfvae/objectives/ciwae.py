"""A bound between the ELBO and the importance-weighted one."""

import dataclasses

import tensorflow as tf

from tfvae.objectives import schedules
from tfvae.objectives.draws import Draws, Losses
from tfvae.objectives.iwae import iwae_bound, log_weights


def ciwae_bound(log_weights: tf.Tensor, elbo_weight: float) -> tf.Tensor:
    """Lower bound on log p(x), mixed of the ELBO's estimate and IWAE's.

    bound = elbo_weight * mean_k log w_k + (1 - elbo_weight) * log mean_k w_k

    Args:
      log_weights: [num_samples, batch], nats.
      elbo_weight: the paper's beta, in [0, 1].

    Returns:
      bound: [batch], nats, higher is better.

    References:
      Rainforth et al., 2018. Tighter Variational Bounds are Not Necessarily
      Better. https://arxiv.org/abs/1802.04537
    """
    elbo = tf.reduce_mean(log_weights, axis=0)
    return elbo_weight * elbo + (1 - elbo_weight) * iwae_bound(log_weights)


@dataclasses.dataclass(frozen=True)
class Ciwae:
    """loss = -ciwae_bound.

    Attributes:
      elbo_weight: share of the ELBO, in [0, 1].
      schedule: from the step to the KL's weight.
    """

    elbo_weight: float = 0.05
    schedule: schedules.Schedule = dataclasses.field(
        default_factory=schedules.Constant
    )
    adversary = None

    def __call__(self, draws: Draws) -> Losses:
        """See `Objective.__call__`."""
        log_w = log_weights(draws, self.schedule(draws.step))
        return Losses(-ciwae_bound(log_w, self.elbo_weight))
