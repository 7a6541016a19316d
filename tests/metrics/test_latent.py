"""Active units, and the rate split against exact integrals and scipy."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from tensorflow_probability import layers as tfpl

from tfvae.metrics import latent

LOC = np.array([[0.3, -1.0], [2.0, 0.5], [-1.5, 0.1], [0.4, 0.9], [1.0, 3.0]])
SCALE = np.array([[0.5, 1.0], [0.2, 0.7], [1.2, 0.4], [0.9, 0.3], [0.6, 0.8]])
Z = np.array([[0.1, -0.5], [1.9, 1.0], [-2.0, 0.3], [0.7, 0.8], [1.1, 2.0]])
TRIL = np.array([[[s, 0.0], [0.3, t]] for s, t in SCALE])


def _float32(*arrays: np.ndarray) -> list[np.ndarray]:
    return [array.astype(np.float32) for array in arrays]


def _diag(rows: slice) -> tfd.Distribution:
    return tfd.MultivariateNormalDiag(*_float32(LOC[rows], SCALE[rows]))


def _diag_of_a_layer(rows: slice) -> tfd.Distribution:
    layer = tfpl.DistributionLambda(
        lambda p: tfd.MultivariateNormalDiag(p[0], p[1]),
        convert_to_tensor_fn=tfd.Distribution.mean,
    )
    return layer(_float32(LOC[rows], SCALE[rows]))


def _tril(rows: slice) -> tfd.Distribution:
    return tfd.MultivariateNormalTriL(*_float32(LOC[rows], TRIL[rows]))


def _transformed(rows: slice) -> tfd.Distribution:
    return tfd.TransformedDistribution(_diag(rows), tfb.Scale(2.0))


def _normal(z: np.ndarray, loc: np.ndarray, covariance: np.ndarray) -> float:
    return stats.multivariate_normal(loc, covariance).logpdf(z)


def _diag_reference(i: int, j: int) -> float:
    return _normal(Z[i], LOC[j], np.diag(SCALE[j] ** 2))


def _tril_reference(i: int, j: int) -> float:
    return _normal(Z[i], LOC[j], TRIL[j] @ TRIL[j].T)


def _transformed_reference(i: int, j: int) -> float:
    return _normal(Z[i], 2 * LOC[j], np.diag(4 * SCALE[j] ** 2))


def test_unit_is_active_where_its_code_has_variance_above_a_hundredth() -> None:
    # Variances 0, 0.0025, 0.0081, 0.0121, 1: about a mean that does not count.
    half_width = np.array([0.0, 0.05, 0.09, 0.11, 1.0])
    loc = 3 + np.array([[1], [-1], [1], [-1]]) * half_width
    active = latent.active_units(loc)
    np.testing.assert_array_equal(active, [False, False, False, True, True])
    np.testing.assert_array_equal(
        latent.active_units(loc, threshold=0.005),
        [False, False, True, True, True],
    )


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
@pytest.mark.parametrize(
    ("posterior_of", "reference"),
    [
        (_diag, _diag_reference),
        (_diag_of_a_layer, _diag_reference),
        (_tril, _tril_reference),
        (_transformed, _transformed_reference),
    ],
)
def test_terms_are_those_of_the_mixture_over_all_examples(
    posterior_of: Callable, reference: Callable, batch_size: int
) -> None:
    matrix = np.array([[reference(i, j) for j in range(5)] for i in range(5)])
    log_aggregate = special.logsumexp(matrix, axis=1) - np.log(5)
    log_prior = np.array([_normal(z, np.zeros(2), np.eye(2)) for z in Z])
    terms = latent.aggregate_posterior(
        posterior_of,
        *_float32(Z, log_prior),
        batch_size=batch_size,
    )
    np.testing.assert_allclose(
        [terms.mutual_information, terms.aggregate_kl, terms.rate],
        [
            np.mean(np.diagonal(matrix) - log_aggregate),
            np.mean(log_aggregate - log_prior),
            np.mean(np.diagonal(matrix) - log_prior),
        ],
        rtol=2e-5,
    )
    assert terms.mutual_information_bound == pytest.approx(np.log(5))


def test_blocks_of_z_do_not_change_the_terms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_prior = np.zeros(5)
    whole = latent.aggregate_posterior(_tril, *_float32(Z, log_prior))
    monkeypatch.setattr(latent, "MOST_ELEMENTS", 20)  # 2 of 5 z at a time
    blocks = latent.aggregate_posterior(_tril, *_float32(Z, log_prior))
    assert blocks.rate == pytest.approx(whole.rate, rel=1e-6)
    assert blocks.aggregate_kl == pytest.approx(whole.aggregate_kl, rel=1e-6)


def test_what_a_layer_returns_is_as_fast_as_what_it_wraps() -> None:
    # The matrix products are in float64: equal to the last bit, or not used.
    log_prior = np.zeros(5)
    wrapped, bare = (
        latent.aggregate_posterior(posterior_of, *_float32(Z, log_prior))
        for posterior_of in (_diag_of_a_layer, _diag)
    )
    assert wrapped == bare


def test_narrow_posteriors_far_from_zero_lose_no_digits() -> None:
    rng = np.random.default_rng(0)
    (loc,) = _float32(rng.normal(5.0, 1.0, size=[40, 16]))
    (z,) = _float32(loc + 1e-3 * rng.normal(size=loc.shape))
    expected = stats.norm(loc.astype(np.float64), np.float32(1e-3)).logpdf(z)
    terms = latent.aggregate_posterior(
        lambda rows: tfd.MultivariateNormalDiag(
            loc[rows], tf.fill([len(loc[rows]), 16], 1e-3)
        ),
        z,
        np.zeros(40),
    )
    assert terms.rate == pytest.approx(expected.sum(axis=1).mean(), rel=1e-6)


def test_terms_agree_with_quadrature_for_a_mixture_of_three() -> None:
    loc, scale = np.array([-1.0, 0.5, 2.0]), np.array([0.3, 0.6, 0.2])
    grid = np.linspace(-8, 8, 20_001)
    step = grid[1] - grid[0]
    q = stats.norm(loc[:, np.newaxis], scale[:, np.newaxis])
    log_q = q.logpdf(grid)
    log_mix = special.logsumexp(log_q, axis=0) - np.log(3)
    log_p = stats.norm.logpdf(grid)

    def moments(value: np.ndarray) -> tuple[float, float]:
        density = np.exp(log_q) / 3 * step
        mean = np.sum(density * value)
        return mean, np.sqrt(np.sum(density * value**2) - mean**2)

    num_examples = 3 * 700
    rng = np.random.default_rng(0)
    component = np.tile([0, 1, 2], 700)
    z = rng.normal(loc[component], scale[component])
    locs, scales = _float32(loc[component, None], scale[component, None])
    terms = latent.aggregate_posterior(
        lambda rows: tfd.MultivariateNormalDiag(locs[rows], scales[rows]),
        *_float32(z[:, np.newaxis], stats.norm.logpdf(z)),
    )
    for measured, value in (
        (terms.mutual_information, log_q - log_mix),
        (terms.aggregate_kl, log_mix - log_p),
    ):
        mean, scale_of_one = moments(value)
        error = 5 * scale_of_one / np.sqrt(num_examples)
        assert measured == pytest.approx(mean, abs=error)
        assert error < 0.25 * mean


def test_rate_is_the_mean_kl_in_closed_form() -> None:
    rng = np.random.default_rng(1)
    loc, scale = rng.normal(size=[600, 2]), rng.uniform(0.2, 1.0, [600, 2])
    z = loc + scale * rng.normal(size=[600, 2])
    locs, scales = _float32(loc, scale)
    log_prior = stats.norm.logpdf(z).sum(axis=1)
    terms = latent.aggregate_posterior(
        lambda rows: tfd.MultivariateNormalDiag(locs[rows], scales[rows]),
        *_float32(z, log_prior),
    )
    kl = 0.5 * (loc**2 + scale**2 - 1).sum(axis=1) - np.log(scale).sum(axis=1)
    draws = stats.norm(loc, scale).logpdf(z).sum(axis=1) - log_prior
    assert terms.rate == pytest.approx(draws.mean(), rel=1e-5)
    error = 5 * np.std(draws - kl) / np.sqrt(600)
    assert terms.rate == pytest.approx(kl.mean(), abs=error)


@pytest.mark.parametrize(("spread", "nats"), [(0.0, 0.0), (100.0, np.log(7))])
def test_information_runs_from_zero_to_log_n(
    spread: float, nats: float
) -> None:
    (loc,) = _float32(spread * np.arange(7)[:, np.newaxis] * np.ones(2))
    terms = latent.aggregate_posterior(
        lambda rows: tfd.MultivariateNormalDiag(
            loc[rows], np.ones_like(loc[rows])
        ),
        loc + np.float32(0.5),
        np.zeros(7),
    )
    assert terms.mutual_information == pytest.approx(nats, abs=1e-9)
    assert terms.mutual_information <= terms.mutual_information_bound + 1e-9
