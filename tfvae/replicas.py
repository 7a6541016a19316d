"""What a step must know of the other replicas, and counters they share."""

import dataclasses
from typing import Any

import tensorflow as tf


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
    before = (
        tf.range(context.num_replicas_in_sync)
        < context.replica_id_in_sync_group
    )
    return BatchShare(
        tf.reduce_sum(tf.where(before, sizes, 0)), tf.reduce_sum(sizes)
    )


def sum_over_replicas(values: Any) -> Any:
    """Returns a tensor, or a list of them, summed over all replicas."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def counter(name: str, initial_value: int = 0) -> tf.Variable:
    """Returns an int64 scalar to which all replicas assign the same value."""
    return tf.Variable(
        initial_value,
        trainable=False,
        dtype=tf.int64,
        name=name,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
