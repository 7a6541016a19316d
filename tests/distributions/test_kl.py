"""KL(q(z|x) || p(z)): closed forms, draws, and one latent at a time."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

from tests import oracles
from tfvae.distributions import priors
from tfvae.distributions.kl import KLRegularizer
from tfvae.distributions.posteriors import POSTERIORS, draw

tfd = tfp.distributions
RNG = np.random.default_rng(0)
LOC, LOG_SCALE = RNG.normal(size=[2, 3, 2]).astype(np.float32)
SCALE = np.exp(7 * np.tanh(LOG_SCALE / 7))
ENTRIES = RNG.normal(size=[3, 3]).astype(np.float32)
NORMALS = {"diag": LOG_SCALE, "tril": ENTRIES}
PRIOR = priors.StandardNormal(2)


def posterior(name: str, loc: np.ndarray, *others: np.ndarray) -> tf.Tensor:
    kl_regularizer = KLRegularizer(PRIOR, exact=False)
    return POSTERIORS[name](kl_regularizer)([loc, *others])


def covariances() -> np.ndarray:
    """Returns L L^T of each row of ENTRIES: [[c, 0], [b, a]] of (a, b, c)."""
    a, b, c = ENTRIES.T.astype(np.float64)
    a, c = np.exp(7 * np.tanh(np.stack([a, c]) / 7))
    tril = np.stack([np.stack([c, 0 * c], -1), np.stack([b, a], -1)], 1)
    return tril @ tril.transpose(0, 2, 1)


def full_kl() -> np.ndarray:
    """Returns (tr S + m^T m - log det S - d) / 2."""
    trace = covariances().trace(axis1=1, axis2=2)
    squares = np.square(LOC.astype(np.float64)).sum(axis=1)
    log_det = np.log(np.linalg.det(covariances()))
    return (trace + squares - log_det - 2) / 2


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_exact_kl_is_the_closed_form_of_each_example(batch: int) -> None:
    loc, log_scale = RNG.normal(size=[2, batch, 2]).astype(np.float32)
    kl = KLRegularizer(PRIOR)(posterior("diag", loc, log_scale), None)
    assert kl.shape == [batch]
    scale = np.exp(7 * np.tanh(log_scale / 7))
    expected = oracles.kl_to_standard_normal(loc, scale)
    np.testing.assert_allclose(kl, expected, rtol=1e-5)


def test_exact_kl_of_a_full_covariance_is_the_closed_form() -> None:
    kl = KLRegularizer(PRIOR)(posterior("tril", LOC, ENTRIES), None)
    np.testing.assert_allclose(kl, full_kl(), rtol=1e-5)


def test_kl_is_zero_at_the_prior() -> None:
    qz = posterior("diag", tf.zeros([3, 2]), tf.zeros([3, 2]))
    np.testing.assert_array_equal(KLRegularizer(PRIOR)(qz, None), [0] * 3)


class OtherNormal(priors.StandardNormal):
    """N([1, -2], diag [0.5, 3]^2)."""

    def distribution(self) -> tfd.Distribution:
        return tfd.MultivariateNormalDiag([1.0, -2.0], [0.5, 3.0])


def test_normal_prior_need_not_be_standard() -> None:
    regularizer = KLRegularizer(OtherNormal(2))
    qz = posterior("diag", LOC, LOG_SCALE)
    # Scaling both by the prior's scale leaves the KL unchanged.
    expected = oracles.kl_to_standard_normal(
        (LOC - [1.0, -2.0]) / [0.5, 3.0], SCALE / [0.5, 3.0]
    )
    np.testing.assert_allclose(regularizer(qz, None), expected, rtol=1e-5)
    per_dim = regularizer.per_dim(qz)
    np.testing.assert_allclose(per_dim.numpy().sum(-1), expected, rtol=1e-5)


def test_kl_of_draws_is_the_mean_log_ratio_at_them() -> None:
    z = RNG.normal(size=[5, 3, 2]).astype(np.float32)
    log_q = stats.norm(LOC, SCALE).logpdf(z).sum(axis=-1)
    log_ratio = log_q - stats.norm.logpdf(z).sum(axis=-1)
    regularizer = KLRegularizer(PRIOR, exact=False)
    qz = posterior("diag", LOC, LOG_SCALE)
    kl = regularizer(qz, z)
    np.testing.assert_allclose(kl, log_ratio.mean(axis=0), rtol=1e-4)
    kl = regularizer(qz, z[2])
    np.testing.assert_allclose(kl, log_ratio[2], rtol=1e-5)


@pytest.mark.parametrize("shape", [(5, 3), (3,)], ids=str)
def test_log_posterior_is_taken_where_it_is_given(
    shape: tuple[int, ...],
) -> None:
    z = RNG.normal(size=[*shape, 2]).astype(np.float32)
    log_posterior = RNG.normal(size=shape).astype(np.float32)
    kl = KLRegularizer(PRIOR, exact=False)(
        posterior("diag", LOC, LOG_SCALE), z, log_posterior
    )
    log_ratio = log_posterior - stats.norm.logpdf(z).sum(axis=-1)
    expected = log_ratio.reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(kl, expected, rtol=1e-4)


@pytest.mark.parametrize("name", NORMALS)
def test_kl_of_draws_is_right_on_average(name: str) -> None:
    num_draws = 20_000
    eps = np.random.default_rng(1).normal(size=[num_draws, 3, 2])
    qz = posterior(name, LOC, NORMALS[name])
    z, log_prob = draw(qz, tf.constant(eps, tf.float32))
    kl = KLRegularizer(PRIOR, exact=False)(qz, z, log_prob)
    log_p = stats.norm.logpdf(z).sum(axis=-1)
    standard_error = (log_prob - log_p).numpy().std(0) / np.sqrt(num_draws)
    expected = {
        "diag": oracles.kl_to_standard_normal(LOC, SCALE),
        "tril": full_kl(),
    }[name]
    assert (np.abs(kl - expected) < 5 * standard_error).all()


def test_kl_of_a_dimension_is_that_of_its_marginal() -> None:
    regularizer = KLRegularizer(PRIOR)
    variances = covariances().diagonal(axis1=1, axis2=2)
    for name, scale in (("diag", SCALE), ("tril", np.sqrt(variances))):
        qz = posterior(name, LOC, NORMALS[name])
        per_dim = regularizer.per_dim(qz)
        expected = [
            oracles.kl_to_standard_normal(LOC[:, [j]], scale[:, [j]])
            for j in range(2)
        ]
        np.testing.assert_allclose(per_dim, np.stack(expected, -1), rtol=1e-5)
        total = tf.reduce_sum(per_dim, axis=-1)
        if name == "diag":
            np.testing.assert_allclose(total, regularizer(qz, None), rtol=1e-5)
        else:
            assert (total.numpy() < full_kl()).all()


def test_dimensions_have_no_kl_of_their_own_without_a_closed_form() -> None:
    regularizer = KLRegularizer(priors.Mixture(2, 4), exact=False)
    assert regularizer.per_dim(posterior("diag", LOC, LOG_SCALE)) is None


def test_prior_is_a_layer() -> None:
    prior = tfd.MultivariateNormalDiag([1.0, -2.0], [0.5, 3.0])
    with pytest.raises(TypeError, match=r"`prior` must be one of .* got Multi"):
        KLRegularizer(prior)


def test_closed_form_needs_a_normal_prior() -> None:
    with pytest.raises(ValueError, match=r"normal prior; got Mixture; use"):
        KLRegularizer(priors.Mixture(2, 4))
