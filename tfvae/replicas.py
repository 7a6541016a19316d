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


@dataclasses.dataclass(frozen=True)
class WorkerShare:
    """Which replicas of all are this worker's, and so which rows it needs.

    Attributes:
      first: its first replica.
      end: the one after its last.
      num_replicas: of all workers.
    """

    first: int
    end: int
    num_replicas: int

    @property
    def is_all(self) -> bool:
        """Whether no other worker has a replica."""
        return self.end - self.first == self.num_replicas

    def rows(self, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the first row of a global batch that it needs, and the end.

        Args:
          size: scalar, rows of the global batch.
        """
        most = _most_rows(size, self.num_replicas)
        return (
            tf.minimum(self.first * most, size),
            tf.minimum(self.end * most, size),
        )

    def of_replicas(self, batch: Any) -> tf.data.Dataset:
        """Returns the rows of each of its replicas, one after the other.

        Args:
          batch: of tensors [global_batch, ...].
        """
        size = tf.shape(tf.nest.flatten(batch)[0])[0]
        most = _most_rows(size, self.num_replicas)

        def rows_of(replica: tf.Tensor) -> Any:
            first = tf.cast(replica, tf.int32) * most
            return tf.nest.map_structure(
                lambda values: values[first : first + most], batch
            )

        return tf.data.Dataset.range(self.first, self.end).map(rows_of)


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


def own_share(size: tf.Tensor) -> BatchShare:
    """Returns the share of a replica that takes its `own_rows`.

    Args:
      size: scalar, rows of the global batch.
    """
    context = tf.distribute.get_replica_context()
    most = _most_rows(size, context.num_replicas_in_sync)
    first = context.replica_id_in_sync_group * most
    return BatchShare(tf.minimum(first, size), size)


def own_rows(values: tf.Tensor) -> tf.Tensor:
    """Returns this replica's rows of a tensor that every replica holds whole.

    Args:
      values: [global_batch, ...].

    Returns:
      rows: [local_batch, ...], equally many on all replicas but for the last
        ones, which may have fewer, or none.
    """
    context = tf.distribute.get_replica_context()
    num_replicas = context.num_replicas_in_sync
    if num_replicas == 1:
        return values
    most = _most_rows(tf.shape(values)[0], num_replicas)
    first = context.replica_id_in_sync_group * most
    return values[first : first + most]


def fill_empty_share(
    x: tf.Tensor, condition: dict[str, tf.Tensor], weight: tf.Tensor | None
) -> tuple[tf.Tensor, dict[str, tf.Tensor], tf.Tensor | None]:
    """Gives a replica without examples one of weight zero.

    A last batch can be smaller than the number of replicas, and convolutions
    fail on no examples on a CPU (oneDNN returns the input's shape).

    Args:
      x: [local_batch, ...].
      condition: {name: [local_batch, ...]}.
      weight: [local_batch], or None for equal weights.

    Returns:
      x, condition and weight, of at least one example; unchanged on a single
      replica.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return x, condition, weight
    size = tf.shape(x)[0]
    missing = tf.cast(size == 0, tf.int32)
    if weight is None:
        weight = tf.ones([size])

    def filled(values: tf.Tensor) -> tf.Tensor:
        return tf.pad(
            values, [[0, missing]] + [[0, 0]] * (values.shape.rank - 1)
        )

    return filled(x), tf.nest.map_structure(filled, condition), filled(weight)


def sum_over_replicas(values: Any) -> Any:
    """Returns a tensor, or a list of them, summed over all replicas."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def gather_batch(
    values: list[tf.Tensor], weight: tf.Tensor | None
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Returns tensors of the global batch; gradients flow back to each replica.

    Args:
      values: each [local_batch, ...].
      weight: [local_batch], or None; examples of weight 0 are left out.

    Raises:
      tf.errors.InvalidArgumentError: on several replicas, where one execution
        of several steps meets batches of different sizes.

    Returns:
      values: each [global_batch, ...], in the order of the global batch.
      rows: [local_batch], index there of each of this replica's examples; of
        one that is left out, the index of another.
    """
    context = tf.distribute.get_replica_context()
    place = tf.range(tf.shape(values[0])[0])
    if weight is not None:
        kept = weight > 0
        values = [tf.boolean_mask(value, kept) for value in values]
        place = tf.maximum(tf.cumsum(tf.cast(kept, tf.int32)) - 1, 0)
    share = batch_share(values[0])
    if context.num_replicas_in_sync > 1:
        # One by one: the gradient of a joint gather needs equal shapes.
        values = [
            tf.ensure_shape(context.all_gather(v, axis=0), [None, *v.shape[1:]])
            for v in values
        ]
    return values, tf.minimum(share.first + place, share.num_examples - 1)


def _most_rows(size: tf.Tensor, num_replicas: int) -> tf.Tensor:
    return -(-size // num_replicas)


def counter(name: str, initial_value: int = 0) -> tf.Variable:
    """Returns an int64 scalar to which all replicas assign the same value."""
    return tf.Variable(
        initial_value,
        trainable=False,
        dtype=tf.int64,
        name=name,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
