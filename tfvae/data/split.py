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

from tfvae.data.factors import FactorSpace
from tfvae.data.spec import DataSpec
from tfvae.replicas import WorkerShare

Seed: TypeAlias = tf.Tensor  # [2], int64: a seed of stateless operations
Record: TypeAlias = Any  # tensors, maybe in a dict
Decoder: TypeAlias = Callable[[Record], tuple[tf.Tensor, tf.Tensor]]

NUM_FOR_MEAN = 1000
NUM_LABELS = 1000  # read at once
CHUNK = 32  # records that one call decodes; a call costs as much as a small one
MEAN_NOISE = 0.5  # of U[0, 1)


@dataclasses.dataclass(frozen=True)
class ArraySplit:
    """Examples held in memory, in the source's own dtype.

    Attributes:
      x: [num_examples, *event_shape].
      y: [num_examples] int64 labels, or None.
      divisor: x / divisor is what a model sees.
      dequantized: what a model sees is (x + u) / divisor, u ~ U[0, 1).
    """

    x: np.ndarray
    y: np.ndarray | None
    divisor: float
    dequantized: bool = False

    @property
    def num_examples(self) -> int:
        """Number of examples."""
        return len(self.x)

    def ordered(
        self, batch_size: int, *, labelled: bool = False
    ) -> tf.data.Dataset:
        """Returns batches in the order of the array.

        Args:
          batch_size: the last batch may be shorter.
          labelled: batches of (x, y [batch] int64) instead of x alone.
        """
        ids = tf.range(self.num_examples)
        return self._batches(ids, batch_size, labelled)

    def shuffled(
        self, batch_size: int, seed: Seed, *, labelled: bool = False
    ) -> tf.data.Dataset:
        """Returns batches of every example once, in an order set by `seed`."""
        ids = tf.range(self.num_examples)
        order = tf.random.experimental.stateless_shuffle(ids, seed)
        return self._batches(order, batch_size, labelled)

    def labels(self) -> np.ndarray | None:
        """Returns [num_examples] labels in the order of `ordered`."""
        return self.y

    def mean(self) -> np.ndarray:
        """Returns the mean of what a model sees: [*event_shape]."""
        mean = self.x.mean(axis=0, dtype=np.float64)
        return (mean + MEAN_NOISE * self.dequantized) / self.divisor

    def _batches(
        self, order: tf.Tensor, batch_size: int, labelled: bool
    ) -> tf.data.Dataset:
        arrays = (self.x, self.y) if labelled else self.x
        with tf.init_scope():  # else the table becomes a constant of the graph
            tables = tf.nest.map_structure(tf.convert_to_tensor, arrays)
        starts = tf.data.Dataset.range(0, self.num_examples, batch_size)

        def batch(start: tf.Tensor) -> Any:
            ids = order[start : start + batch_size]
            return tf.nest.map_structure(
                lambda table: tf.gather(table, ids), tables
            )

        return starts.map(batch)


@dataclasses.dataclass(frozen=True)
class StreamSplit:
    """Examples read from disk at each pass.

    Attributes:
      elements: dataset of single records, not decoded yet.
      decode: turns a record into (x [*event_shape], label or -1).
      num_examples: how many records there are.
      divisor: x / divisor is what a model sees.
      shuffle_buffer: number of records that shuffling holds in memory.
      dequantized: what a model sees is (x + u) / divisor, u ~ U[0, 1).
      share: whose rows of a batch are decoded; others are 0. None: all are.
    """

    elements: tf.data.Dataset
    decode: Decoder
    num_examples: int
    divisor: float
    shuffle_buffer: int
    dequantized: bool = False
    share: WorkerShare | None = None

    def ordered(
        self, batch_size: int, *, labelled: bool = False
    ) -> tf.data.Dataset:
        """See `ArraySplit.ordered`; in the source's order."""
        return self._batches(self.elements, batch_size, labelled)

    def shuffled(
        self, batch_size: int, seed: Seed, *, labelled: bool = False
    ) -> tf.data.Dataset:
        """Returns batches of every example once, in an order set by `seed`."""

        def shuffle(seed: Seed) -> tf.data.Dataset:
            # The seed of this function's graph: else TensorFlow mixes in its
            # global one, and fails where that is 0.
            tf.random.set_seed(1)
            return self.elements.shuffle(
                self.shuffle_buffer, seed=tf.reduce_sum(seed)
            )

        records = tf.data.Dataset.from_tensors(seed).flat_map(shuffle)
        return self._batches(records, batch_size, labelled)

    def labels(self) -> np.ndarray | None:
        """Returns [num_examples] labels in the order of `ordered`."""
        labels = self.elements.map(
            lambda record: self.decode(record)[1], tf.data.AUTOTUNE
        )
        batches = labels.batch(NUM_LABELS)
        y = np.concatenate(list(batches.as_numpy_iterator()))
        return None if (y < 0).all() else y

    def mean(self) -> np.ndarray:
        """Returns the mean of what a model sees of the first examples."""
        head = self._batches(self.elements.take(NUM_FOR_MEAN), CHUNK, False)
        total = sum(
            x.sum(axis=0, dtype=np.float64) for x in head.as_numpy_iterator()
        )
        mean = total / min(NUM_FOR_MEAN, self.num_examples)
        return (mean + MEAN_NOISE * self.dequantized) / self.divisor

    def _batches(
        self, records: tf.data.Dataset, batch_size: int, labelled: bool
    ) -> tf.data.Dataset:
        if self.share is None or self.share.is_all:
            batches = decoded(records, self.decode, batch_size)
        else:
            batches = partly_decoded(
                records, self.decode, batch_size, self.share
            )
        return batches if labelled else batches.map(lambda x, _: x)


def decoded(
    records: tf.data.Dataset, decode: Decoder, batch_size: int
) -> tf.data.Dataset:
    """Returns batches of decoded records, in their order.

    Args:
      records: dataset of single ones.
      decode: turns a record into (x [*event_shape], label or -1).
      batch_size: the last batch may be shorter.

    Returns:
      Dataset of (x [batch, *event_shape], y [batch] int64).
    """

    decode_all = _many(records, decode)
    chunks = records.batch(CHUNK).map(decode_all, tf.data.AUTOTUNE)
    return chunks.rebatch(batch_size)


def partly_decoded(
    records: tf.data.Dataset,
    decode: Decoder,
    batch_size: int,
    share: WorkerShare,
) -> tf.data.Dataset:
    """Returns batches like `decoded`, in which other workers' rows are 0.

    Args:
      records: dataset of single ones.
      decode: turns a record into (x [*event_shape], label or -1).
      batch_size: the last batch may be shorter.
      share: of this worker.
    """
    decode_all = _many(records, decode)

    def batch(chunk: Any) -> Any:
        size = tf.shape(tf.nest.flatten(chunk)[0])[0]
        first, end = share.rows(size)
        own = decode_all(tf.nest.map_structure(lambda t: t[first:end], chunk))
        return tf.nest.map_structure(
            lambda values: tf.pad(
                values,
                [[first, size - end]] + [[0, 0]] * (len(values.shape) - 1),
            ),
            own,
        )

    return records.batch(batch_size).map(batch, tf.data.AUTOTUNE)


def _many(records: tf.data.Dataset, decode: Decoder) -> Callable[[Any], Any]:
    """Returns what decodes many records in one call."""

    def decode_one(record: Any) -> tuple[tf.Tensor, tf.Tensor]:
        x, y = decode(record)
        return x, tf.cast(y, tf.int64)

    signature = records.map(decode_one).element_spec
    return lambda chunk: tf.map_fn(
        decode_one, chunk, fn_output_signature=signature
    )


Split = ArraySplit | StreamSplit


@dataclasses.dataclass(frozen=True)
class Splits:
    """A data set, divided, and what is known of it.

    Attributes:
      train: the examples to learn from.
      validation: those to choose by.
      test: those to report on.
      spec: what a model must know.
      factors: what the examples were made from, where it is known.
      log_prob: from x [n, *event_shape], as a model sees it, to the exact
        log p(x) [n], nats, of the data's own density, where it is known.
    """

    train: Split
    validation: Split
    test: Split
    spec: DataSpec
    factors: FactorSpace | None = None
    log_prob: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def level_scale(self) -> float:
        """By how much x was scaled down from levels 1 apart.

        x = k / level_scale, so log p(k) = log p(x) - D log(level_scale) for
        densities. 255 for 8 bits, 256 for 8 bits dequantised (k with its
        noise), 1 for binary or real-valued data and floats.
        """
        levels = self.spec.levels
        return self.train.divisor if levels is None else levels - 1.0
