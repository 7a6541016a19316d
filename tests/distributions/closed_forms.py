"""log p(x_i|z) of every likelihood in scipy's float64, one dimension each.

Nothing of tfvae is used here. `p` are the numbers that the decoder gives one
dimension, [..., params_per_dim].
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special, stats


class Case(NamedTuple):
    """One likelihood, the data it scores, and its log p(x_i|z)."""

    name: str
    support: str
    levels: int | None
    C: float | str
    params_per_dim: int
    log_prob: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def __str__(self) -> str:
        levels = self.levels or ""
        return f"{self.name}-{self.support}{levels}-{self.C}"


def loc(p: np.ndarray, unit: bool) -> np.ndarray:
    return special.expit(p[..., 0]) if unit else p[..., 0]


def bounded(value: np.ndarray, bound: float) -> np.ndarray:
    return bound * np.tanh(value / bound)


def gaussian(x: np.ndarray, p: np.ndarray, *, unit: bool) -> np.ndarray:
    return stats.norm(loc(p, unit), np.sqrt(1 / 8)).logpdf(x)


def per_pixel(x: np.ndarray, p: np.ndarray, *, unit: bool) -> np.ndarray:
    c = np.exp(bounded(p[..., 1], 12))
    return stats.norm(loc(p, unit), np.sqrt(c)).logpdf(x)


def laplace(x: np.ndarray, p: np.ndarray, *, unit: bool) -> np.ndarray:
    scale = np.sqrt(0.1) if unit else 1.0
    return stats.laplace(loc(p, unit), scale).logpdf(x)


def student_t(x: np.ndarray, p: np.ndarray, *, unit: bool) -> np.ndarray:
    scale = np.sqrt(0.1) if unit else 1.0
    return stats.t(5, loc(p, unit), scale).logpdf(x)


def bernoulli(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    logits = p[..., 0]
    return x * special.log_expit(logits) + (1 - x) * special.log_expit(-logits)


def continuous_bernoulli(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    # integral of exp(s x) over [0, 1] = (exp(s) - 1) / s
    s = p[..., 0]
    return s * x - np.maximum(s, 0) - np.log(-np.expm1(-abs(s)) / abs(s))


def beta(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    mean = (1 + 510 * special.expit(p[..., 0])) / 512
    s = np.exp(bounded(p[..., 1], 8))
    shifted = stats.beta(
        mean * s, (1 - mean) * s, loc=-1 / 510, scale=512 / 510
    )
    return shifted.logpdf(x)


def cell(x: np.ndarray, levels: int, standard, at, scale) -> np.ndarray:
    """Returns log of the mass of (at, scale) on the cell of x."""
    half = 0.5 / (levels - 1)
    a, b = (x - half - at) / scale, (x + half - at) / scale
    # In the upper half the two tails are small, in the lower the two cdfs.
    a, b = np.where(a + b > 0, a, -b), np.where(a + b > 0, b, -a)
    far, near = standard.logsf(b), standard.logsf(a)
    inner = near + np.log1p(-np.exp(far - near))
    bottom = standard.logcdf((x + half - at) / scale)
    top = standard.logsf((x - half - at) / scale)
    return np.where(x < half, bottom, np.where(x > 1 - half, top, inner))


def discretized_logistic(
    x: np.ndarray, p: np.ndarray, *, levels: int
) -> np.ndarray:
    scale = np.exp(bounded(p[..., 1], 10))
    return cell(x, levels, stats.logistic, p[..., 0], scale)


def mixture(x: np.ndarray, p: np.ndarray, *, levels: int) -> np.ndarray:
    logits, at, log_scale = np.split(p, 3, axis=-1)
    scale = np.exp(bounded(log_scale, 10))
    masses = cell(x[..., None], levels, stats.logistic, at, scale)
    weights = special.log_softmax(logits, axis=-1)
    return special.logsumexp(weights + masses, axis=-1)


def categorical(x: np.ndarray, p: np.ndarray, *, levels: int) -> np.ndarray:
    table = special.log_softmax(p, axis=-1)
    k = np.rint(x * (levels - 1)).astype(int)
    table, k = np.broadcast_arrays(table, k[..., None])
    return np.take_along_axis(table, k[..., :1], axis=-1)[..., 0]


def quantized_gaussian(
    x: np.ndarray, p: np.ndarray, *, levels: int, c: float
) -> np.ndarray:
    return cell(x, levels, stats.norm, p[..., 0], np.sqrt(c))


def _on_the_line(
    name: str, C: float | str, size: int, form, *supports: str
) -> list[Case]:
    return [
        Case(
            *(name, support, None, C, size),
            lambda x, p, unit=support != "real": form(x, p, unit=unit),
        )
        for support in ("unit", "real", *supports)
    ]


def _on_levels(name: str, C: float | str, size, form, **settings) -> list[Case]:
    return [
        Case(
            *(name, support, levels, C, size or levels),
            lambda x, p, n=levels: form(x, p, levels=n, **settings),
        )
        for support, levels in (("binary", 2), ("unit", 17))
    ]


CASES = [
    *_on_the_line("gaussian", 4.0, 1, gaussian, "binary"),
    *_on_the_line("gaussian", "per_pixel", 2, per_pixel),
    Case("bernoulli", "binary", 2, 2.5, 1, bernoulli),
    Case("bernoulli", "unit", None, 1.0, 1, bernoulli),
    Case("continuous_bernoulli", "unit", None, 1.0, 1, continuous_bernoulli),
    Case("beta", "unit", None, 2.5, 2, beta),
    *_on_the_line("laplace", 1.0, 1, laplace),
    *_on_the_line("student_t", 1.0, 1, student_t),
    *_on_levels("discretized_logistic", 1.0, 2, discretized_logistic),
    *_on_levels("discretized_logistic_mixture", 1.0, 15, mixture),
    *_on_levels("categorical", 2.5, None, categorical),
    *_on_levels("quantized_gaussian", "learned", 1, quantized_gaussian, c=0.1),
    Case(
        *("quantized_gaussian", "unit", 17, 8.0, 1),
        lambda x, p: quantized_gaussian(x, p, levels=17, c=1 / 16),
    ),
]
# All grey levels of an 8-bit image.
FINE = [
    Case(
        *("discretized_logistic", "unit", 256, 1.0, 2),
        lambda x, p: discretized_logistic(x, p, levels=256),
    ),
    Case(
        *("discretized_logistic_mixture", "unit", 256, 1.0, 15),
        lambda x, p: mixture(x, p, levels=256),
    ),
    Case(
        *("categorical", "unit", 256, 1.0, 256),
        lambda x, p: categorical(x, p, levels=256),
    ),
    Case(
        *("quantized_gaussian", "unit", 256, 800.0, 1),
        lambda x, p: quantized_gaussian(x, p, levels=256, c=1 / 1600),
    ),
]
