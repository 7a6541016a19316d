"""InfoVAE and WAE: q(z) drawn to p(z) by the maximum mean discrepancy."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfvae.objectives.draws import Draws, Losses
from tfvae.objectives.penalty import KLPenalty
from tfvae.replicas import gather_batch

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # those of the WAE's authors


def kernel(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Inverse multiquadratics, summed over `SCALES`.

    kernel_ij = sum_s c_s / (c_s + ||x_i - y_j||^2),  c_s = 2 latent_dim s

    2 latent_dim is the mean squared distance of two draws from N(0, I).

    Args:
      x: [num_x, latent_dim].
      y: [num_y, latent_dim].

    Returns:
      kernel: [num_x, num_y], each in (0, len(SCALES)].
    """
    # ||x - y||^2 = ||x||^2 + ||y||^2 - 2 x.y
    squared_distance = tf.maximum(
        tf.reduce_sum(tf.square(x), axis=1)[:, tf.newaxis]
        + tf.reduce_sum(tf.square(y), axis=1)
        - 2 * tf.matmul(x, y, transpose_b=True),
        0.0,
    )
    widths = [2 * x.shape[1] * scale for scale in SCALES]
    return tf.add_n([c / (c + squared_distance) for c in widths])


def squared_mmd(z: tf.Tensor, prior_z: tf.Tensor) -> tf.Tensor:
    """Unbiased estimate of the squared maximum mean discrepancy.

    mmd^2 = mean_{i != j} k(z_i, z_j) + mean_{i != j} k(prior_z_i, prior_z_j)
            - 2 mean_ij k(z_i, prior_z_j)

    Args:
      z: [batch, latent_dim], of the one distribution.
      prior_z: [batch, latent_dim], of the other.

    Returns:
      squared_mmd: scalar; its mean is 0 if the distributions are equal, so it
        is below 0 at times. 0 for a batch of one, which has no pairs.

    References:
      Gretton et al., 2012. A Kernel Two-Sample Test.
      https://jmlr.org/papers/v13/gretton12a.html
    """
    size = tf.shape(z)[0]
    num_pairs = tf.cast(tf.maximum(size * (size - 1), 1), z.dtype)
    within = _sum_of_pairs(kernel(z, z))
    within += _sum_of_pairs(kernel(prior_z, prior_z))
    between = tf.reduce_mean(kernel(z, prior_z))
    return tf.where(size > 1, within / num_pairs - 2 * between, 0.0)


@dataclasses.dataclass(frozen=True)
class Mmd:
    """loss = distortion + (1 - alpha) * penalty(KL) + w MMD^2.

    Here w = alpha + weight - 1. With alpha = 1 no KL is left, and it is the
    WAE with the MMD. The MMD is between the first draws of the global batch
    and as many from the prior, and the same for each example.

    Attributes:
      weight: the papers' lambda.
      alpha: the InfoVAE's; 0 keeps the KL whole, 1 leaves it out.
      sample_prior: from (num, seed) to draws from p(z), [num, latent_dim]; num
        is a scalar tensor, and equal seeds must give equal draws.
      penalty: what is added for the KL.

    References:
      Zhao et al., 2019. InfoVAE: Balancing Learning and Inference in
      Variational Autoencoders. https://arxiv.org/abs/1706.02262
      Tolstikhin et al., 2018. Wasserstein Auto-Encoders.
      https://arxiv.org/abs/1711.01558
    """

    weight: float
    alpha: float
    sample_prior: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    penalty: KLPenalty = dataclasses.field(default_factory=KLPenalty)
    adversary = None

    def __call__(self, draws: Draws) -> Losses:
        """See `Objective.__call__`."""
        (z,), _ = gather_batch([draws.z[0]], draws.weight)
        mmd = squared_mmd(z, self.sample_prior(tf.shape(z)[0], draws.seed))
        distortion = tf.reduce_mean(draws.distortion, axis=0)
        penalty = (1 - self.alpha) * self.penalty(draws)
        return Losses(
            distortion + penalty + (self.alpha + self.weight - 1) * mmd
        )


def _sum_of_pairs(kernel: tf.Tensor) -> tf.Tensor:
    """Returns the sum off the diagonal."""
    return tf.reduce_sum(kernel) - tf.linalg.trace(kernel)
