"""Records on disk: held in memory where they fit, else read at each pass."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.data import arrays, pipeline
from tfvae.data.preparation import Preparation, Shape
from tfvae.data.sources import PARTS, Arrays, Source
from tfvae.data.spec import DataSpec
from tfvae.data.split import Split, Splits, StreamSplit

SHUFFLE_BYTES = 256 * 2**20
NUM_PROBED = 1000
READ_BATCH = 256

Record = Any  # a dict of tensors
Decoder = Callable[[Record], tuple[tf.Tensor, tf.Tensor]]


def to_splits(
    records: dict[str, tf.data.Dataset],
    decode: Decoder,
    sizes: dict[str, int],
    shape: Shape,
    num_classes: int | None,
    preparation: Preparation,
) -> Splits:
    """Returns the examples of records on disk.

    Args:
      records: {part: dataset of single records, each a dict}.
      decode: from a record to (image `shape`, label or -1).
      sizes: {part: number of records}.
      shape: of every decoded image.
      num_classes: of the labels, or None.
      preparation: what is asked of the values.
    """
    head = _collect(records["train"].take(NUM_PROBED), decode, shape)[0]
    image_bytes = head[0].nbytes
    if sum(sizes.values()) * image_bytes <= preparation.max_resident_bytes:
        source = {p: _collect(records[p], decode, shape) for p in PARTS}
        return arrays.to_splits(Source(source), preparation)
    divisor = arrays.range_of({"train": head})
    found = arrays.support_of({"train": head}, divisor)
    support = preparation.support(found)
    levels = arrays.levels_of(head.dtype, divisor, found)
    spec = DataSpec(shape, num_classes, support, preparation.levels(levels))
    if found == "binary" and divisor != 1:
        decode, divisor = _divided(decode, divisor), 1.0
    scale = float(levels) if preparation.dequantize and levels else divisor
    splits: dict[str, Split] = {}
    for index, part in enumerate(PARTS):
        elements, read = records[part], decode
        if preparation.binarize == "static":
            elements = elements.enumerate().map(_numbered)
            read = _drawn(decode, divisor, [preparation.seed, index])
            scale = 1.0
        splits[part] = StreamSplit(
            elements,
            read,
            sizes[part],
            scale,
            shuffle_buffer=max(1, SHUFFLE_BYTES // image_bytes),
            dequantized=preparation.dequantize,
        )
    return Splits(splits["train"], splits["validation"], splits["test"], spec)


def _collect(records: tf.data.Dataset, decode: Decoder, shape: Shape) -> Arrays:
    """Returns (x [n, *shape], y [n] or None where the labels are -1)."""
    examples = records.map(decode, tf.data.AUTOTUNE).batch(READ_BATCH)
    batches = list(examples.as_numpy_iterator())
    x = np.concatenate([batch[0] for batch in batches])
    y = np.concatenate([batch[1] for batch in batches])
    return x.reshape(-1, *shape), None if (y < 0).all() else y


def _divided(decode: Decoder, divisor: float) -> Decoder:
    """Returns a decoder to float32 in [0, 1]."""

    def decode_divided(record: Record) -> tuple[tf.Tensor, tf.Tensor]:
        x, label = decode(record)
        return tf.cast(x, tf.float32) / divisor, label

    return decode_divided


def _numbered(index: tf.Tensor, record: Record) -> Record:
    return {"index": index, "record": record}


def _drawn(decode: Decoder, divisor: float, seed: list[int]) -> Decoder:
    """Returns a decoder of numbered records that draws each pixel once."""

    def decode_drawn(numbered: Record) -> tuple[tf.Tensor, tf.Tensor]:
        x, label = decode(numbered["record"])
        pixel_seed = tf.random.experimental.stateless_fold_in(
            tf.constant(seed, tf.int64), numbered["index"], alg="philox"
        )
        probs = tf.cast(x, tf.float32) / divisor
        return pipeline.bernoulli_draw(probs, pixel_seed), label

    return decode_drawn
