"""Noise that depends on (seed, step, index in the global batch) alone.

So 1, 2 and 4 replicas draw the same noise for the same example, and a resumed
run draws what the uninterrupted one would have drawn.
"""

import dataclasses

import tensorflow as tf

TRAIN, TEST, SAMPLE = range(3)  # streams of random numbers
ALGORITHM = "philox"  # the same bits with and without XLA, on every device


@dataclasses.dataclass(frozen=True)
class BatchShare:
    """Which part of the global batch this replica holds.

    Attributes:
      first: index in the global batch of this replica's first example.
      num_examples: of the global batch, over all replicas.
    """

    first: tf.Tensor
    num_examples: tf.Tensor


def batch_share(x: tf.Tensor) -> BatchShare:
    """Returns this replica's share, exact for uneven and short batches.

    Args:
      x: [local_batch, ...], this replica's part.
    """
    size = tf.shape(x)[0]
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return BatchShare(tf.zeros([], tf.int32), size)
    sizes = context.all_gather(size[tf.newaxis], axis=0)
    before = tf.range(context.num_replicas_in_sync) < (
        context.replica_id_in_sync_group
    )
    return BatchShare(
        tf.reduce_sum(tf.where(before, sizes, 0)), tf.reduce_sum(sizes)
    )


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
    step_seed = tf.random.experimental.stateless_fold_in(
        tf.constant([seed, stream], tf.int64),
        tf.cast(step, tf.int64),
        alg=ALGORITHM,
    )
    # Philox counts along the rows, so row i is the same whatever the length.
    rows = tf.random.stateless_normal(
        [share.first + local_size, num_dims], step_seed, alg=ALGORITHM
    )
    return rows[share.first :]
