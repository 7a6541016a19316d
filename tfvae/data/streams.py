"""Records on disk: held in memory where they fit, else read at each pass."""

import numpy as np
import tensorflow as tf

from tfvae.data import arrays, pipeline
from tfvae.data.preparation import Preparation, Shape
from tfvae.data.sources import PARTS, Arrays, Source
from tfvae.data.spec import DataSpec
from tfvae.data.split import (
    Decoder,
    Record,
    Split,
    Splits,
    StreamSplit,
    decoded,
)

SHUFFLE_BYTES = 64 * 2**20
RECORD_BYTES = 400  # of a record in tf.data's memory, beside its values
NUM_PROBED = 1000
MOST_PROBED = 2**24  # numbers
READ_BATCH = 32


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
      records: {part: dataset of single records, not decoded yet}.
      decode: from a record to (image `shape`, label or -1).
      sizes: {part: number of records}.
      shape: of every decoded image.
      num_classes: of the labels, or None.
      preparation: what is asked of the values.
    """
    decode = _shaped(decode, shape)
    image = records["train"].map(decode).element_spec[0]
    image_size = image.shape.num_elements()
    total_bytes = sum(sizes.values()) * image_size * image.dtype.size
    if total_bytes <= preparation.max_resident_bytes:
        source = {
            part: _collect(records[part], decode, sizes[part], shape)
            for part in PARTS
        }
        return arrays.to_splits(Source(source), preparation)
    num_probed = max(1, min(NUM_PROBED, MOST_PROBED // image_size))
    probed = records["train"].take(num_probed)
    head = _collect(probed, decode, min(num_probed, sizes["train"]), shape)[0]
    divisor = arrays.range_of({"train": head})
    found = arrays.support_of({"train": head}, divisor)
    support = preparation.support(found)
    levels = arrays.levels_of(head.dtype, divisor, found)
    spec = DataSpec(shape, num_classes, support, preparation.levels(levels))
    if found == "binary" and divisor != 1:
        decode, divisor = _divided(decode, divisor), 1.0
    shuffle_buffer = _fitting(probed, SHUFFLE_BYTES)
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
            shuffle_buffer=shuffle_buffer,
            dequantized=preparation.dequantize,
        )
    return Splits(splits["train"], splits["validation"], splits["test"], spec)


def _collect(
    records: tf.data.Dataset, decode: Decoder, num_examples: int, shape: Shape
) -> Arrays:
    """Returns (x [n, *shape], y [n] or None where the labels are -1)."""
    batches = decoded(records, decode, READ_BATCH)
    dtype = batches.element_spec[0].dtype.as_numpy_dtype
    x = np.empty([num_examples, *shape], dtype)
    y = np.empty([num_examples], np.int64)
    first = 0
    for images, labels in batches.as_numpy_iterator():
        last = first + len(labels)
        x[first:last], y[first:last] = images, labels
        first = last
    assert first == num_examples, "the number of records is another"
    return x, None if (y < 0).all() else y


def _fitting(records: tf.data.Dataset, most_bytes: int) -> int:
    """Returns how many records like these fit, undecoded, into so many."""

    def num_bytes(record: Record) -> tf.Tensor:
        parts = [
            tf.strings.length(part)
            if part.dtype == tf.string
            else tf.size(part) * part.dtype.size
            for part in tf.nest.flatten(record)
        ]
        return RECORD_BYTES + tf.add_n(parts)

    sizes = list(records.map(num_bytes).as_numpy_iterator())
    return max(1, int(most_bytes / np.mean(sizes)))


def _shaped(decode: Decoder, shape: Shape) -> Decoder:
    """Returns a decoder whose images have a static shape."""

    def decode_shaped(record: Record) -> tuple[tf.Tensor, tf.Tensor]:
        x, label = decode(record)
        return tf.ensure_shape(x, shape), label

    return decode_shaped


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
