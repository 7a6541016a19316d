"""FactorVAE: the total correlation of q(z), told by a discriminator."""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras

from tfvae import noise
from tfvae.objectives.draws import Draws, Losses
from tfvae.objectives.penalty import KLPenalty
from tfvae.replicas import gather_batch


def permute_dims(z: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shuffles each latent dimension over the batch, apart from the others.

    The rows are then as if drawn from prod_d q(z_d).

    Args:
      z: [batch, latent_dim].
      seed: [2]; equal seeds shuffle equally.

    Returns:
      permuted: [batch, latent_dim].

    References:
      Kim and Mnih, 2018. Disentangling by Factorising, algorithm 1.
      https://arxiv.org/abs/1802.05983
    """
    keys = tf.random.stateless_uniform(tf.shape(z), seed, alg=noise.ALGORITHM)
    order = tf.argsort(keys, axis=0)
    permuted = tf.gather(tf.transpose(z), tf.transpose(order), batch_dims=1)
    return tf.transpose(permuted)


def discriminator_loss(
    logit: tf.Tensor, permuted_logit: tf.Tensor
) -> tf.Tensor:
    """Cross-entropy of telling z from its permutation, each half the time.

    loss = -1/2 (log D(z) + log(1 - D(permuted z))),  D = sigmoid(logit)

    Args:
      logit: [batch], of z.
      permuted_logit: [batch], of z permuted.

    Returns:
      loss: [batch], nats; log 2 if the two cannot be told apart.
    """
    # -log sigmoid(a) = softplus(-a);  -log(1 - sigmoid(a)) = softplus(a)
    return (tf.nn.softplus(-logit) + tf.nn.softplus(permuted_logit)) / 2


class Factor:
    """loss = distortion + penalty(KL) + tc_weight * logit(z).

    The logit log D(z) / (1 - D(z)) of a discriminator D that tells z from its
    permutation is an estimate of log q(z) / prod_d q(z_d), whose mean is the
    total correlation. D learns beside the model, from the same first draw,
    permuted over the global batch.

    Args:
      tc_weight: the paper's gamma.
      latent_dim: of z.
      penalty: what is added for the KL.
      hidden_units: of the discriminator's layers; the paper has six of 1000.

    References:
      Kim and Mnih, 2018. Disentangling by Factorising, algorithm 2.
      https://arxiv.org/abs/1802.05983
    """

    def __init__(
        self,
        tc_weight: float,
        latent_dim: int,
        penalty: KLPenalty | None = None,
        hidden_units: Sequence[int] = (256, 256, 256),
    ) -> None:
        self.tc_weight = tc_weight
        self.penalty = penalty or KLPenalty()
        self.adversary = _make_discriminator(latent_dim, hidden_units)

    def __call__(self, draws: Draws) -> Losses:
        """See `Objective.__call__`."""
        z = draws.z[0]
        distortion = tf.reduce_mean(draws.distortion, axis=0)
        tc = self._logit(z)
        return Losses(
            model=distortion + self.penalty(draws) + self.tc_weight * tc,
            adversary=self._adversary_loss(tf.stop_gradient(z), draws),
        )

    def _adversary_loss(self, z: tf.Tensor, draws: Draws) -> tf.Tensor:
        (batch,), rows = gather_batch([z], draws.weight)
        permuted = tf.gather(permute_dims(batch, draws.seed), rows)
        return discriminator_loss(self._logit(z), self._logit(permuted))

    def _logit(self, z: tf.Tensor) -> tf.Tensor:
        return tf.squeeze(self.adversary(z), axis=-1)


def _make_discriminator(
    latent_dim: int, hidden_units: Sequence[int]
) -> tf_keras.Sequential:
    """Returns a network from [batch, latent_dim] to a logit, [batch, 1]."""
    layers: list[tf_keras.layers.Layer] = [tf_keras.Input([latent_dim])]
    for units in hidden_units:
        layers.append(tf_keras.layers.Dense(units))
        layers.append(tf_keras.layers.LeakyReLU(0.2))
    layers.append(tf_keras.layers.Dense(1))
    return tf_keras.Sequential(layers, name="discriminator")
