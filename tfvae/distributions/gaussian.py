"""p(x|z) = N(f(z), c I), and the ways to find c."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.likelihood import (
    Likelihood,
    Location,
    bounded,
    bounded_inverse,
    independent,
)
from tfvae.distributions.log_scalar import LogScalar
from tfvae.replicas import sum_over_replicas

# A pixel that is constant over the data has an unbounded density as c goes to
# 0, so c is clipped at sigma = e^-6, 0.6 of one of 255 grey levels.
LOG_C_BOUND = 12.0
SMALLEST_C = math.exp(-LOG_C_BOUND)
CALIBRATION_DECAY = 0.98


class ScalarVariance(Likelihood):
    """A likelihood with one variance c in it, where C = 1 / (2 c).

    Attributes:
      log_c: holds c; set by the subclass.
    """

    C_is_noise = True
    log_c: LogScalar

    @property
    def c(self) -> tf.Tensor:
        """Variance of the observation noise: scalar."""
        return self.log_c.value()

    def current_C(self) -> float:
        """Returns C = 1 / (2 c) as it stands now."""
        return float(1 / (2 * self.c))


class Gaussian(Location, ScalarVariance):
    """p(x|z) = N(f(z), c I), with C = 1 / (2 c).

    Then -log p(x|z) = C ||x - f(z)||^2 + D/2 log(2 pi c).

    Args:
      C: a number above 0; "learned": log c is a trainable scalar; "optimal": c
        is the mean squared error per dimension of the global batch, its
        closed-form maximum likelihood, while training, and a running average
        of that, frozen, everywhere else. Learned and optimal c are clipped
        from below at e^-12. "per_pixel": the decoder gives each dimension its
        own c = exp(12 tanh(. / 12)), of two numbers per dimension the second;
        C is then 1 / (2 c) of a running average of the batch's mean c.
      unit_interval: x lies in [0, 1], so f(z) passes through a sigmoid.

    References:
      Rybkin et al., 2021. Simple and Effective VAE Training with Calibrated
      Decoders, section 4. https://arxiv.org/abs/2006.13202
    """

    C_words = ("learned", "optimal", "per_pixel")
    auto_C = "optimal"

    def __init__(
        self,
        C: float | str = "optimal",
        *,
        unit_interval: bool = False,
        name: str = "likelihood",
    ) -> None:
        super().__init__(C, unit_interval=unit_interval, name=name)
        initial = 0.1 if unit_interval else 1.0
        self.log_c = LogScalar(
            self,
            "scaled_log_c",
            initial if isinstance(C, str) else 1 / (2 * C),
            trainable=C == "learned",
            information=0.5,
            smallest=SMALLEST_C if isinstance(C, str) else 0.0,
        )
        self.gain = self.log_c.gain
        self.scaled_log_c = self.log_c.variable
        self.num_calibrations = self.add_weight(
            name="num_calibrations",
            shape=[],
            initializer="zeros",
            trainable=False,
            aggregation=tf.VariableAggregation.MEAN,
        )
        if C == "per_pixel":
            self.params_per_dim = 2
        else:
            self.scalars = (self.log_c,)

    def set_C(self, C: float) -> None:
        """Makes C, which is a number, another; it is no constant of a graph.

        Args:
          C: above 0.
        """
        assert not isinstance(self.C, str)
        self.C = C
        self.log_c.set(1 / (2 * C))

    def parameters_of_mean(self, mean: np.ndarray) -> np.ndarray:
        """See `Likelihood.parameters_of_mean`."""
        parameters = super().parameters_of_mean(mean)
        if self.C != "per_pixel":
            return parameters
        log_c = bounded_inverse(math.log(self.c), LOG_C_BOUND)
        return np.concatenate(
            [parameters, np.full_like(parameters, log_c)], axis=-1
        )

    def calibrate(
        self,
        px: tfd.Distribution,
        x: tf.Tensor,
        weight: tf.Tensor | None = None,
        hidden: tf.Tensor | None = None,
    ) -> tfd.Distribution:
        """See `Likelihood.calibrate`: c = SE / D for "optimal".

        c maximises the batch's likelihood, so the gradient through c is zero
        and none is taken (Rybkin et al., 2021, eq. 8). For "per_pixel" the
        mean c is remembered and p(x|z) stays as it is.
        """
        if self.C == "optimal":
            squared_error = tf.square(x - tf.stop_gradient(px.mean()))
            # c* = SE / D, SE the weighted mean over the global batch
            c = _mean_per_dim(squared_error, weight, hidden)
            c = tf.maximum(c, SMALLEST_C)
            self._remember(tf.math.log(c))
            return independent(_normal(px.mean(), c))
        if self.C == "per_pixel":
            c = tf.stop_gradient(px.variance())
            c = _mean_per_dim(c, weight, hidden)
            self._remember(tf.math.log(c))
        return px

    def _remember(self, log_c: tf.Tensor) -> None:
        """Moves the running average; early on it follows faster."""
        count = tf.convert_to_tensor(self.num_calibrations)
        decay = tf.minimum(CALIBRATION_DECAY, count / (count + 10))
        self.scaled_log_c.assign(
            decay * self.scaled_log_c + (1 - decay) * log_c
        )
        self.num_calibrations.assign(count + 1)

    def _per_dim(
        self, parameters: tf.Tensor, *scalars: tf.Tensor
    ) -> tfd.Distribution:
        """See `Likelihood._per_dim`."""
        c: Any = (
            scalars[0]
            if scalars
            else tf.exp(bounded(parameters[..., 1], LOG_C_BOUND))
        )
        return _normal(self._loc(parameters), c)


def _normal(loc: tf.Tensor, c: tf.Tensor) -> tfd.Distribution:
    return tfd.Normal(loc=loc, scale=tf.sqrt(c))


def _mean_per_dim(
    values: tf.Tensor, weight: tf.Tensor | None, hidden: tf.Tensor | None
) -> tf.Tensor:
    """Returns the mean over counted dimensions of the global batch: scalar.

    Args:
      values: [batch, *event_shape], of this replica.
      weight: [batch], of each example; None: equal weights.
      hidden: 1 for each dimension that counts, 0 for others; None: all count.
    """
    axes = tf.range(1, tf.rank(values))
    if hidden is None:
        per_example = tf.reduce_sum(values, axes)
        num_counted = tf.cast(tf.size(values[0]), tf.float32)
    else:
        per_example = tf.reduce_sum(hidden * values, axes)
        num_counted = tf.reduce_sum(hidden * tf.ones_like(values), axes)
    if weight is None:
        weight = tf.ones_like(per_example)
    total, num = sum_over_replicas(
        [
            tf.reduce_sum(weight * per_example),
            tf.reduce_sum(weight * num_counted),
        ]
    )
    return total / tf.maximum(num, 1)
