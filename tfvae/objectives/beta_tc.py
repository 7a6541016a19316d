"""beta-TCVAE: the total correlation of q(z), estimated from the batch."""

import dataclasses

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.objectives.draws import Draws, Losses
from tfvae.objectives.penalty import KLPenalty
from tfvae.replicas import gather_batch


def stratified_weights(
    rows: tf.Tensor, batch_size: tf.Tensor, num_examples: int
) -> tf.Tensor:
    """Weights with which a batch stands for the data: minibatch stratified.

    Then sum_j weight_ij q(z_i|x_j) has the mean q(z_i) over the batches that
    hold x_i. With M = batch_size - 1 and N = num_examples, weight_ij is

      1 / N            for the example itself, j = i,
      (N - M) / (N M)  for one other example, j = (i + 1) mod batch_size,
      1 / M            for the rest;

    they sum to 1. A batch of one has the weight 1. A batch of more than N is
    taken to be all of the data.

    Args:
      rows: [local_batch], index i in the global batch of each row's example.
      batch_size: scalar integer, of the global batch.
      num_examples: of the training data.

    Returns:
      weights: [local_batch, global_batch].

    References:
      Chen et al., 2018. Isolating Sources of Disentanglement in Variational
      Autoencoders, appendix C.2. https://arxiv.org/abs/1802.04942
    """
    n = tf.cast(tf.maximum(num_examples, batch_size), tf.float32)
    m = tf.cast(tf.maximum(batch_size - 1, 1), tf.float32)
    row, column = rows[:, tf.newaxis], tf.range(batch_size)
    others = tf.where(
        column == (row + 1) % batch_size, (n - m) / (n * m), 1 / m
    )
    own = tf.where(batch_size > 1, 1 / n, 1.0)
    return tf.where(column == row, own, others)


def total_correlation(
    z: tf.Tensor, loc: tf.Tensor, scale: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor:
    """Estimate of log q(z) - sum_d log q(z_d), whose mean is KL.

    It is the KL from q(z), the mean of q(z|x) over the data, to the product
    of its marginals: 0 if the latent dimensions are independent.

    Args:
      z: [local_batch, latent_dim], z_i drawn from q(z|x_i).
      loc: [global_batch, latent_dim], means of the diagonal normals q(z|x_j).
      scale: [global_batch, latent_dim], their standard deviations.
      weights: [local_batch, global_batch], of q(z_i|x_j) in q(z_i).

    Returns:
      tc: [local_batch], nats.
    """
    # log q(z_id|x_j), [local_batch, global_batch, latent_dim]
    log_density = tfd.Normal(loc, scale).log_prob(z[:, tf.newaxis])
    log_weights = tf.math.log(weights)
    # log q(z_i) = log sum_j weight_ij prod_d q(z_id|x_j)
    log_joint = tf.reduce_logsumexp(
        log_weights + tf.reduce_sum(log_density, axis=-1), axis=1
    )
    # log q(z_id) = log sum_j weight_ij q(z_id|x_j)
    log_marginals = tf.reduce_logsumexp(
        log_weights[:, :, tf.newaxis] + log_density, axis=1
    )
    return log_joint - tf.reduce_sum(log_marginals, axis=-1)


@dataclasses.dataclass(frozen=True)
class BetaTC:
    """loss = distortion + penalty(KL) + (tc_weight - 1) * total correlation.

    The KL already holds the total correlation once, so it counts `tc_weight`
    times in all. It is estimated from the first draw and the global batch;
    q(z|x) must be a diagonal normal.

    Attributes:
      tc_weight: the paper's beta.
      num_examples: of the training data.
      penalty: what is added for the KL.

    References:
      Chen et al., 2018. Isolating Sources of Disentanglement in Variational
      Autoencoders. https://arxiv.org/abs/1802.04942
    """

    tc_weight: float
    num_examples: int
    penalty: KLPenalty = dataclasses.field(default_factory=KLPenalty)
    adversary = None

    def __call__(self, draws: Draws) -> Losses:
        """See `Objective.__call__`."""
        (loc, scale), rows = gather_batch(
            [draws.posterior.mean(), draws.posterior.stddev()], draws.weight
        )
        weights = stratified_weights(rows, tf.shape(loc)[0], self.num_examples)
        tc = total_correlation(draws.z[0], loc, scale, weights)
        distortion = tf.reduce_mean(draws.distortion, axis=0)
        extra = (self.tc_weight - 1) * tc
        return Losses(distortion + self.penalty(draws) + extra)
