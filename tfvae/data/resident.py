"""Batches of examples that live on the devices, gathered inside the graph.

The same batches, to the bit, as `pipeline` gives of the same split: the order
of an epoch and all that is random depend on (seed, epoch, step) alone.
"""

import dataclasses
from typing import Any

import tensorflow as tf

from tfvae.data import pipeline
from tfvae.data.split import ArraySplit
from tfvae.replicas import own_rows

SCOPE = "input"  # by which a profile tells these operations from the model's


@dataclasses.dataclass(frozen=True)
class View:
    """How a model sees the examples; see `pipeline.train_batches`."""

    seed: int
    binarize: str = "none"
    dequantize: bool = False
    condition: str = "none"
    mask: str = "mixed"

    @property
    def draws(self) -> bool:
        """Whether anything of a batch is random beside its order."""
        return (
            self.dequantize
            or self.binarize == "dynamic"
            or self.condition == "mask"
        )


class Resident:
    """The batches of a split, by epoch and step.

    Args:
      split: the examples; they are copied to every device of the strategy, in
        the dtype in which they are stored.
      batch_size: global.
      view: how a model sees them.
      training: whether each epoch is shuffled and drawn anew; else all passes
        are equal and in the split's order.
      strategy: whose devices hold the examples.
    """

    def __init__(
        self,
        split: ArraySplit,
        batch_size: int,
        view: View,
        *,
        training: bool,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.batch_size = batch_size
        self.num_examples = split.num_examples
        self.num_steps = pipeline.num_batches(split, batch_size)
        self.view = view
        self.training = training
        labelled = view.condition == "label"
        arrays = (split.x, split.y) if labelled else split.x
        self.event_shape = split.x.shape[1:]
        self.tables = tf.nest.map_structure(tf.convert_to_tensor, arrays)
        if strategy.num_replicas_in_sync > 1:
            self.tables = strategy.experimental_distribute_values_from_function(
                lambda _: tf.nest.map_structure(tf.convert_to_tensor, arrays)
            )
        self._prepare = pipeline.preparer(
            split, view.binarize, view.dequantize, view.condition, view.mask
        )

    @property
    def signature(self) -> Any:
        """Of what `prepare` returns for a batch that is not short."""
        x = tf.TensorSpec([self.batch_size, *self.event_shape], tf.float32)
        beside: dict[str, Any] = {
            "label": tf.TensorSpec([self.batch_size], tf.int64),
            "mask": tf.TensorSpec([*x.shape[:-1], 1], tf.float32),
        }
        y = beside.get(self.view.condition)
        return x if y is None else (x, y)

    @tf.function(reduce_retracing=True)
    def order(self, epoch: tf.Tensor) -> tf.Tensor:
        """Returns the examples of an epoch: [num_steps, batch_size] indices.

        Where the last batch is shorter, the first index stands in its place.

        Args:
          epoch: scalar int64, from 0.
        """
        ids = tf.range(self.num_examples)
        if self.training:
            seed = pipeline.order_seed(self.view.seed, epoch)
            ids = tf.random.experimental.stateless_shuffle(ids, seed)
        missing = self.num_steps * self.batch_size - self.num_examples
        ids = tf.concat([ids, tf.repeat(ids[:1], missing)], axis=0)
        return tf.reshape(ids, [self.num_steps, self.batch_size])

    def batch_sizes(self, tables: Any, steps: tf.Tensor) -> tf.Tensor:
        """Returns how many examples the batches of some steps have.

        Args:
          tables: one device's part of `tables`, of this split or another.
          steps: [...] int32, within an epoch.
        """
        num_examples = tf.shape(tf.nest.flatten(tables)[0])[0]
        left = num_examples - steps * self.batch_size
        return tf.minimum(left, self.batch_size)

    def gather(self, tables: Any, ids: tf.Tensor) -> Any:
        """Returns examples as they are stored: x, or (x, y).

        Args:
          tables: one device's part of `tables`.
          ids: [...] indices.
        """
        return tf.nest.map_structure(lambda t: tf.gather(t, ids), tables)

    def prepare(self, examples: Any, epoch: tf.Tensor, step: tf.Tensor) -> Any:
        """Returns what a model sees of a batch: x, or (x, y).

        Args:
          examples: of one batch, as `gather` returns them.
          epoch: scalar.
          step: scalar, within the epoch.
        """
        draw_seeds = (
            pipeline.train_seeds(self.view.seed, tf.cast(epoch, tf.int64))
            if self.training
            else pipeline.eval_seeds(self.view.seed)
        )
        step = tf.cast(step, tf.int64)
        seeds = [pipeline.fold(seed, step) for seed in draw_seeds]
        return self._prepare(examples, *seeds)

    def batch(
        self, tables: Any, order: tf.Tensor, epoch: tf.Tensor, step: tf.Tensor
    ) -> Any:
        """Returns this replica's share of one step's batch: x, or (x, y).

        Args:
          tables: one device's part of `tables`.
          order: of the epoch.
          epoch: scalar.
          step: scalar, within the epoch.
        """
        with tf.name_scope(SCOPE):
            ids = order[step, : self.batch_sizes(tables, step)]
            data = self.prepare(self.gather(tables, ids), epoch, step)
            return tf.nest.map_structure(own_rows, data)
