"""What an objective adds for the KL: weighted, above free bits, or held."""

import dataclasses

import tensorflow as tf

from tfvae.objectives import schedules
from tfvae.objectives.draws import Draws
from tfvae.replicas import sum_over_replicas


@dataclasses.dataclass(frozen=True)
class KLPenalty:
    """kl_weight * KL; or with free bits, or with a capacity, in place of KL.

    Free bits: sum_j max(free_bits, mean_i KL_ij), so that no latent dimension
    gains by falling below `free_bits` (Kingma et al., 2016).

    Capacity: capacity_weight * |mean_i KL_i - capacity(step)|, so that the KL
    is led up to the capacity (Burgess et al., 2018).

    The means run over the global batch. Values are given per example, such
    that their mean is the formula's value and gradient.

    Attributes:
      schedule: from the step to the KL's weight.
      free_bits: nats for each latent dimension; 0: none.
      capacity: from the step to nats; None: none.
      capacity_weight: of the distance to the capacity.

    References:
      Kingma et al., 2016. Improved Variational Inference with Inverse
      Autoregressive Flow. https://arxiv.org/abs/1606.04934
      Burgess et al., 2018. Understanding disentangling in beta-VAE.
      https://arxiv.org/abs/1804.03599
    """

    schedule: schedules.Schedule = dataclasses.field(
        default_factory=schedules.Constant
    )
    free_bits: float = 0.0
    capacity: schedules.Schedule | None = None
    capacity_weight: float = (
        5.0  # 1000 in the paper, which drowns the distortion
    )

    def __call__(self, draws: Draws) -> tf.Tensor:
        """Returns the penalty: [batch], nats."""
        if self.capacity is not None:
            excess = draws.kl - self.capacity(draws.step)
            # |mean_i e_i| = mean_i (sign(mean_i e_i) e_i)
            sign = tf.sign(_global_mean(excess, draws.weight))
            return self.capacity_weight * sign * excess
        kl = draws.kl
        if self.free_bits:
            assert draws.kl_per_dim is not None
            mean = _global_mean(draws.kl_per_dim, draws.weight)
            kl = tf.reduce_sum(
                tf.where(
                    mean > self.free_bits, draws.kl_per_dim, self.free_bits
                ),
                axis=-1,
            )
        return self.schedule(draws.step) * kl


def _global_mean(value: tf.Tensor, weight: tf.Tensor | None) -> tf.Tensor:
    """Returns the mean over the global batch, without a gradient."""
    value = tf.stop_gradient(value)
    if weight is None:
        weight = tf.ones(tf.shape(value)[:1])
    total, count = sum_over_replicas(
        [tf.tensordot(weight, value, axes=1), tf.reduce_sum(weight)]
    )
    return total / count
