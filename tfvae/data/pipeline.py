"""Batches for training and evaluation: order, range, random pixels and masks.

No data-set names here. Everything random is a function of (seed, epoch, step),
so a resumed run draws what an undisturbed one would.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfvae.data import masks
from tfvae.data.split import Seed, Split

# Streams of random numbers
ORDER, TRAIN_PIXELS, FIXED_PIXELS, TRAIN_MASKS, FIXED_MASKS = range(5)
EPSILON = 2.0**-23  # of float32


def num_batches(split: Split, batch_size: int) -> int:
    """Returns the number of batches in one pass, a short last one included."""
    return -(-split.num_examples // batch_size)


def train_batches(
    split: Split,
    batch_size: int,
    *,
    seed: int,
    num_epochs: int,
    binarize: str = "none",
    dequantize: bool = False,
    condition: str = "none",
    mask: str = "mixed",
    first_step: int = 0,
) -> tf.data.Dataset:
    """Batches of all epochs in a row, each epoch shuffled anew.

    Args:
      split: the examples.
      batch_size: global; the last batch of an epoch may be shorter.
      seed: of the order, of dynamic binarisation and of dequantisation.
      num_epochs: epochs of the run.
      binarize: "none", "static" (one draw for all epochs) or "dynamic" (drawn
        anew each epoch).
      dequantize: add noise that is drawn anew each epoch; as the split was
        prepared.
      condition: "none", "label" or "mask": what comes with x.
      mask: one of `masks.MASKS`; random ones are drawn anew each epoch.
      first_step: steps of the run that are already done and are left out.

    Returns:
      Dataset of x: [batch, *event_shape], float32; with a condition of (x, y),
      y the labels [batch] int64 or the masks [batch, height, width, 1] float32.
    """
    prepare = preparer(split, binarize, dequantize, condition, mask)
    first_epoch, skipped = divmod(first_step, num_batches(split, batch_size))

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        batches = split.shuffled(
            batch_size,
            order_seed(seed, epoch),
            labelled=condition == "label",
        )
        batches = batches.enumerate().skip(
            tf.where(epoch == first_epoch, tf.cast(skipped, tf.int64), 0)
        )
        seeds = train_seeds(seed, epoch)
        return batches.map(
            lambda step, batch: prepare(
                batch, *(fold(stream, step) for stream in seeds)
            ),
            tf.data.AUTOTUNE,
        )

    epochs = tf.data.Dataset.range(first_epoch, num_epochs)
    return epochs.flat_map(epoch_batches).prefetch(tf.data.AUTOTUNE)


def eval_batches(
    split: Split,
    batch_size: int,
    *,
    seed: int,
    binarize: str = "none",
    dequantize: bool = False,
    condition: str = "none",
    mask: str = "mixed",
) -> tf.data.Dataset:
    """One pass in the source's order, the same at every call.

    Args:
      split: the examples.
      batch_size: global; the last batch may be shorter.
      seed: of the one draw of each pixel.
      binarize: as in `train_batches`; "dynamic" data are drawn once here.
      dequantize: as in `train_batches`; the noise is drawn once here.
      condition: as in `train_batches`.
      mask: as in `train_batches`; random masks are drawn once here.

    Returns:
      Dataset of x, or of (x, y): as of `train_batches`.
    """
    prepare = preparer(split, binarize, dequantize, condition, mask)
    seeds = eval_seeds(seed)
    batches = split.ordered(
        batch_size, labelled=condition == "label"
    ).enumerate()
    batches = batches.map(
        lambda step, batch: prepare(
            batch, *(fold(stream, step) for stream in seeds)
        ),
        tf.data.AUTOTUNE,
    )
    batches = batches.apply(
        tf.data.experimental.assert_cardinality(num_batches(split, batch_size))
    )
    return batches.prefetch(tf.data.AUTOTUNE)


def bernoulli_draw(probs: tf.Tensor, seed: Seed) -> tf.Tensor:
    """Returns x ~ Bernoulli(probs), of the shape and dtype of `probs`."""
    uniform = tf.random.stateless_uniform(
        tf.shape(probs), seed, alg="philox", dtype=probs.dtype
    )
    return tf.cast(uniform < probs, probs.dtype)


def uniform_dequantized(
    x: tf.Tensor, *, levels: float, seed: Seed
) -> tf.Tensor:
    """Spreads whole levels over [0, 1): (x + u) / levels, u ~ U[0, 1).

    For a density p of the result, the mean over u of log p - D log(levels) is
    at most the log-probability that p gives to the levels themselves.

    Args:
      x: [...] float32, whole numbers from 0 to levels - 1.
      levels: how many there are.
      seed: of u.

    Returns:
      x: [...] float32; floor(x * levels) gives the level back.

    References:
      Theis et al., 2016. A note on the evaluation of generative models,
      section 3.1. https://arxiv.org/abs/1511.01844
    """
    # Closer to 1 than this, x + u would be rounded up to the next level.
    highest = 1 - levels * EPSILON
    u = tf.random.stateless_uniform(
        tf.shape(x), seed, maxval=highest, alg="philox", dtype=x.dtype
    )
    return (x + u) / levels


def preparer(
    split: Split, binarize: str, dequantize: bool, condition: str, mask: str
) -> Callable[[Any, Seed, Seed], Any]:
    """Returns what makes of a split's batch, and seeds, what a model sees.

    Args:
      split: whose batches they are.
      binarize: as in `train_batches`, and so are the others.
      dequantize: likewise.
      condition: likewise.
      mask: likewise.

    Returns:
      prepare: from x, or (x, y), of one batch, a seed of its pixels and one
        of its masks to what `train_batches` gives.
    """
    assert dequantize == split.dequantized, "the split is prepared otherwise"

    def pixels(x: tf.Tensor, seed: Seed) -> tf.Tensor:
        x = tf.cast(x, tf.float32)
        if dequantize:
            return uniform_dequantized(x, levels=split.divisor, seed=seed)
        x = x / split.divisor
        return bernoulli_draw(x, seed) if binarize == "dynamic" else x

    def masked(x: tf.Tensor, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
        height, width = x.shape[1:3]
        return x, masks.draw_masks(mask, tf.shape(x)[0], height, width, seed)

    prepare: dict[str, Callable[[Any, Seed, Seed], Any]] = {
        "none": lambda x, seed, _: pixels(x, seed),
        "label": lambda xy, seed, _: (pixels(xy[0], seed), xy[1]),
        "mask": lambda x, seed, mask_seed: masked(pixels(x, seed), mask_seed),
    }
    return prepare[condition]


def order_seed(seed: int, epoch: tf.Tensor) -> Seed:
    """Returns the seed of an epoch's order."""
    return fold(_seed(seed, ORDER), epoch)


def train_seeds(seed: int, epoch: tf.Tensor) -> tuple[Seed, Seed]:
    """Returns an epoch's seeds of pixels and masks, to be folded by step."""
    pixels, masks = _seed(seed, TRAIN_PIXELS), _seed(seed, TRAIN_MASKS)
    return fold(pixels, epoch), fold(masks, epoch)


def eval_seeds(seed: int) -> tuple[Seed, Seed]:
    """Returns the seeds of pixels and masks of every pass of evaluation."""
    return _seed(seed, FIXED_PIXELS), _seed(seed, FIXED_MASKS)


def fold(seed: Seed, data: tf.Tensor) -> Seed:
    """Returns the seed of one of many draws that share a seed."""
    return tf.random.experimental.stateless_fold_in(seed, data, alg="philox")


def _seed(seed: int, stream: int) -> Seed:
    return tf.constant([seed, stream], tf.int64)
