"""p(x|z) as a probability mass on the levels k / (levels - 1).

Its bits per dimension compare with those that papers give for images.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import cells
from tfvae.distributions.gaussian import ScalarVariance
from tfvae.distributions.levels import CategoricalLevels, Quantized
from tfvae.distributions.likelihood import (
    Likelihood,
    bounded,
    bounded_inverse,
    parameter_of_mean,
)
from tfvae.distributions.log_scalar import LogScalar

LOG_SCALE_BOUND = 10.0
INITIAL_C = 0.1  # variance at the start, as Gaussian's on [0, 1]
# A logistic of scale s has the variance (pi s)^2 / 3.
INITIAL_SCALE = math.sqrt(3 * INITIAL_C) / math.pi
# A mass is at most 1, so c needs no bound but that of float32.
SMALLEST_C = math.exp(-20)
MOST_CATEGORIES = 256
LOC_GRID = np.linspace(-3, 4, 4001)


class OnLevels(Likelihood):
    """A mass on the levels k / (levels - 1), k = 0, ..., levels - 1.

    Args:
      C: see `Likelihood`.
      levels: values that one dimension of x takes.

    Raises:
      ValueError: fewer than two levels.
    """

    supports = ("binary", "unit")
    is_density = False
    needs_levels = True

    def __init__(
        self,
        C: float | str = 1.0,
        *,
        levels: int,
        name: str = "likelihood",
    ) -> None:
        if levels is None or levels < 2:
            raise ValueError(
                f"`levels` must be at least 2; got {levels}; x must lie on a "
                "grid, or take a density."
            )
        super().__init__(C, name=name)
        self.levels = levels

    @classmethod
    def _settings(cls, support: str, levels: int | None) -> dict[str, Any]:
        """See `Likelihood._settings`."""
        return {"levels": levels}

    def parameters_of_mean(self, mean: np.ndarray) -> np.ndarray:
        """See `Likelihood.parameters_of_mean`."""
        value = parameter_of_mean(mean, self._mean_of, self._grid())
        return np.asarray(self._parameters_at(value.astype(np.float32)))

    def _mean_of(self, value: np.ndarray) -> tf.Tensor:
        scalars = tuple(scalar.value() for scalar in self.scalars)
        return self._per_dim(self._parameters_at(value), *scalars).mean()

    def _grid(self) -> np.ndarray:
        """Returns values of `_parameters_at` that span all means."""
        return LOC_GRID

    def _parameters_at(self, value: np.ndarray) -> tf.Tensor:
        """Returns parameters whose mean grows with one value.

        Args:
          value: [...].

        Returns:
          parameters: [..., params_per_dim].
        """
        raise NotImplementedError


class DiscretizedLogistic(OnLevels):
    """Mass of a logistic density on the cell of each level.

    The decoder gives each dimension loc, of any size, and log scale, which
    passes through 10 tanh(. / 10).

    Args:
      C: what -log p(x|z) is multiplied by in the loss; beta = 1 / C.
      levels: values that one dimension of x takes.

    References:
      Kingma et al., 2016. Improved Variational Inference with Inverse
      Autoregressive Flow. https://arxiv.org/abs/1606.04934
    """

    params_per_dim = 2

    def _parameters_at(self, value: np.ndarray) -> tf.Tensor:
        """See `OnLevels._parameters_at`."""
        return tf.stack([value, _initial_log_scale(value)], axis=-1)

    def _per_dim(
        self, parameters: tf.Tensor, *scalars: tf.Tensor
    ) -> tfd.Distribution:
        """See `Likelihood._per_dim`."""
        loc, log_scale = tf.unstack(parameters, axis=-1)
        return _logistic(loc, log_scale, self.levels)


class DiscretizedLogisticMixture(OnLevels):
    """Mixture of `DiscretizedLogistic`, each dimension and channel for itself.

    The decoder gives each dimension `num_components` logits, as many loc, and
    as many log scales, in this order.

    Args:
      C: what -log p(x|z) is multiplied by in the loss; beta = 1 / C.
      levels: values that one dimension of x takes.
      num_components: logistics in the mixture.

    Raises:
      ValueError: no component.

    References:
      Salimans et al., 2017. PixelCNN++, section 2.1; its channels depend on
      each other. https://arxiv.org/abs/1701.05517
    """

    def __init__(
        self,
        C: float | str = 1.0,
        *,
        levels: int,
        num_components: int = 5,
        name: str = "likelihood",
    ) -> None:
        if num_components < 1:
            raise ValueError(
                f"`num_components` must be at least 1; got {num_components}."
            )
        super().__init__(C, levels=levels, name=name)
        self.num_components = num_components
        self.params_per_dim = 3 * num_components

    def _parameters_at(self, value: np.ndarray) -> tf.Tensor:
        """See `OnLevels._parameters_at`; components begin apart."""
        apart = np.linspace(-1, 1, self.num_components) * INITIAL_SCALE
        loc = (value[..., np.newaxis] + apart).astype(np.float32)
        return tf.concat(
            [np.zeros_like(loc), loc, _initial_log_scale(loc)], axis=-1
        )

    def _per_dim(
        self, parameters: tf.Tensor, *scalars: tf.Tensor
    ) -> tfd.Distribution:
        """See `Likelihood._per_dim`."""
        logits, loc, log_scale = tf.split(parameters, 3, axis=-1)
        return tfd.MixtureSameFamily(
            tfd.Categorical(logits=logits),
            _logistic(loc, log_scale, self.levels),
        )


class Categorical(OnLevels):
    """One logit for each level: any distribution, but no order among levels.

    Args:
      C: what -log p(x|z) is multiplied by in the loss; beta = 1 / C.
      levels: values that one dimension of x takes, at most 256.

    Raises:
      ValueError: more levels.

    References:
      van den Oord et al., 2016. Pixel Recurrent Neural Networks, section 2.2.
      https://arxiv.org/abs/1601.06759
    """

    def __init__(
        self,
        C: float | str = 1.0,
        *,
        levels: int,
        name: str = "likelihood",
    ) -> None:
        super().__init__(C, levels=levels, name=name)
        if levels > MOST_CATEGORIES:
            raise ValueError(
                f"`levels` must be at most {MOST_CATEGORIES} for categorical; "
                f"got {levels}; take discretized_logistic."
            )
        self.params_per_dim = levels

    def _grid(self) -> np.ndarray:
        """See `OnLevels._grid`."""
        return np.sinh(np.linspace(-8, 8, 4001))

    def _parameters_at(self, value: np.ndarray) -> tf.Tensor:
        """See `OnLevels._parameters_at`; the largest entropy of a mean."""
        x = np.linspace(0, 1, self.levels, dtype=np.float32)
        return tf.constant(value[..., np.newaxis] * x)

    def _per_dim(
        self, parameters: tf.Tensor, *scalars: tf.Tensor
    ) -> tfd.Distribution:
        """See `Likelihood._per_dim`."""
        return CategoricalLevels(parameters)


class QuantizedGaussian(OnLevels, ScalarVariance):
    """Mass of N(f(z), c I) on the cell of each level, with C = 1 / (2 c).

    f(z) may leave [0, 1], to put all mass on the lowest or highest level.

    Args:
      C: a number above 0; "learned": log c is a trainable scalar, c clipped
        from below at e^-20.
      levels: values that one dimension of x takes.
    """

    C_words = ("learned",)
    auto_C = "learned"

    def __init__(
        self,
        C: float | str = "learned",
        *,
        levels: int,
        name: str = "likelihood",
    ) -> None:
        super().__init__(C, levels=levels, name=name)
        self.log_c = LogScalar(
            self,
            "scaled_log_c",
            INITIAL_C if isinstance(C, str) else 1 / (2 * C),
            trainable=isinstance(C, str),
            information=0.5,
            smallest=SMALLEST_C if isinstance(C, str) else 0.0,
        )
        self.scalars = (self.log_c,)

    def _parameters_at(self, value: np.ndarray) -> tf.Tensor:
        """See `OnLevels._parameters_at`."""
        return tf.constant(value[..., np.newaxis])

    def _per_dim(
        self, parameters: tf.Tensor, *scalars: tf.Tensor
    ) -> tfd.Distribution:
        """See `Likelihood._per_dim`."""
        (c,) = scalars
        loc = parameters[..., 0]
        return Quantized(cells.NORMAL, loc, tf.sqrt(c), self.levels)


def _logistic(
    loc: tf.Tensor, log_scale: tf.Tensor, levels: int
) -> tfd.Distribution:
    scale = tf.exp(bounded(log_scale, LOG_SCALE_BOUND))
    return Quantized(cells.LOGISTIC, loc, scale, levels)


def _initial_log_scale(loc: np.ndarray) -> np.ndarray:
    raw = bounded_inverse(math.log(INITIAL_SCALE), LOG_SCALE_BOUND)
    return np.full_like(loc, raw)
