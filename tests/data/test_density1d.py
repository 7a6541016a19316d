"""A one-dimensional density, and Doersch's argument that a VAE can learn it.

Doersch (2016, https://arxiv.org/abs/1606.05908, section 2.4.1 and appendix A)
builds decoder and posterior by hand: f = F^-1(Phi(z)), p(x|z) = N(f(z), c),
and q(z|x) = N(f^-1(x), c / f'^2). As c goes to 0, p(x) goes to the density and
KL(q, p(z|x)) to 0. Measured here on `density1d`, by quadrature; KL in nats at
x = f(z), z = -2, -1.9, ..., 2, mean (weighted by phi(z)) and largest:

    c     max |p_c - p|  plain KL            linearised KL       shifted KL
    1e-1  8.3e-2         3.0e-1 (max 5.8e-1) 3.6e-1 (max 8.7e-1) 2.9e-1 (1.7)
    1e-2  1.2e-2         3.3e-2 (max 1.3e-1) 3.3e-2 (max 1.4e-1) 1.3e-2 (4.6e-2)
    1e-3  1.2e-3         2.9e-3 (max 1.1e-2) 2.8e-3 (max 1.2e-2) 1.1e-3 (4.9e-3)
    1e-4  1.2e-4         2.9e-4 (max 1.2e-3) 2.8e-4 (max 1.2e-3) 1.1e-4 (4.8e-4)

`plain` is Doersch's q. `linearised` has precision 1 + f'^2 / c and is exact
where f is a line, but f bends, and that is of the same order. `shifted` has
the best mean to that order, f^-1(x) - c / f'^2 (f^-1(x) + 3 f'' / (2 f')).
"""

import functools
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from scipy import stats

from tfvae.data import synthetic
from tfvae.data.mixture import GaussianMixture

MODEL = synthetic.density1d_model()
VARIANCES = (1e-1, 1e-2, 1e-3, 1e-4)
NORMAL = stats.norm(0, 1)

Posterior: TypeAlias = Callable[[float], tuple[np.ndarray, np.ndarray]]


def density(x: np.ndarray, c: float = 0.0) -> np.ndarray:
    """Density of `density1d` plus noise of variance c, by scipy."""
    return sum(
        w * stats.norm(loc, np.sqrt(scale**2 + c)).pdf(x)
        for w, loc, scale in [(0.4, -1, 0.4), (0.6, 1, 0.6)]
    )


def cdf(x: np.ndarray) -> np.ndarray:
    return 0.4 * stats.norm(-1, 0.4).cdf(x) + 0.6 * stats.norm(1, 0.6).cdf(x)


def score(x: np.ndarray) -> np.ndarray:
    """Derivative of log density(x)."""
    slope = -0.4 * stats.norm(-1, 0.4).pdf(x) * (x + 1) / 0.4**2
    slope -= 0.6 * stats.norm(1, 0.6).pdf(x) * (x - 1) / 0.6**2
    return slope / density(x)


X = np.linspace(-4, 5, 91)


def test_density_and_distribution_are_scipys() -> None:
    x = X[:, np.newaxis]
    assert MODEL.log_prob(x).shape == (91,)
    np.testing.assert_allclose(MODEL.log_prob(x), np.log(density(X)))
    assert MODEL.cdf(x).shape == (91, 1)
    np.testing.assert_allclose(MODEL.cdf(X), cdf(X), rtol=1e-12)


def test_density_has_two_modes_and_is_positive_far_out() -> None:
    rises = np.diff(MODEL.log_prob(np.linspace(-9, 9, 1801)[:, np.newaxis])) > 0
    assert np.count_nonzero(rises[1:] != rises[:-1]) == 3
    far = MODEL.log_prob(np.array([[-50.0], [60.0], [1e4]]))
    assert np.isfinite(far).all()


def test_quantile_inverts_the_distribution() -> None:
    u = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 2001), [1e-12, 1e-300]])
    x = MODEL.quantile(u.reshape(-1, 1))
    assert x.shape == (2003, 1)
    np.testing.assert_allclose(cdf(x[:, 0]), u, rtol=1e-10, atol=0)
    np.testing.assert_array_equal(MODEL.quantile([0.0, 1.0]), [-np.inf, np.inf])
    assert np.isnan(MODEL.quantile(np.array([-0.1, 1.1]))).all()


def test_quantile_inverts_any_mixture() -> None:
    mixture = GaussianMixture((0.2, 0.5, 0.3), (-40.0, 0.0, 3.0), (1, 0.01, 5))
    x = np.array([-43.0, -40, -38, -0.02, 0, 0.01, 1, 9])
    u = (
        0.2 * stats.norm(-40, 1).cdf(x)
        + 0.5 * stats.norm(0, 0.01).cdf(x)
        + 0.3 * stats.norm(3, 5).cdf(x)
    )
    np.testing.assert_allclose(mixture.quantile(u), x, atol=1e-8)


def test_transform_takes_normal_quantiles_to_those_of_the_density() -> None:
    z = np.linspace(-6, 6, 121)
    x = MODEL.transform(z)
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(cdf(x), NORMAL.cdf(z), rtol=1e-10)


def test_transform_is_exact_where_the_distribution_rounds_to_one() -> None:
    z = np.array([9.0, 12.0, 30.0])
    tail = 0.4 * stats.norm(-1, 0.4).sf(MODEL.transform(z))
    tail += 0.6 * stats.norm(1, 0.6).sf(MODEL.transform(z))
    np.testing.assert_allclose(tail, NORMAL.sf(z), rtol=1e-9)


def test_derivative_is_the_slope_of_transform() -> None:
    z = np.linspace(-4, 4, 81)
    slope = (MODEL.transform(z + 1e-5) - MODEL.transform(z - 1e-5)) / 2e-5
    np.testing.assert_allclose(MODEL.derivative(z), slope, rtol=1e-6)
    assert MODEL.derivative(z.reshape(-1, 1)).shape == (81, 1)


def test_examples_are_draws_of_the_density() -> None:
    source = synthetic.density1d()
    x, y = source.arrays["train"]
    assert x.shape == (10000, 1)
    assert y is None
    assert stats.kstest(x[:, 0], cdf).statistic < 0.02
    assert source.log_prob(x).shape == (10000,)


@functools.cache
def decoder_curve() -> tuple[np.ndarray, np.ndarray]:
    """Returns z and f(z) on a grid fine enough for every c."""
    z = np.linspace(-8, 8, 40001)
    return z, MODEL.transform(z)


def constructed_density(x: np.ndarray, c: float) -> np.ndarray:
    """Returns p(x) = integral of N(z; 0, 1) N(x; f(z), c) dz, by quadrature."""
    z, f = decoder_curve()
    weights = NORMAL.pdf(z) * (z[1] - z[0]) / np.sqrt(2 * np.pi * c)
    return np.array(
        [weights @ np.exp(-((x_i - f) ** 2) / (2 * c)) for x_i in x]
    )


@pytest.mark.parametrize("c", VARIANCES)
def test_constructed_model_is_the_density_blurred_by_c(c: float) -> None:
    x = X[::5]
    # x = f(z) + sqrt(c) e: a mixture with variances scale^2 + c.
    np.testing.assert_allclose(
        constructed_density(x, c), density(x, c), rtol=1e-6, atol=1e-12
    )


def test_constructed_model_goes_to_the_density() -> None:
    errors = [
        np.abs(constructed_density(X, c) - density(X)).max() for c in VARIANCES
    ]
    # To first order c / 2 |p''|, and |p''| is at most 2.6 (at x = -1).
    np.testing.assert_array_less(errors, np.array(VARIANCES) * 1.3)
    np.testing.assert_array_less(errors[1:], np.array(errors[:-1]) / 6)
    assert errors[-1] < 1.3e-4


Z = np.linspace(-2, 2, 41)[:, np.newaxis]  # f^-1(x)
F = MODEL.transform(Z)
SLOPE = MODEL.derivative(Z)
# f'' / f' = (log f')', and log f' = log phi(z) - log p(f(z)).
BEND = -Z - SLOPE * score(F)


def plain(c: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns loc and variance of q(z|x)."""
    return Z, c / SLOPE**2


def linearised(c: float) -> tuple[np.ndarray, np.ndarray]:
    v = c / SLOPE**2
    return Z / (1 + v), v / (1 + v)


def shifted(c: float) -> tuple[np.ndarray, np.ndarray]:
    v = c / SLOPE**2
    return Z - v * (Z + 1.5 * BEND), v


POSTERIORS = (plain, linearised, shifted)


def divergences(posterior: Posterior, c: float) -> np.ndarray:
    """Returns KL(q, p(z|x)), nats, at each x = f(Z), by quadrature."""
    loc, variance = posterior(c)
    scale = np.sqrt(variance)
    q = stats.norm(loc, scale)
    steps = np.linspace(-9, 9, 601)
    z = loc + scale * steps
    weights = q.pdf(z) * scale * (steps[1] - steps[0])
    joint = NORMAL.logpdf(z)
    joint += stats.norm(MODEL.transform(z), np.sqrt(c)).logpdf(F)
    log_posterior = joint - np.log(density(F, c))
    return (weights * (q.logpdf(z) - log_posterior)).sum(axis=1)


def mean_over_x(kl: np.ndarray) -> float:
    return kl @ NORMAL.pdf(Z[:, 0]) / NORMAL.pdf(Z).sum()


def test_constructed_posterior_goes_to_the_true_one() -> None:
    kls = np.array([divergences(plain, c) for c in VARIANCES])
    means = np.array([mean_over_x(kl) for kl in kls])
    assert kls.min() > 0
    np.testing.assert_array_less(means[1:], means[:-1] / 8)
    assert means[-1] < 3e-4
    assert kls[-1].max() < 1.2e-3


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_divergence_falls_in_proportion_to_c(posterior: Posterior) -> None:
    # With t = (z - f^-1(x)) f' / sqrt(c), log p(z|x) is -t^2 / 2
    # - sqrt(c) (a t + b t^3) + O(c), and q's mean is at t = -sqrt(c) m. So
    # KL = c / 2 Var((a - m) t + b t^3), and t, t^3 have variances 1, 15 and
    # covariance 3.
    a, b = Z / SLOPE, BEND / (2 * SLOPE)
    m = {plain: 0, linearised: a, shifted: a + 3 * b}[posterior]
    expected = ((a - m) ** 2 + 6 * (a - m) * b + 15 * b**2) / 2
    ratio = divergences(posterior, 1e-4) / 1e-4
    np.testing.assert_allclose(ratio, expected[:, 0], rtol=0.05, atol=0.01)


def test_shifted_posterior_is_the_closest_for_small_c() -> None:
    for c in (1e-3, 1e-4):
        means = [mean_over_x(divergences(q, c)) for q in POSTERIORS]
        assert means[2] < means[1] < means[0]
