"""DIP-VAE: the covariance of z over the data, drawn to the identity."""

import dataclasses
from typing import ClassVar

import tensorflow as tf

from tfvae.objectives.draws import Draws, Losses
from tfvae.objectives.penalty import KLPenalty
from tfvae.replicas import gather_batch


def covariance(means: tf.Tensor) -> tf.Tensor:
    """Covariance over a batch, divided by its size.

    Args:
      means: [batch, latent_dim].

    Returns:
      covariance: [latent_dim, latent_dim]; zero for a batch of one.
    """
    centered = means - tf.reduce_mean(means, axis=0)
    batch_size = tf.cast(tf.shape(means)[0], means.dtype)
    return tf.matmul(centered, centered, transpose_a=True) / batch_size


def distance_to_identity(
    covariance: tf.Tensor, *, off_diagonal_weight: float, diagonal_weight: float
) -> tf.Tensor:
    """Weighted squared distance of a covariance to the identity.

    distance = off_diagonal_weight * sum_{i != j} covariance_ij^2
               + diagonal_weight * sum_i (covariance_ii - 1)^2

    Args:
      covariance: [latent_dim, latent_dim].
      off_diagonal_weight: the paper's lambda_od.
      diagonal_weight: the paper's lambda_d.

    Returns:
      distance: scalar.
    """
    diagonal = tf.linalg.diag_part(covariance)
    off_diagonal = covariance - tf.linalg.diag(diagonal)
    return off_diagonal_weight * tf.reduce_sum(
        tf.square(off_diagonal)
    ) + diagonal_weight * tf.reduce_sum(tf.square(diagonal - 1))


@dataclasses.dataclass(frozen=True)
class DipI:
    """loss = distortion + penalty(KL) + distance of Cov[E q(z|x)] to identity.

    The covariance is over the global batch, and its distance the same for
    each example.

    Attributes:
      weight: of the squares off the diagonal.
      penalty: what is added for the KL.
      diagonal_factor: how much more the squares on the diagonal weigh.

    References:
      Kumar et al., 2018. Variational Inference of Disentangled Latent Concepts
      from Unlabeled Observations, eq. 6. https://arxiv.org/abs/1711.00848
      The factors: Locatello et al., 2019. Challenging Common Assumptions in
      the Unsupervised Learning of Disentangled Representations.
      https://arxiv.org/abs/1811.12359
    """

    weight: float
    penalty: KLPenalty = dataclasses.field(default_factory=KLPenalty)
    adversary = None
    diagonal_factor: ClassVar[float] = 10.0

    def __call__(self, draws: Draws) -> Losses:
        """See `Objective.__call__`."""
        distance = distance_to_identity(
            self._covariance(draws),
            off_diagonal_weight=self.weight,
            diagonal_weight=self.diagonal_factor * self.weight,
        )
        distortion = tf.reduce_mean(draws.distortion, axis=0)
        return Losses(distortion + self.penalty(draws) + distance)

    def _covariance(self, draws: Draws) -> tf.Tensor:
        (means,), _ = gather_batch([draws.posterior.mean()], draws.weight)
        return covariance(means)


@dataclasses.dataclass(frozen=True)
class DipII(DipI):
    """As `DipI`, of Cov[z] = E[Cov q(z|x)] + Cov[E q(z|x)].

    Attributes:
      diagonal_factor: how much more the squares on the diagonal weigh.

    References:
      Kumar et al., 2018, eq. 7; see `DipI`.
    """

    diagonal_factor: ClassVar[float] = 1.0

    def _covariance(self, draws: Draws) -> tf.Tensor:
        (means, covariances), _ = gather_batch(
            [draws.posterior.mean(), draws.posterior.covariance()],
            draws.weight,
        )
        return tf.reduce_mean(covariances, axis=0) + covariance(means)
