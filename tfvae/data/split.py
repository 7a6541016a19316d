"""A set of examples, in memory or streamed from disk.

Both kinds give batches in the source's own dtype; `divisor` takes them to the
range that a model sees. Order depends on the seed alone, never on what was
read before, so that a resumed run sees what an undisturbed one would.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfvae.data.spec import DataSpec

Seed: TypeAlias = tf.Tensor  # [2], int64: a seed of stateless operations

NUM_FOR_MEAN = 1000


@dataclasses.dataclass(frozen=True)
class ArraySplit:
    """Examples held in memory, in the source's own dtype.

    Attributes:
      x: [num_examples, *event_shape].
      y: [num_examples] int64 labels, or None.
      divisor: x / divisor is what a model sees.
    """

    x: np.ndarray
    y: np.ndarray | None
    divisor: float

    @property
    def num_examples(self) -> int:
        """Number of examples."""
        return len(self.x)

    def ordered(self, batch_size: int) -> tf.data.Dataset:
        """Returns batches [batch, *event_shape] in the order of the array."""
        return self._batches(tf.range(self.num_examples), batch_size)

    def shuffled(self, batch_size: int, seed: Seed) -> tf.data.Dataset:
        """Returns batches of every example once, in an order set by `seed`."""
        ids = tf.range(self.num_examples)
        order = tf.random.experimental.stateless_shuffle(ids, seed)
        return self._batches(order, batch_size)

    def labels(self) -> np.ndarray | None:
        """Returns [num_examples] labels in the order of `ordered`."""
        return self.y

    def mean(self) -> np.ndarray:
        """Returns the mean of x / divisor over the examples: [*event_shape]."""
        return self.x.mean(axis=0, dtype=np.float64) / self.divisor

    def _batches(self, order: tf.Tensor, batch_size: int) -> tf.data.Dataset:
        with tf.init_scope():  # else the table becomes a constant of the graph
            table = tf.convert_to_tensor(self.x)
        starts = tf.data.Dataset.range(0, self.num_examples, batch_size)
        return starts.map(
            lambda start: tf.gather(table, order[start : start + batch_size])
        )


@dataclasses.dataclass(frozen=True)
class StreamSplit:
    """Examples read from disk at each pass.

    Attributes:
      elements: dataset of single records, each a dict.
      decode: turns a record into (x [*event_shape], label or -1).
      num_examples: how many records there are.
      divisor: x / divisor is what a model sees.
      shuffle_buffer: number of records that shuffling holds in memory.
    """

    elements: tf.data.Dataset
    decode: Callable[[Any], tuple[tf.Tensor, tf.Tensor]]
    num_examples: int
    divisor: float
    shuffle_buffer: int

    def ordered(self, batch_size: int) -> tf.data.Dataset:
        """Returns batches [batch, *event_shape] in the source's order."""
        return self._batches(self.elements, batch_size)

    def shuffled(self, batch_size: int, seed: Seed) -> tf.data.Dataset:
        """Returns batches of every example once, in an order set by `seed`."""

        def shuffle(seed: Seed) -> tf.data.Dataset:
            # The seed of this function's graph: else TensorFlow mixes in its
            # global one, and fails where that is 0.
            tf.random.set_seed(1)
            return self.elements.shuffle(
                self.shuffle_buffer, seed=tf.reduce_sum(seed)
            )

        records = tf.data.Dataset.from_tensors(seed).flat_map(shuffle)
        return self._batches(records, batch_size)

    def labels(self) -> np.ndarray | None:
        """Returns [num_examples] labels in the order of `ordered`."""
        labels = self.elements.map(
            lambda record: self.decode(record)[1], tf.data.AUTOTUNE
        )
        y = np.fromiter(labels.as_numpy_iterator(), np.int64)
        return None if (y < 0).all() else y

    def mean(self) -> np.ndarray:
        """Returns the mean of x / divisor over the first examples."""
        head = next(self.ordered(NUM_FOR_MEAN).as_numpy_iterator())
        return head.mean(axis=0, dtype=np.float64) / self.divisor

    def _batches(
        self, records: tf.data.Dataset, batch_size: int
    ) -> tf.data.Dataset:
        images = records.map(
            lambda record: self.decode(record)[0], tf.data.AUTOTUNE
        )
        return images.batch(batch_size)


Split = ArraySplit | StreamSplit


@dataclasses.dataclass(frozen=True)
class Splits:
    """A data set, divided, and what a model must know of it."""

    train: Split
    validation: Split
    test: Split
    spec: DataSpec
