"""Stacks of layers without probability: dense and convolutional.

A trunk is any tf_keras layer or model; these are the ones that come along. An
encoder's trunk takes x, a decoder's takes z.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import tf_keras
from tf_keras import layers as tfkl

Policy: TypeAlias = str | tf_keras.mixed_precision.Policy


def dense(
    hidden_units: Sequence[int],
    *,
    activation: str = "relu",
    dtype: Policy = "float32",
    name: str = "dense_trunk",
) -> tf_keras.Sequential:
    """Flattens, then one dense layer for each number of `hidden_units`.

    Returns:
      A stack from [batch, ...] to [batch, hidden_units[-1]].
    """
    layers = [tfkl.Flatten(dtype=dtype)]
    for units in hidden_units:
        layers.append(tfkl.Dense(units, activation=activation, dtype=dtype))
    return tf_keras.Sequential(layers, name=name)


def conv_down(
    filters: Sequence[int],
    hidden_units: Sequence[int],
    *,
    activation: str = "relu",
    dtype: Policy = "float32",
) -> tf_keras.Sequential:
    """Convolutions of stride 2, one for each of `filters`, then dense layers.

    Returns:
      A stack from [batch, height, width, channels] to [batch, features]; any
      height and width will do.
    """
    layers: list[tfkl.Layer] = [
        tfkl.Conv2D(
            count, 3, strides=2, padding="same", activation=activation,
            dtype=dtype,
        )
        for count in filters
    ]  # fmt: skip
    layers.append(dense(hidden_units, activation=activation, dtype=dtype))
    return tf_keras.Sequential(layers, name="conv_trunk")


def conv_up(
    filters: Sequence[int],
    hidden_units: Sequence[int],
    image_size: tuple[int, int],
    *,
    activation: str = "relu",
    dtype: Policy = "float32",
) -> tf_keras.Sequential:
    """The mirror image of `conv_down`.

    Each transposed convolution doubles height and width; where halving had
    rounded up, the extra row or column is cropped again.

    Args:
      filters: as given to `conv_down`.
      hidden_units: as given to `conv_down`.
      image_size: (height, width) of x.
      activation: between layers.
      dtype: policy of the layers.

    Returns:
      A stack from [batch, latent_dim] to [batch, height, width, filters[0]].
    """
    sizes = [image_size]
    for _ in filters:
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    smallest = (*sizes.pop(), filters[-1])
    units = smallest[0] * smallest[1] * smallest[2]
    layers: list[tfkl.Layer] = [
        dense([*reversed(hidden_units), units], activation=activation,
              dtype=dtype),
        tfkl.Reshape(smallest, dtype=dtype),
    ]  # fmt: skip
    doubled = smallest[:2]
    for count, size in zip(reversed(filters), reversed(sizes), strict=True):
        layers.append(
            tfkl.Conv2DTranspose(
                count, 3, strides=2, padding="same", activation=activation,
                dtype=dtype,
            )
        )  # fmt: skip
        extra = (2 * doubled[0] - size[0], 2 * doubled[1] - size[1])
        if any(extra):
            crop = ((0, extra[0]), (0, extra[1]))
            layers.append(tfkl.Cropping2D(crop, dtype=dtype))
        doubled = size
    return tf_keras.Sequential(layers, name="conv_trunk")


def _make_dense(
    event_shape: tuple[int, ...],
    filters: Sequence[int],
    hidden_units: Sequence[int],
    **settings: Any,
) -> tuple[tfkl.Layer, tfkl.Layer]:
    del event_shape, filters
    mirrored = list(reversed(hidden_units))
    return dense(hidden_units, **settings), dense(mirrored, **settings)


def _make_conv(
    event_shape: tuple[int, ...],
    filters: Sequence[int],
    hidden_units: Sequence[int],
    **settings: Any,
) -> tuple[tfkl.Layer, tfkl.Layer]:
    height, width, _ = event_shape
    down = conv_down(filters, hidden_units, **settings)
    return down, conv_up(filters, hidden_units, (height, width), **settings)


# Each makes (encoder's trunk, decoder's trunk).
TRUNKS: dict[str, Callable[..., tuple[tfkl.Layer, tfkl.Layer]]] = {
    "mlp": _make_dense,
    "conv": _make_conv,
}
