"""Batches for training and evaluation: order, range, draws of pixels.

No data-set names here. Everything random is a function of (seed, epoch, step),
so a resumed run draws what an undisturbed one would.
"""

from collections.abc import Callable

import tensorflow as tf

from tfvae.data.split import Seed, Split

ORDER, TRAIN_PIXELS, FIXED_PIXELS = range(3)  # streams of random numbers
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
      first_step: steps of the run that are already done and are left out.

    Returns:
      Dataset of x: [batch, *event_shape], float32.
    """
    prepare = _preparer(split, binarize, dequantize)
    first_epoch, skipped = divmod(first_step, num_batches(split, batch_size))
    order_seed, pixel_seed = _seed(seed, ORDER), _seed(seed, TRAIN_PIXELS)

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        batches = split.shuffled(batch_size, _fold(order_seed, epoch))
        batches = batches.enumerate().skip(
            tf.where(epoch == first_epoch, tf.cast(skipped, tf.int64), 0)
        )
        epoch_seed = _fold(pixel_seed, epoch)
        return batches.map(
            lambda step, x: prepare(x, _fold(epoch_seed, step)),
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
) -> tf.data.Dataset:
    """One pass in the source's order, the same at every call.

    Args:
      split: the examples.
      batch_size: global; the last batch may be shorter.
      seed: of the one draw of each pixel.
      binarize: as in `train_batches`; "dynamic" data are drawn once here.
      dequantize: as in `train_batches`; the noise is drawn once here.

    Returns:
      Dataset of x: [batch, *event_shape], float32.
    """
    prepare = _preparer(split, binarize, dequantize)
    pixel_seed = _seed(seed, FIXED_PIXELS)
    batches = split.ordered(batch_size).enumerate()
    batches = batches.map(
        lambda step, x: prepare(x, _fold(pixel_seed, step)), tf.data.AUTOTUNE
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


def _preparer(
    split: Split, binarize: str, dequantize: bool
) -> Callable[[tf.Tensor, Seed], tf.Tensor]:
    """Returns a function from (a split's batch, seed) to what a model sees."""
    assert dequantize == split.dequantized, "the split is prepared otherwise"

    def prepare(x: tf.Tensor, seed: Seed) -> tf.Tensor:
        x = tf.cast(x, tf.float32)
        if dequantize:
            return uniform_dequantized(x, levels=split.divisor, seed=seed)
        x = x / split.divisor
        return bernoulli_draw(x, seed) if binarize == "dynamic" else x

    return prepare


def _seed(seed: int, stream: int) -> Seed:
    return tf.constant([seed, stream], tf.int64)


def _fold(seed: Seed, data: tf.Tensor) -> Seed:
    return tf.random.experimental.stateless_fold_in(seed, data, alg="philox")
