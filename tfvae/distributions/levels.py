"""Distributions of x on the levels k / (levels - 1), k = 0, ..., levels - 1.

A value between levels is taken at the nearest, so log_prob is always of a mass.
"""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfvae.distributions.cells import Family


class Quantized(tfd.Distribution):
    """Level k has the mass of a density on its cell (k -+ 1/2) / (levels - 1).

    The cells of the lowest and of the highest level take the tails.

    Args:
      family: of the density.
      loc: of the density, on the scale of x.
      scale: of the density; broadcasts with `loc`.
      levels: how many.
    """

    def __init__(
        self,
        family: Family,
        loc: tf.Tensor,
        scale: tf.Tensor,
        levels: int,
        name: str = "Quantized",
    ) -> None:
        parameters = {"loc": loc, "scale": scale}
        self.loc, self.scale = loc, scale
        self._family, self._top = family, levels - 1
        super().__init__(
            dtype=tf.float32,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> Any:
        return {
            "loc": tfp.util.ParameterProperties(),
            "scale": tfp.util.ParameterProperties(),
        }

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        k = nearest_level(x, self._top)
        center = (k / self._top - self.loc) / self.scale
        width = 1 / (self._top * self.scale)
        # log F(b) at the bottom, log(1 - F(a)) = log F(-a) at the top
        return tf.where(
            k == 0,
            self._family.log_cdf(center + width / 2),
            tf.where(
                k == self._top,
                self._family.log_cdf(width / 2 - center),
                self._family.log_mass(center, width),
            ),
        )

    def _mean(self) -> tf.Tensor:
        """Adds up the levels one by one, so that memory does not grow."""

        # E[k] = sum over k > 0 of P(level >= k)
        def add(k: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            edge = (tf.cast(k, tf.float32) - 0.5) / self._top
            above = self._family.cdf((self.loc - edge) / self.scale)
            return k + 1, total + above

        zeros = tf.zeros_like(self.loc / self.scale)
        _, total = tf.while_loop(
            lambda k, _: k <= self._top,
            add,
            (tf.constant(1), zeros),
            maximum_iterations=self._top,  # for XLA's gradient
        )
        return total / self._top

    def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
        x = self._family.make(self.loc, self.scale).sample(n, seed=seed)
        return nearest_level(x, self._top) / self._top


class CategoricalLevels(tfd.Distribution):
    """Level k has the probability softmax(logits)[k].

    Args:
      logits: [..., levels].
    """

    def __init__(
        self, logits: tf.Tensor, name: str = "CategoricalLevels"
    ) -> None:
        parameters = {"logits": logits}
        self.logits = logits
        self._top = logits.shape[-1] - 1
        self._categorical = tfd.Categorical(logits=logits)
        super().__init__(
            dtype=tf.float32,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> Any:
        return {"logits": tfp.util.ParameterProperties(event_ndims=1)}

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        k = tf.cast(nearest_level(x, self._top), tf.int32)
        batch = self.logits.shape[:-1]
        shape = tf.broadcast_dynamic_shape(
            tf.shape(k), tf.shape(self.logits)[:-1]
        )
        num_levels = self.logits.shape[-1]
        logits = tf.broadcast_to(
            self.logits, tf.concat([shape, [num_levels]], axis=0)
        )
        # -log softmax(logits)[k]; `tf.nn` would add an assertion on the shapes,
        # which fails whoever shares a served batch.
        loss, _ = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(
            features=tf.reshape(logits, [-1, num_levels]),
            labels=tf.reshape(tf.broadcast_to(k, shape), [-1]),
        )
        log_prob = tf.reshape(-loss, shape)
        log_prob.set_shape(tf.broadcast_static_shape(k.shape, batch))
        return log_prob

    def _mean(self) -> tf.Tensor:
        levels = tf.range(self._top + 1, dtype=tf.float32) / self._top
        return tf.linalg.matvec(tf.nn.softmax(self.logits), levels)

    def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
        k = self._categorical.sample(n, seed=seed)
        return tf.cast(k, tf.float32) / self._top


def nearest_level(x: tf.Tensor, top: int) -> tf.Tensor:
    """Returns k, a whole number from 0 to `top`, of which k / top is nearest.

    Args:
      x: of any shape; beyond [0, 1] it is taken at the end.
      top: the highest level, levels - 1.
    """
    return tf.round(tf.clip_by_value(x, 0.0, 1.0) * top)
