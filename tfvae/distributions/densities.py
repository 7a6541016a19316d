"""p(x|z) as a density other than the normal: beta, Laplace, Student's t."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfvae.distributions.likelihood import (
    Likelihood,
    Location,
    bounded,
    bounded_inverse,
    logit,
)
from tfvae.distributions.log_scalar import LogScalar

SHRINK = 1 / 512  # half of one of 256 cells: level k / 255 goes to its middle
SMALLEST_INNER = 1e-6  # a density of x, at an end of its support, is infinite
# float32 errs by 1e-4 of a nat at the mode of a beta so sharp, whose standard
# deviation at mean 1/2 is 0.009.
LOG_CONCENTRATION_BOUND = 8.0
SMALLEST_SCALE = math.exp(-6)  # as the square root of the gaussian's c
SMALLEST_EXCESS, LARGEST_EXCESS = 0.1, 1000.0  # degrees of freedom above 2


class Laplace(Location):
    """p(x|z) = prod_i Laplace(x_i; f(z)_i, b).

    Then -log p(x|z) = ||x - f(z)||_1 / b + D log(2 b). The decoder gives f(z);
    log b is one trainable scalar, b clipped from below at e^-6.

    Args:
      C: what -log p(x|z) is multiplied by in the loss; beta = 1 / C.
      unit_interval: x lies in [0, 1], so f(z) passes through a sigmoid.
    """

    def __init__(
        self,
        C: float | str = 1.0,
        *,
        unit_interval: bool = False,
        name: str = "likelihood",
    ) -> None:
        super().__init__(C, unit_interval=unit_interval, name=name)
        self.scale = _make_scale(self, information=1.0)
        self.scalars = (self.scale,)

    def _per_dim(
        self, parameters: tf.Tensor, *scalars: tf.Tensor
    ) -> tfd.Distribution:
        """See `Likelihood._per_dim`."""
        (scale,) = scalars
        return tfd.Laplace(loc=self._loc(parameters), scale=scale)


class StudentT(Location):
    """p(x|z) = prod_i t(x_i; df, f(z)_i, scale), with heavy tails.

    The decoder gives f(z); log scale and log(df - 2) are trainable scalars,
    the scale clipped from below at e^-6 and df - 2 to [0.1, 1000], so that
    mean and variance exist.

    Args:
      C: what -log p(x|z) is multiplied by in the loss; beta = 1 / C.
      unit_interval: x lies in [0, 1], so f(z) passes through a sigmoid.

    References:
      Takahashi et al., 2018. Student-t Variational Autoencoder for Robust
      Density Estimation, IJCAI; its scale and df depend on z.
      https://doi.org/10.24963/ijcai.2018/374
    """

    def __init__(
        self,
        C: float | str = 1.0,
        *,
        unit_interval: bool = False,
        name: str = "likelihood",
    ) -> None:
        super().__init__(C, unit_interval=unit_interval, name=name)
        # 2 df / (df + 3), at most 2, is the information on log scale.
        self.scale = _make_scale(self, information=2.0)
        self.excess = LogScalar(
            self,
            "scaled_log_excess",
            3.0,
            smallest=SMALLEST_EXCESS,
            largest=LARGEST_EXCESS,
        )
        self.scalars = (self.scale, self.excess)

    def _per_dim(
        self, parameters: tf.Tensor, *scalars: tf.Tensor
    ) -> tfd.Distribution:
        """See `Likelihood._per_dim`."""
        scale, excess = scalars
        return tfd.StudentT(
            df=2 + excess, loc=self._loc(parameters), scale=scale
        )


class Beta(Likelihood):
    """p(x|z) = (1 - 2 d) prod_i Beta(y_i; m_i s_i, (1 - m_i) s_i).

    y = d + (1 - 2 d) x, d = 1/512, moves 0 and 1 into the open interval, and
    1 - 2 d per dimension is |dy/dx|, so that it is a density of x. The decoder
    gives each dimension a mean and a concentration s = exp(8 tanh(. / 8)); x
    has the mean sigmoid(.), and m = d + (1 - 2 d) sigmoid(.) is that of y.
    Draws of x lie in [-1/510, 511/510].

    Args:
      C: what -log p(x|z) is multiplied by in the loss; beta = 1 / C.

    References:
      Smithson and Verkuilen, 2006. A Better Lemon Squeezer? Maximum-Likelihood
      Regression with Beta-Distributed Dependent Variables. Psychological
      Methods 11(1): y of x, and mean and concentration.
    """

    supports = ("unit",)
    params_per_dim = 2

    def parameters_of_mean(self, mean: np.ndarray) -> np.ndarray:
        """See `Likelihood.parameters_of_mean`; 1/2 begins uniform, s = 2."""
        logits = logit(mean)
        log_s = bounded_inverse(math.log(2), LOG_CONCENTRATION_BOUND)
        return np.stack([logits, np.full_like(logits, log_s)], axis=-1)

    def _per_dim(
        self, parameters: tf.Tensor, *scalars: tf.Tensor
    ) -> tfd.Distribution:
        """See `Likelihood._per_dim`."""
        logits, log_concentration = tf.unstack(parameters, axis=-1)
        return ShrunkBeta(
            tf.sigmoid(logits),
            tf.exp(bounded(log_concentration, LOG_CONCENTRATION_BOUND)),
        )


class ShrunkBeta(tfd.Distribution):
    """x of which y = d + (1 - 2 d) x is Beta-distributed; see `Beta`.

    Args:
      loc: mean of x, in [0, 1].
      concentration: s, the sum of both parameters of the Beta, of loc's shape.
    """

    def __init__(
        self,
        loc: tf.Tensor,
        concentration: tf.Tensor,
        name: str = "ShrunkBeta",
    ) -> None:
        parameters = {"loc": loc, "concentration": concentration}
        self.loc, self.concentration = loc, concentration
        mean = SHRINK + (1 - 2 * SHRINK) * loc
        self._beta = tfd.Beta(
            mean * concentration,
            (1 - mean) * concentration,
            force_probs_to_zero_outside_support=False,
        )
        super().__init__(
            dtype=tf.float32,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> Any:
        return {
            "loc": tfp.util.ParameterProperties(),
            "concentration": tfp.util.ParameterProperties(),
        }

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        inner = tf.clip_by_value(
            SHRINK + (1 - 2 * SHRINK) * x, SMALLEST_INNER, 1 - SMALLEST_INNER
        )
        # log p(x) = log p(y) + log |dy/dx|
        return self._beta.log_prob(inner) + math.log1p(-2 * SHRINK)

    def _mean(self) -> tf.Tensor:
        return self.loc

    def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
        inner = self._beta.sample(n, seed=seed)
        return (inner - SHRINK) / (1 - 2 * SHRINK)


def _make_scale(layer: Location, *, information: float) -> LogScalar:
    """Returns the scale, as large at first as Gaussian's standard deviation."""
    return LogScalar(
        layer,
        "scaled_log_scale",
        math.sqrt(0.1) if layer.unit_interval else 1.0,
        information=information,
        smallest=SMALLEST_SCALE,
    )
