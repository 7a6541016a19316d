"""log of the mass that a standard logistic or normal has on a cell.

A difference of two distribution functions loses all its digits in float32
where both are near 0 or 1, or near each other. Nothing here does so, and every
gradient is finite. A cell is given by its center and width, in units of scale.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

# Gauss and Legendre's points for cells across which the normal's logarithm
# changes by at most 2 * FLATTEST_SLOPE and that are at most 2 wide: the error
# is below 1e-8 there.
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(8)
FLATTEST_SLOPE = 3.0
# erfc keeps its digits in float32 up to here, the series has them from here.
FARTHEST_ERFC = 10.0
LOG_SQRT_2PI = math.log(2 * math.pi) / 2


class Family(NamedTuple):
    """A symmetric location-scale family, in its standard form.

    Attributes:
      make: from loc and scale to the continuous distribution.
      cdf: F(z).
      log_cdf: log F(z).
      log_mass: log(F(center + width / 2) - F(center - width / 2)), of center
        and width.
    """

    make: Callable[..., tfd.Distribution]
    cdf: Callable[[tf.Tensor], tf.Tensor]
    log_cdf: Callable[[tf.Tensor], tf.Tensor]
    log_mass: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def logistic_log_mass(center: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns log(F(b) - F(a)), F(z) = 1 / (1 + exp(-z)), width = b - a.

    F(b) - F(a) = F(b) F(-a) (1 - exp(-width)), which subtracts nothing large.

    Args:
      center: (a + b) / 2.
      width: above 0; broadcasts with `center`.
    """
    return (
        tf.math.log_sigmoid(width / 2 + center)
        + tf.math.log_sigmoid(width / 2 - center)
        + _log1mexp(width)
    )


def normal_cdf(z: tf.Tensor) -> tf.Tensor:
    """Returns Phi(z)."""
    return tf.math.erfc(-z / math.sqrt(2)) / 2


def normal_log_cdf(z: tf.Tensor) -> tf.Tensor:
    """Returns log Phi(z)."""
    below = tf.minimum(z, 0.0)
    above = tf.maximum(z, 0.0)
    # log Phi(z) = log(1 - Phi(-z)) above 0
    return tf.where(
        z < 0,
        _log_scaled_tail(-below) - tf.square(below) / 2,
        tf.math.log1p(-normal_cdf(-above)),
    )


def normal_log_mass(center: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns log(Phi(b) - Phi(a)), width = b - a.

    Three ways, each where it is accurate; below, m = |center|, r = width / 2:
    a quadrature on narrow cells, the ratio of two tails on cells away from 0,
    and the complement of two tails on wide cells around 0.

    Args:
      center: (a + b) / 2.
      width: above 0; broadcasts with `center`.
    """
    center, width = tf.abs(center), width + tf.zeros_like(center)
    radius = width / 2
    is_flat = (radius <= 1) & (center * radius <= FLATTEST_SLOPE)
    is_tail = ~is_flat & (center > radius)
    is_wide = ~is_flat & ~is_tail
    # A `where` passes NaN of the branch not taken on to the gradient, so each
    # branch is given a cell of its own kind.
    return tf.where(
        is_flat,
        _flat(*_cell_where(is_flat, center, radius, (0.0, 0.5))),
        tf.where(
            is_tail,
            _tail(*_cell_where(is_tail, center, radius, (3.0, 1.5))),
            _wide(*_cell_where(is_wide, center, radius, (0.0, 1.5))),
        ),
    )


def _flat(center: tf.Tensor, radius: tf.Tensor) -> tf.Tensor:
    """Phi(m + r) - Phi(m - r) = phi(m) integral exp(-m t - t^2 / 2) dt."""
    t = radius[..., tf.newaxis] * tf.constant(POINTS, tf.float32)
    exponents = -t * (center[..., tf.newaxis] + t / 2)
    mean = tf.reduce_sum(
        tf.exp(exponents) * tf.constant(WEIGHTS / 2, tf.float32), axis=-1
    )
    log_density = -tf.square(center) / 2 - LOG_SQRT_2PI
    return log_density + tf.math.log(2 * radius) + tf.math.log(mean)


def _tail(center: tf.Tensor, radius: tf.Tensor) -> tf.Tensor:
    """Q(m - r) (1 - Q(m + r) / Q(m - r)), with Q(t) = Phi(-t)."""
    log_near = _log_scaled_tail(center - radius)
    log_far = _log_scaled_tail(center + radius)
    # The squares cancel: (m + r)^2 / 2 - (m - r)^2 / 2 = 2 m r
    drop = 2 * center * radius + log_near - log_far
    return log_near - tf.square(center - radius) / 2 + _log1mexp(drop)


def _wide(center: tf.Tensor, radius: tf.Tensor) -> tf.Tensor:
    """1 - Q(r + m) - Q(r - m)."""
    outside = normal_cdf(-radius - center) + normal_cdf(center - radius)
    return tf.math.log1p(-outside)


def _cell_where(
    condition: tf.Tensor,
    center: tf.Tensor,
    radius: tf.Tensor,
    otherwise: tuple[float, float],
) -> tuple[tf.Tensor, tf.Tensor]:
    return (
        tf.where(condition, center, otherwise[0]),
        tf.where(condition, radius, otherwise[1]),
    )


def _log_scaled_tail(z: tf.Tensor) -> tf.Tensor:
    """log(exp(z^2 / 2) Phi(-z)), for z of at least 0."""
    is_near = z < FARTHEST_ERFC
    near = tf.where(is_near, z, 0.0)
    far = tf.where(is_near, FARTHEST_ERFC, z)
    # sqrt(2 pi) z exp(z^2 / 2) Phi(-z) = 1 - 1/z^2 + 3/z^4 - 15/z^6 + 105/z^8
    y = 1 / tf.square(far)
    series = y * (-1 + y * (3 + y * (-15 + y * 105)))
    return tf.where(
        is_near,
        tf.square(near) / 2 + tf.math.log(normal_cdf(-near)),
        tf.math.log1p(series) - tf.math.log(far) - LOG_SQRT_2PI,
    )


def _log1mexp(z: tf.Tensor) -> tf.Tensor:
    """log(1 - exp(-z)), for z above 0; TFP's has a gradient of NaN near 0."""
    return tf.math.log(-tf.math.expm1(-z))


LOGISTIC = Family(
    tfd.Logistic, tf.sigmoid, tf.math.log_sigmoid, logistic_log_mass
)
NORMAL = Family(tfd.Normal, normal_cdf, normal_log_cdf, normal_log_mass)
