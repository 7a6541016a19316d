"""Noise that depends on (seed, step, index in the global batch) alone.

So 1, 2 and 4 replicas draw the same noise for the same example, and a resumed
run draws what the uninterrupted one would have drawn.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfvae.replicas import BatchShare

TRAIN, TEST, SAMPLE, EXTRA, EVALUATE = range(5)  # streams of random numbers
ALGORITHM = "philox"  # counts along the rows; XLA draws other bits on a CPU


def normal(
    seed: int,
    stream: int,
    step: tf.Tensor,
    share: BatchShare,
    local_size: tf.Tensor,
    num_dims: int,
) -> tf.Tensor:
    """Returns e ~ N(0, I) for this replica's examples: [local_batch, num_dims].

    Args:
      seed: of the run.
      stream: of random numbers; different streams are independent.
      step: scalar integer.
      share: this replica's share of the global batch.
      local_size: scalar, number of this replica's examples.
      num_dims: of each draw.
    """
    # Philox counts along the rows, so row i is the same whatever the length.
    rows = tf.random.stateless_normal(
        [share.first + local_size, num_dims],
        step_seed(seed, stream, step),
        alg=ALGORITHM,
    )
    return rows[share.first :]


def draws(
    seed: int,
    stream: int,
    step: tf.Tensor,
    share: BatchShare,
    shape: Sequence[tf.Tensor | int],
) -> tf.Tensor:
    """Returns e ~ N(0, I) for several draws of each of a replica's examples.

    Args:
      seed: of the run.
      stream: of random numbers.
      step: scalar integer.
      share: this replica's share of the global batch.
      shape: num_samples, local_batch and num_dims.

    Returns:
      eps: [num_samples, local_batch, num_dims].
    """
    num_samples, size, num_dims = shape
    eps = normal(seed, stream, step, share, size, num_samples * num_dims)
    eps = tf.reshape(eps, [size, num_samples, num_dims])
    return tf.transpose(eps, [1, 0, 2])


def step_seed(seed: int, stream: int, step: tf.Tensor) -> tf.Tensor:
    """Returns the seed of stateless draws at one step: [2], int64."""
    return tf.random.experimental.stateless_fold_in(
        tf.constant([seed, stream], tf.int64),
        tf.cast(step, tf.int64),
        alg=ALGORITHM,
    )


def tfp_seed(seed: int, stream: int) -> tf.Tensor:
    """Returns the seed of a TFP distribution's draws: [2], int32.

    TFP takes no other; a seed beyond 2^31 is wrapped to the same bits.

    Args:
      seed: from 0 to 2^32 - 1.
      stream: of random numbers.
    """
    return tf.constant(np.array([seed, stream], np.uint32).view(np.int32))
