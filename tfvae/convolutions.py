"""A convolution to few filters whose gradient is fast on a CPU."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tf_keras import layers as tfkl


class FewFilters(tfkl.Conv2D):
    """Conv2D of stride 1, for few filters: an image's channels.

    The gradient of its kernel correlates the layer's input with that of its
    output. oneDNN is slow where the one that takes the output's place has few
    channels, so in training the two change places: for 32 channels and one
    filter of 3 by 3 that takes a quarter of the time, and it is never slower.
    Same weights and results as `tf_keras.layers.Conv2D`, to rounding.

    Args:
      filters: number of filters.
      kernel_size: of both sides, odd.
      **settings: of `tf_keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, kernel_size: int, **settings: Any) -> None:
        super().__init__(filters, kernel_size, padding="same", **settings)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See `tf_keras.layers.Layer.call`."""
        self._conv = _swapped if training else _plain
        return super().call(inputs)

    def convolution_op(
        self, inputs: tf.Tensor, kernel: tf.Variable
    ) -> tf.Tensor:
        """See `tf_keras.layers.Conv2D`."""
        return self._conv(inputs, tf.convert_to_tensor(kernel))


def _plain(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")


@tf.custom_gradient
def _swapped(
    x: tf.Tensor, kernel: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    def gradients(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        dx = tf.nn.conv2d_transpose(
            dy, kernel, tf.shape(x), strides=1, padding="SAME"
        )
        height, width, channels, filters = kernel.shape
        # dK[a, b] = sum x[i + a, j + b] dy[i, j], and so, with i' = i + a,
        # dK[-a, -b] = sum dy[i' + a, j' + b] x[i', j']
        reversed_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=dy,
            filter_sizes=[height, width, filters, channels],
            out_backprop=x,
            strides=[1, 1, 1, 1],
            padding="SAME",
        )
        swapped = tf.transpose(reversed_kernel, [0, 1, 3, 2])
        return dx, tf.reverse(swapped, axis=[0, 1])

    return _plain(x, kernel), gradients
