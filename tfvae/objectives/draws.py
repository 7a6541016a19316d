"""What an objective sees of one training step, and what it gives back."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import tensorflow as tf
import tf_keras
from tensorflow_probability import distributions as tfd


class Draws(NamedTuple):
    """K draws z_k ~ q(z|x_i) for each of this replica's examples.

    Attributes:
      posterior: q(z|x), batch_shape [batch].
      z: [num_samples, batch, latent_dim].
      distortion: [num_samples, batch], distortion_weight * -log p(x|z), nats.
      log_prior: [num_samples, batch], log p(z), nats.
      log_posterior: [num_samples, batch], log q(z|x), nats.
      kl: [batch], KL(q(z|x) || p(z)), nats: closed form, or the draws' mean.
      kl_per_dim: [batch, latent_dim], nats; None without a closed form.
      weight: [batch], of each example; None: equal weights. Examples of weight
        0 are no part of the global batch.
      step: scalar int64, of training.
      seed: [2], int64, of this step's further draws; the same on all replicas.
    """

    posterior: tfd.Distribution
    z: tf.Tensor
    distortion: tf.Tensor
    log_prior: tf.Tensor
    log_posterior: tf.Tensor
    kl: tf.Tensor
    kl_per_dim: tf.Tensor | None
    weight: tf.Tensor | None
    step: tf.Tensor
    seed: tf.Tensor


class Losses(NamedTuple):
    """What is minimised, one value an example: each [batch], nats.

    Attributes:
      model: by every part of the model that has no loss of its own below.
      encoder: by the encoder alone; None: the model's loss.
      adversary: by the objective's own network; None: it has none.
    """

    model: tf.Tensor
    encoder: tf.Tensor | None = None
    adversary: tf.Tensor | None = None

    def with_variables(
        self,
        networks: Mapping[str, tf_keras.layers.Layer],
        adversary: tf_keras.Model | None,
    ) -> list[tuple[tf.Tensor, list[tf.Variable]]]:
        """Returns each loss with the variables that it moves.

        Args:
          networks: of the model, by name.
          adversary: the objective's own network; or None.
        """
        names, parts = list(networks), []
        if self.encoder is not None:
            names.remove("encoder")
            encoder = networks["encoder"]
            parts.append((self.encoder, encoder.trainable_variables))
        rest = [v for n in names for v in networks[n].trainable_variables]
        parts.append((self.model, rest))
        if self.adversary is not None:
            assert adversary is not None
            parts.append((self.adversary, adversary.trainable_variables))
        return parts


class Objective(Protocol):
    """From draws to losses.

    Attributes:
      adversary: network that learns beside the model, against it; or None.
    """

    adversary: tf_keras.Model | None

    def __call__(self, draws: Draws) -> Losses:
        """Returns the losses of this replica's examples."""
        ...
