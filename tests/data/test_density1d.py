"""A one-dimensional density, and Doersch's argument that a VAE can learn it.

Doersch (2016, section 2.4.1, appendix A) builds a decoder and a posterior by
hand: f = F^-1(Phi(z)), p(x|z) = N(f(z), c), and q(z|x) a Gaussian around
f^-1(x) with variance c / f'^2. As c goes to 0, p(x) goes to the density and
KL(q, p(z|x)) to 0. Measured here, on `density1d` (quadrature; KL in nats at
x = f(z), z = -2, -1.9, ..., 2, weighted by phi(z) and normalised):

       c   max |p_c - p|   mean KL   largest KL   mean KL, linearised posterior
TABLE

Everything falls in proportion to c, up to where f bends within sqrt(c) / f'.
The linearised posterior, N(z / (1 + 1/v), v / (1 + v)) with v = c / f'^2 and
z = f^-1(x), is exact where f is a line: prior and likelihood both counted.
"""

import functools

import numpy as np
import pytest
from scipy import stats

from tfvae.data import synthetic
from tfvae.data.mixture import GaussianMixture

MODEL = synthetic.density1d_model()
VARIANCES = (1e-1, 1e-2, 1e-3, 1e-4)
NORMAL = stats.norm(0, 1)


def density(x: np.ndarray, c: float = 0.0) -> np.ndarray:
    """Density of `density1d` plus noise of variance c, by scipy."""
    return sum(
        w * stats.norm(loc, np.sqrt(scale**2 + c)).pdf(x)
        for w, loc, scale in [(0.4, -1, 0.4), (0.6, 1, 0.6)]
    )


def cdf(x: np.ndarray) -> np.ndarray:
    return 0.4 * stats.norm(-1, 0.4).cdf(x) + 0.6 * stats.norm(1, 0.6).cdf(x)


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
    z = np.linspace(-9, 9, 60001)
    return z, MODEL.transform(z)


def constructed_density(x: np.ndarray, c: float) -> np.ndarray:
    """Returns p(x) = integral of N(z; 0, 1) N(x; f(z), c) dz, by quadrature."""
    z, f = decoder_curve()
    weights = NORMAL.pdf(z) * (z[1] - z[0])
    return np.array([weights @ stats.norm(f, np.sqrt(c)).pdf(x_i) for x_i in x])


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
    np.testing.assert_array_less(errors[1:], np.array(errors[:-1]) / 4)
    assert errors[-1] < 1.3e-4


def divergences(c: float, *, linearised: bool) -> np.ndarray:
    """Returns KL(q, p(z|x)), nats, at x = f(z) for z = -2, -1.9, ..., 2."""
    z = np.linspace(-2, 2, 41)[:, np.newaxis]
    x, variance = MODEL.transform(z), c / MODEL.derivative(z) ** 2
    loc = z
    if linearised:
        loc, variance = z / (1 + variance), variance / (1 + variance)
    q = stats.norm(loc, np.sqrt(variance))
    # Quadrature over ten standard deviations of q.
    steps = np.linspace(-10, 10, 1001)
    points = loc + np.sqrt(variance) * steps
    weights = q.pdf(points) * np.sqrt(variance) * (steps[1] - steps[0])
    joint = NORMAL.logpdf(points) + stats.norm(
        MODEL.transform(points), np.sqrt(c)
    ).logpdf(x)
    log_posterior = joint - np.log(density(x, c))
    return (weights * (q.logpdf(points) - log_posterior)).sum(axis=1)


def mean_over_x(kl: np.ndarray) -> float:
    weights = NORMAL.pdf(np.linspace(-2, 2, 41))
    return kl @ weights / weights.sum()


def test_constructed_posterior_goes_to_the_true_one() -> None:
    kls = [divergences(c, linearised=False) for c in VARIANCES]
    means = np.array([mean_over_x(kl) for kl in kls])
    assert min(kl.min() for kl in kls) > -1e-9
    np.testing.assert_array_less(means[1:], means[:-1] / 4)
    assert means[-1] < 1e-3
    assert kls[-1].max() < 1e-3


def test_linearised_posterior_is_closer_at_every_c() -> None:
    for c in VARIANCES:
        better = mean_over_x(divergences(c, linearised=True))
        assert 0 < better < mean_over_x(divergences(c, linearised=False))
