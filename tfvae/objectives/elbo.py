"""The evidence lower bound, and the objective that is its negative."""

import dataclasses

import tensorflow as tf

from tfvae.objectives.draws import Draws, Losses
from tfvae.objectives.penalty import KLPenalty


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


@dataclasses.dataclass(frozen=True)
class Elbo:
    """loss = distortion + penalty(KL), the distortion's mean over the draws.

    With the plain penalty, and weights of 1, it is -elbo.

    Attributes:
      penalty: what is added for the KL.
    """

    penalty: KLPenalty = dataclasses.field(default_factory=KLPenalty)
    adversary = None

    def __call__(self, draws: Draws) -> Losses:
        """See `Objective.__call__`."""
        distortion = tf.reduce_mean(draws.distortion, axis=0)
        return Losses(distortion + self.penalty(draws))
