"""Batch: what one step of training or testing is given."""

from typing import NamedTuple

import tensorflow as tf

from tfvae.condition import Values


class Batch(NamedTuple):
    """What a step is given: this replica's share of the global batch.

    Attributes:
      x: [batch, *event_shape], float32.
      condition: its values, by name.
      eps: [num_samples, batch, latent_dim], drawn from N(0, I).
      weight: [batch], or None for equal weights.
      num_examples: scalar, of the global batch.
      step: scalar int64, of training.
      seed: [2], int64, of further draws.
    """

    x: tf.Tensor
    condition: Values
    eps: tf.Tensor
    weight: tf.Tensor | None
    num_examples: tf.Tensor
    step: tf.Tensor
    seed: tf.Tensor
