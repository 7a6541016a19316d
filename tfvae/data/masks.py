"""Which pixels of an image are seen: random and fixed masks by name.

A mask is 1 where a pixel is seen and 0 where it is hidden. At least one pixel
is seen and one hidden wherever that can be:

- Of an odd side, the middle row or column belongs to the lower or left half,
  and so does all of a side of one pixel. `left`, `right` and `two_quadrants`
  therefore see all or nothing of an image one pixel wide, `top` and `bottom`
  of one that is one pixel high, `three_quadrants` all of either.
- A single pixel is hidden by `blocks`, `scattered`, `border`, `right` and
  `top`, and seen by the others.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from tfvae.data.split import Seed
from tfvae.errors import InputError

ALGORITHM = "philox"
SCATTERED_PROBS = (0.1, 0.9)  # smallest and largest probability to be seen

# From (num, height, width, seed) to what is seen: [num, height, width] bool.
Maker: TypeAlias = Callable[[tf.Tensor, int, int, Seed], tf.Tensor]


def draw_masks(
    name: str, num: tf.Tensor | int, height: int, width: int, seed: Seed
) -> tf.Tensor:
    """Masks of one kind; random ones are drawn anew for each example.

    Args:
      name: one of `MASKS`. Drawn: `halves` (one of the four sides is seen, up
        to a cut), `quadrants` (one, two or three of four are seen), `blocks`
        (a rectangle is hidden), `scattered` (each pixel is seen with a
        probability that is drawn for the image), `mixed` (any of these,
        equally likely). Fixed, by what is seen: `left`, `right`, `top`,
        `bottom`, `quadrant` (lower left), `two_quadrants` (left half),
        `three_quadrants` (all but the upper right), `border` (all but a block
        in the middle of half the sides).
      num: of masks, scalar.
      height: of an image, in pixels.
      width: of an image, in pixels.
      seed: [2] int64. Mask i depends on it and on i alone, not on `num`; in
        code compiled by XLA it is another one.

    Returns:
      masks: [num, height, width, 1] float32, 1 = seen, 0 = hidden.

    Raises:
      InputError: there are no masks of that name.
    """
    if name not in MASKS:
        raise InputError(
            f"`mask` must be one of {', '.join(MASKS)}; got {name}."
        )
    seen = MASKS[name](num, height, width, seed)
    return tf.cast(seen, tf.float32)[..., tf.newaxis]


def _halves(num: tf.Tensor, height: int, width: int, seed: Seed) -> tf.Tensor:
    """Seen up to a cut at one to three quarters of the way from a side."""
    row, column = np.indices([height, width], np.float32)
    sides = [
        (column, width),
        (width - 1 - column, width),
        (row, height),
        (height - 1 - row, height),
    ]
    # A side of one pixel cannot be cut.
    sides = [side for side in sides if side[1] > 1] or sides[:1]
    distance, sizes = zip(*sides, strict=True)
    u_side, u_cut = _uniforms(num, 2, seed)
    side = tf.cast(_whole(u_side, 0, len(sides) - 1), tf.int32)
    low, high = np.transpose([_quarters(size) for size in sizes])
    cut = _whole(u_cut, tf.gather(low, side), tf.gather(high, side))
    return tf.gather(np.stack(distance), side) < _per_image(cut)


def _quadrants(
    num: tf.Tensor, height: int, width: int, seed: Seed
) -> tf.Tensor:
    """One, two or three quadrants are seen; first how many, then which."""
    is_left, is_lower = _left_and_lower(height, width)
    # An image one pixel high or wide has two quadrants, not four.
    names, part = np.unique(2 * is_left + is_lower, return_inverse=True)
    u_count, *u_parts = _uniforms(num, 1 + len(names), seed)
    count = _whole(u_count, 1, len(names) - 1)
    # Ranks of independent draws are a random order.
    order = tf.argsort(tf.argsort(tf.stack(u_parts, axis=1)))
    is_seen = tf.cast(order, tf.float32) < count[:, tf.newaxis]
    return tf.gather(is_seen, part.reshape(height, width), axis=1)


def _blocks(num: tf.Tensor, height: int, width: int, seed: Seed) -> tf.Tensor:
    """A rectangle with sides of one to three quarters is hidden."""
    u = _uniforms(num, 4, seed)
    in_rows = _intervals(height, u[0], u[1])
    in_columns = _intervals(width, u[2], u[3])
    return ~(in_rows[:, :, tf.newaxis] & in_columns[:, tf.newaxis, :])


def _intervals(size: int, u_length: tf.Tensor, u_first: tf.Tensor) -> tf.Tensor:
    """Returns where a random interval of a side lies: [num, size] bool."""
    length = _whole(u_length, *_quarters(size))
    first = _whole(u_first, 0, size - length)
    # [num, size]
    offset = np.arange(size, dtype=np.float32) - first[:, tf.newaxis]
    return (offset >= 0) & (offset < length[:, tf.newaxis])


def _scattered(
    num: tf.Tensor, height: int, width: int, seed: Seed
) -> tf.Tensor:
    """Each pixel is seen with the image's own probability."""
    u = _uniform([num, 1 + height * width], seed)
    low, high = SCATTERED_PROBS
    prob, u = low + (high - low) * u[:, :1], u[:, 1:]
    # The lowest draw is always seen and the highest always hidden.
    least = tf.reduce_min(u, axis=1, keepdims=True)
    most = tf.reduce_max(u, axis=1, keepdims=True)
    seen = (u <= tf.maximum(prob, least)) & (u < most)
    return tf.reshape(seen, [num, height, width])


def _mixed(num: tf.Tensor, height: int, width: int, seed: Seed) -> tf.Tensor:
    """Each image's mask is from one of the families, equally likely."""
    # One of an image's four masks is kept, so all may have the same seed.
    choice_seed, mask_seed = tf.unstack(
        tf.random.experimental.stateless_split(seed, 2, alg=ALGORITHM)
    )
    (u,) = _uniforms(num, 1, choice_seed)
    family = _whole(u, 0, len(FAMILIES) - 1)
    seen = tf.zeros([num, height, width], tf.bool)
    for index, make in enumerate(FAMILIES.values()):
        masks = make(num, height, width, mask_seed)
        seen |= masks & _per_image(family == index)
    return seen


def _fixed(make: Callable[[int, int], np.ndarray]) -> Maker:
    """Returns what repeats make(height, width), [height, width] bool."""

    def repeat(
        num: tf.Tensor, height: int, width: int, seed: Seed
    ) -> tf.Tensor:
        del seed  # nothing is drawn
        return tf.tile(make(height, width)[np.newaxis], [num, 1, 1])

    return repeat


def _left(height: int, width: int) -> np.ndarray:
    return _left_and_lower(height, width)[0]


def _bottom(height: int, width: int) -> np.ndarray:
    return _left_and_lower(height, width)[1]


# Named functions, not lambdas: of several lambdas in one place TensorFlow
# cannot tell the source when it traces them, and warns.
def _right(height: int, width: int) -> np.ndarray:
    return ~_left(height, width)


def _top(height: int, width: int) -> np.ndarray:
    return ~_bottom(height, width)


def _lower_left(height: int, width: int) -> np.ndarray:
    return _left(height, width) & _bottom(height, width)


def _all_but_upper_right(height: int, width: int) -> np.ndarray:
    return _left(height, width) | _bottom(height, width)


def _border(height: int, width: int) -> np.ndarray:
    """All but a block as near to the middle as whole pixels permit."""
    mask = np.ones([height, width], bool)
    rows, columns = (max(1, size // 2) for size in mask.shape)
    top, left = (height - rows) // 2, (width - columns) // 2
    mask[top : top + rows, left : left + columns] = False
    return mask


FAMILIES: dict[str, Maker] = {
    "halves": _halves,
    "quadrants": _quadrants,
    "blocks": _blocks,
    "scattered": _scattered,
}
FIXED: dict[str, Callable[[int, int], np.ndarray]] = {
    "left": _left,
    "right": _right,
    "top": _top,
    "bottom": _bottom,
    "quadrant": _lower_left,
    "two_quadrants": _left,
    "three_quadrants": _all_but_upper_right,
    "border": _border,
}
RANDOM: tuple[str, ...] = (*FAMILIES, "mixed")
MASKS: dict[str, Maker] = {
    **FAMILIES,
    "mixed": _mixed,
    **{name: _fixed(make) for name, make in FIXED.items()},
}


def _left_and_lower(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns which pixels lie in which half: two of [height, width] bool."""
    row, column = np.indices([height, width])
    return column < (width + 1) // 2, row >= height // 2


def _quarters(size: int) -> tuple[int, int]:
    """Returns the least and the most whole pixels between 1/4 and 3/4."""
    return (size + 3) // 4, 3 * size // 4


def _whole(
    u: tf.Tensor, low: tf.Tensor | int, high: tf.Tensor | int
) -> tf.Tensor:
    """Returns float32 whole numbers from low to high, both included.

    It is low where there are none, as high is low - 1: of a side of one pixel
    no part lies between a quarter and three quarters, so all of it is taken.
    """
    low, high = tf.cast(low, tf.float32), tf.cast(high, tf.float32)
    return low + tf.floor(u * (high - low + 1))


def _uniforms(num: tf.Tensor, count: int, seed: Seed) -> list[tf.Tensor]:
    """Returns `count` independent draws from U[0, 1) of each image: [num]."""
    return tf.unstack(_uniform([num, count], seed), axis=1)


def _uniform(shape: list[tf.Tensor | int], seed: Seed) -> tf.Tensor:
    # Philox counts along the rows: row i is the same, however many there are.
    return tf.random.stateless_uniform(shape, seed, alg=ALGORITHM)


def _per_image(value: tf.Tensor) -> tf.Tensor:
    """Returns [num] values as [num, 1, 1], to be held against pixels."""
    return value[:, tf.newaxis, tf.newaxis]
