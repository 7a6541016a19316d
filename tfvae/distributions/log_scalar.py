"""One trainable number above 0 that every dimension of x shares."""

import math
from typing import Any

import tensorflow as tf
import tf_keras

# Adam moves a variable by about its learning rate a step, so at 1e-3 a plain
# log c would take thousands of steps to fall from 1 to 0.01. SGD moves it by
# the gradient, and with as large a gain would not be stable at 0.1.
GAIN, SGD_GAIN = 50.0, 20.0


class LogScalar:
    """s = exp(gain * v), with v a variable of a layer.

    d/dlog s of -log p(x|z) grows with D, the number of dimensions. With D, the
    information and the gain divided out, a step on v is a natural gradient
    step on log s, and one learning rate fits s and the networks under every
    optimizer.

    Args:
      layer: that owns v.
      name: of v.
      initial: s at the start.
      trainable: whether the optimizer moves v; else the gain is 1.
      information: Fisher information of one dimension on log s.
      smallest: s is clipped from below here.
      largest: s is clipped from above here.

    Attributes:
      gain: see above.
      variable: v.
    """

    def __init__(
        self,
        layer: tf_keras.layers.Layer,
        name: str,
        initial: float,
        *,
        trainable: bool = True,
        information: float = 1.0,
        smallest: float = 0.0,
        largest: float = math.inf,
    ) -> None:
        self.gain = GAIN if trainable else 1.0
        self._information = information
        self._lower = math.log(smallest) / self.gain if smallest else -math.inf
        self._upper = math.log(largest) / self.gain
        self.variable = layer.add_weight(
            name=name,
            shape=[],
            initializer=tf.constant_initializer(self._v_of(initial)),
            trainable=trainable,
            aggregation=tf.VariableAggregation.MEAN,
        )

    def set(self, s: float) -> None:
        """Makes s another number.

        Args:
          s: above 0; where it lies beyond a bound, the bound is taken.
        """
        self.variable.assign(self._v_of(s))

    def value(self) -> tf.Tensor:
        """Returns s: scalar."""
        v = tf.convert_to_tensor(self.variable)
        return tf.exp(self.gain * _clip(v, self._lower, self._upper))

    def fitted(self, num_dims: int) -> tf.Tensor:
        """Returns s, its gradient made independent of the number of dimensions.

        Args:
          num_dims: D, over which log p(x|z) is summed.
        """
        if not self.variable.trainable:
            return self.value()
        return _scale_gradient(
            self.value(),
            SGD_GAIN / (num_dims * self._information * self.gain**2),
        )

    def _v_of(self, s: float) -> float:
        return math.log(s) / self.gain


def _clip(value: tf.Tensor, lower: float, upper: float) -> tf.Tensor:
    """Returns the value clipped; its gradient passes where it points inwards.

    With the gradient of a plain clip, a variable that an optimizer carried
    past a bound would stay there for good.
    """

    @tf.custom_gradient
    def clip(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            outwards = ((x < lower) & (upstream > 0)) | (
                (x > upper) & (upstream < 0)
            )
            return tf.where(outwards, tf.zeros_like(upstream), upstream)

        return tf.clip_by_value(x, lower, upper), gradient

    return clip(value)


def _scale_gradient(value: tf.Tensor, factor: float) -> tf.Tensor:
    """Returns `value`, whose gradient is multiplied by `factor`."""

    @tf.custom_gradient
    def identity(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
        return tf.identity(x), lambda upstream: factor * upstream

    return identity(value)
