"""Batches for training and evaluation: order, range, Bernoulli draws.

No data-set names here. Everything random is a function of (seed, epoch, step),
so a resumed run draws what an undisturbed one would.
"""

import tensorflow as tf

from tfvae.data.split import Seed, Split

ORDER, TRAIN_PIXELS, FIXED_PIXELS = range(3)  # streams of random numbers


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
    first_step: int = 0,
) -> tf.data.Dataset:
    """Batches of all epochs in a row, each epoch shuffled anew.

    Args:
      split: the examples.
      batch_size: global; the last batch of an epoch may be shorter.
      seed: of the order and of dynamic binarisation.
      num_epochs: epochs of the run.
      binarize: "none", "static" (one draw for all epochs) or "dynamic" (drawn
        anew each epoch).
      first_step: steps of the run that are already done and are left out.

    Returns:
      Dataset of x: [batch, *event_shape], float32.
    """
    first_epoch, skipped = divmod(first_step, num_batches(split, batch_size))
    order_seed, pixel_seed = _seed(seed, ORDER), _seed(seed, TRAIN_PIXELS)

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        batches = split.shuffled(batch_size, _fold(order_seed, epoch))
        batches = batches.enumerate().skip(
            tf.where(epoch == first_epoch, tf.cast(skipped, tf.int64), 0)
        )
        epoch_seed = _fold(pixel_seed, epoch)
        return batches.map(
            lambda step, x: _prepare(
                x, split.divisor, binarize == "dynamic", _fold(epoch_seed, step)
            ),
            tf.data.AUTOTUNE,
        )

    epochs = tf.data.Dataset.range(first_epoch, num_epochs)
    return epochs.flat_map(epoch_batches).prefetch(tf.data.AUTOTUNE)


def eval_batches(
    split: Split, batch_size: int, *, seed: int, binarize: str = "none"
) -> tf.data.Dataset:
    """One pass in the source's order, the same at every call.

    Args:
      split: the examples.
      batch_size: global; the last batch may be shorter.
      seed: of the one Bernoulli draw of each pixel.
      binarize: as in `train_batches`; "dynamic" data are drawn once here.

    Returns:
      Dataset of x: [batch, *event_shape], float32.
    """
    pixel_seed = _seed(seed, FIXED_PIXELS)
    batches = split.ordered(batch_size).enumerate()
    batches = batches.map(
        lambda step, x: _prepare(
            x, split.divisor, binarize == "dynamic", _fold(pixel_seed, step)
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


def _prepare(x: tf.Tensor, divisor: float, draw: bool, seed: Seed) -> tf.Tensor:
    x = tf.cast(x, tf.float32) / divisor
    return bernoulli_draw(x, seed) if draw else x


def _seed(seed: int, stream: int) -> Seed:
    return tf.constant([seed, stream], tf.int64)


def _fold(seed: Seed, data: tf.Tensor) -> Seed:
    return tf.random.experimental.stateless_fold_in(seed, data, alg="philox")
