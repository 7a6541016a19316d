"""p(x|z): what every distribution layer that closes a decoder keeps."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import layers as tfpl

from tfvae.distributions.log_scalar import LogScalar

SMALLEST_MEAN = 1e-3  # of a pixel, where the decoder begins (Burda et al.)


class Likelihood(tfpl.DistributionLambda):
    """Last layer of a decoder: [batch, *event_shape, params_per_dim] to p(x|z).

    Given z the dimensions of x are independent. As a tensor the distribution
    is its mean, never a hidden draw. A subclass writes `_per_dim`.

    Args:
      C: a number above 0 or one of `C_words`. Where `C_is_noise` it lies
        within the density, C = 1 / (2 c) for a variance c; everywhere else
        the loss multiplies -log p(x|z) by it, as beta = 1 / C would the KL.

    Attributes:
      params_per_dim: numbers that one dimension of x takes.
      supports: supports of data (`DataSpec.support`) that it can score.
      is_density: log p(x|z) is of a density with respect to Lebesgue measure;
        False: of a probability mass.
      needs_levels: x must be one of the levels k / (levels - 1).
      C_words: words that its C accepts.
      auto_C: what C is where the user leaves it open.
      C_is_noise: C = 1 / (2 c) is part of the density.
      scalars: trainable numbers that all dimensions share.

    Raises:
      ValueError: another C.
    """

    params_per_dim = 1
    supports: tuple[str, ...] = ()
    is_density: bool = True
    needs_levels: bool = False
    C_words: tuple[str, ...] = ()
    auto_C: str | float = 1.0
    C_is_noise: bool = False

    def __init__(
        self, C: float | str = 1.0, *, name: str = "likelihood"
    ) -> None:
        known = C in self.C_words if isinstance(C, str) else 0 < C < math.inf
        if not known:
            words = "".join(f"{word}, " for word in self.C_words)
            accepted = f"{words.removesuffix(', ')} or " if words else ""
            raise ValueError(
                f"`C` must be {accepted}a number above 0; got {C!r}."
            )
        super().__init__(
            make_distribution_fn=self._make_distribution,
            convert_to_tensor_fn=tfd.Distribution.mean,
            dtype=tf.float32,
            name=name,
        )
        self.C = C
        self.scalars: tuple[LogScalar, ...] = ()

    @classmethod
    def for_data(
        cls, C: float | str, *, support: str, levels: int | None
    ) -> "Likelihood":
        """Builds the layer for data of a support.

        Args:
          C: as the constructor takes it.
          support: "binary", "unit" or "real".
          levels: x takes the values k / (levels - 1); None: not on a grid.

        Raises:
          ValueError: data that it cannot score.
        """
        if support not in cls.supports:
            raise ValueError(
                f"`support` must be {' or '.join(cls.supports)}; got "
                f"{support!r}; take another likelihood."
            )
        return cls(C, **cls._settings(support, levels))

    @classmethod
    def _settings(cls, support: str, levels: int | None) -> dict[str, Any]:
        """Returns what the constructor takes beside C."""
        del support, levels
        return {}

    def parameters_of_mean(self, mean: np.ndarray) -> np.ndarray:
        """Returns inputs of this layer at which p(x|z) has a given mean.

        Args:
          mean: [*event_shape], of the data; in [0, 1] it is kept 1e-3 off
            either end.

        Returns:
          parameters: [*event_shape, params_per_dim].
        """
        raise NotImplementedError

    @property
    def distortion_weight(self) -> float:
        """What -log p(x|z) is multiplied by in the loss."""
        return 1.0 if self.C_is_noise else float(self.C)

    def current_C(self) -> float:
        """Returns C as it stands now."""
        return float(self.C)

    def calibrate(
        self,
        px: tfd.Distribution,
        x: tf.Tensor,
        weight: tf.Tensor | None = None,
        hidden: tf.Tensor | None = None,
    ) -> tfd.Distribution:
        """Fits what is known in closed form; called once a training step.

        Args:
          px: p(x|z), batch_shape [batch].
          x: [batch, *event_shape], this replica's examples.
          weight: [batch], of each example; None: equal weights.
          hidden: 1 for each dimension that p(x|z) is of, 0 for one that is
            known; broadcasts with x; None: all of them.

        Returns:
          px: the p(x|z) that the step trains on.
        """
        del x, weight, hidden
        return px

    def call(self, inputs: tf.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Reads scalars here: a Lambda layer warns of a replica's variables."""
        return super().call(self._with_scalars(inputs), *args, **kwargs)

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns p(x|z) alone: unlike a call, it computes no tensor of it.

        Args:
          parameters: [batch, *event_shape, params_per_dim].
        """
        return self._make_distribution(self._with_scalars(parameters))

    def _with_scalars(self, parameters: tf.Tensor) -> tuple:
        num_dims = math.prod(parameters.shape[1:-1])
        values = tuple(scalar.fitted(num_dims) for scalar in self.scalars)
        return (parameters, *values)

    def _make_distribution(self, inputs: tuple) -> tfd.Distribution:
        # p(x|z)
        return independent(self._per_dim(*inputs))

    def _per_dim(
        self, parameters: tf.Tensor, *scalars: tf.Tensor
    ) -> tfd.Distribution:
        """Returns p(x_i|z) of every dimension.

        Args:
          parameters: [batch, *event_shape, params_per_dim].
          *scalars: the values of `scalars`.

        Returns:
          px: batch_shape [batch, *event_shape], event_shape [].
        """
        raise NotImplementedError


class Location(Likelihood):
    """A density around a location f(z), the first number of a dimension.

    Args:
      C: see `Likelihood`.
      unit_interval: x lies in [0, 1], so f(z) passes through a sigmoid.
    """

    supports = ("binary", "unit", "real")

    def __init__(
        self,
        C: float | str = 1.0,
        *,
        unit_interval: bool = False,
        name: str = "likelihood",
    ) -> None:
        super().__init__(C, name=name)
        self.unit_interval = unit_interval

    @classmethod
    def _settings(cls, support: str, levels: int | None) -> dict[str, Any]:
        """See `Likelihood._settings`."""
        return {"unit_interval": support != "real"}

    def parameters_of_mean(self, mean: np.ndarray) -> np.ndarray:
        """See `Likelihood.parameters_of_mean`."""
        loc = logit(mean) if self.unit_interval else mean
        return loc[..., np.newaxis]

    def _loc(self, parameters: tf.Tensor) -> tf.Tensor:
        """Returns f(z): [batch, *event_shape]."""
        loc = parameters[..., 0]
        return tf.sigmoid(loc) if self.unit_interval else loc


def independent(per_dim: tfd.Distribution) -> tfd.Distribution:
    """Returns the distribution of all dimensions; only [batch] stays batch."""
    return tfd.Independent(
        per_dim, reinterpreted_batch_ndims=len(per_dim.batch_shape) - 1
    )


def logit(mean: np.ndarray) -> np.ndarray:
    """Returns log(mean / (1 - mean)), of a mean kept off 0 and 1."""
    kept = _kept_off_the_ends(mean)
    return np.log(kept) - np.log1p(-kept)


def parameter_of_mean(
    mean: np.ndarray,
    mean_of: Callable[[np.ndarray], tf.Tensor],
    grid: np.ndarray,
) -> np.ndarray:
    """Returns where `mean_of` takes a value, by linear interpolation.

    Args:
      mean: of any shape, in [0, 1]; kept off 0 and 1.
      mean_of: from [grid] to [grid], increasing.
      grid: its arguments, in increasing order.
    """
    means = np.asarray(mean_of(grid.astype(np.float32)))
    return np.interp(_kept_off_the_ends(mean), means, grid)


def bounded(value: tf.Tensor, bound: float) -> tf.Tensor:
    """Returns bound * tanh(value / bound), the value itself near 0."""
    return bound * tf.tanh(value / bound)


def bounded_inverse(value: float, bound: float) -> float:
    """Returns what `bounded` makes `value` of."""
    return bound * math.atanh(value / bound)


def _kept_off_the_ends(mean: np.ndarray) -> np.ndarray:
    return np.clip(mean, SMALLEST_MEAN, 1 - SMALLEST_MEAN)
