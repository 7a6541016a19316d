"""Importance-weighted estimates against models with an exact log p(x)."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests import oracles
from tfvae import trunks
from tfvae.data.synthetic import linear_gaussian_model
from tfvae.distributions.likelihoods import Bernoulli, Gaussian
from tfvae.metrics import exact, likelihood

TRUTH = linear_gaussian_model()  # 8 features, 3 latents
X = np.float32(
    TRUTH.b
    + np.random.default_rng(1).normal(size=[7, 8])
    @ np.diag(1 + np.arange(8) / 4)
)
EXACT = oracles.linear_gaussian_log_prob(X, TRUTH.W, TRUTH.b, TRUTH.c)


def model_with_posterior(widen: float = 1.0) -> tfvae.VAE:
    """Returns the true model; q(z|x) is its exact posterior, scaled up."""
    encoder = tfvae.make_encoder(trunks.dense([]), (8,), 3, posterior="tril")
    decoder = tfvae.make_decoder(
        trunks.dense([]), 3, (8,), Gaussian(1 / (2 * TRUTH.c))
    )
    decoder.get_layer("head").kernel.assign(TRUTH.W.T)
    decoder.get_layer("offset").b.assign(TRUTH.b[:, np.newaxis])
    # p(z|x) = N(M^-1 W^T (x - b), c M^-1), M = W^T W + c I
    inverse = np.linalg.inv(TRUTH.W.T @ TRUTH.W + TRUTH.c * np.eye(3))
    loc, tril = encoder.get_layer("loc"), encoder.get_layer("scale_tril")
    loc.kernel.assign(TRUTH.W @ inverse)
    loc.bias.assign(-TRUTH.b @ TRUTH.W @ inverse)
    entries = widen * np.linalg.cholesky(TRUTH.c * inverse)
    diagonal = np.log(np.diag(entries))
    np.fill_diagonal(entries, 7 * np.arctanh(diagonal / 7))
    tril.kernel.assign(np.zeros(tril.kernel.shape))
    tril.bias.assign(tfp.math.fill_triangular_inverse(np.float32(entries)))
    return tfvae.VAE(encoder, decoder)


@pytest.mark.parametrize("num_samples", [1, 10, 1000])
def test_bound_with_the_exact_posterior_is_log_p_for_every_k(
    num_samples: int,
) -> None:
    estimate = likelihood.importance_weighted(
        model_with_posterior(), X, num_samples=num_samples
    )
    np.testing.assert_allclose(estimate.log_prob, EXACT, atol=1e-4)
    np.testing.assert_allclose(estimate.variance, 0, atol=1e-6)
    for bound in estimate.curve.values():
        np.testing.assert_allclose(bound, EXACT, atol=1e-4)


def test_bound_with_another_posterior_closes_in_from_below() -> None:
    estimate = likelihood.importance_weighted(
        model_with_posterior(widen=2.0), X, num_samples=5000
    )
    curve = [bound.mean() for bound in estimate.curve.values()]
    assert list(estimate.curve) == [1, 5, 10, 50, 100, 500, 1000, 5000]
    assert curve == sorted(curve)
    assert EXACT.mean() - curve[0] > 1
    error = estimate.log_prob - EXACT
    assert (np.abs(error) < 5 * np.sqrt(estimate.variance)).all()
    assert (np.sqrt(estimate.variance) < 0.1).all()


def test_one_draw_bound_is_log_likelihood_minus_log_ratio() -> None:
    estimate = likelihood.importance_weighted(
        model_with_posterior(widen=2.0), X, num_samples=20
    )
    np.testing.assert_allclose(
        estimate.curve[1],
        estimate.log_likelihood - estimate.log_ratio,
        rtol=1e-6,
    )


def test_variance_is_that_of_repeated_estimates() -> None:
    estimate = likelihood.importance_weighted(
        model_with_posterior(widen=1.5),
        np.repeat(X[:1], 500, axis=0),
        num_samples=200,
    )
    observed = estimate.log_prob.var(ddof=1)
    # The variance of 500 draws has a standard error of 6%.
    assert estimate.variance.mean() == pytest.approx(observed, rel=0.3)


def test_chunks_and_batches_leave_nothing_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # 3 examples a batch, 5 draws a chunk: both with a short last one.
    monkeypatch.setattr(likelihood, "LARGEST_BATCH", 3)
    monkeypatch.setattr(likelihood, "DECODED_NUMBERS", 3 * 5 * 8)
    done: list[int] = []
    estimate = likelihood.importance_weighted(
        model_with_posterior(), X, num_samples=13, progress=done.append
    )
    np.testing.assert_allclose(estimate.log_prob, EXACT, atol=1e-4)
    assert done == [3, 6, 7]


def test_no_two_draws_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likelihood, "LARGEST_BATCH", 3)
    monkeypatch.setattr(likelihood, "DECODED_NUMBERS", 3 * 5 * 8)
    seen: list[np.ndarray] = []
    plain = likelihood._estimate

    def spy(log_likelihood: np.ndarray, *args) -> likelihood.Estimate:
        seen.append(log_likelihood)
        return plain(log_likelihood, *args)

    monkeypatch.setattr(likelihood, "_estimate", spy)
    model = model_with_posterior(widen=2.0)
    same_x = np.repeat(X[:1], 7, axis=0)
    likelihood.importance_weighted(model, same_x, num_samples=13)
    draws = np.concatenate([values.ravel() for values in seen])
    assert draws.size == 7 * 13 == np.unique(draws).size


def test_xla_estimates_the_same() -> None:
    estimate = likelihood.importance_weighted(
        model_with_posterior(), X, num_samples=13, jit_compile=True
    )
    np.testing.assert_allclose(estimate.log_prob, EXACT, atol=1e-4)


def test_memory_of_the_weights_is_bounded() -> None:
    batch_size, chunk = likelihood._sizes(784, 10_000_000)
    assert batch_size * 10_000_000 <= likelihood.WEIGHT_NUMBERS
    assert batch_size * chunk * 784 <= likelihood.DECODED_NUMBERS
    assert likelihood._sizes(10**9, 5) == (1, 1)


def test_figure_repeats_and_the_seed_changes_it() -> None:
    model = model_with_posterior(widen=2.0)
    one, again, other = (
        likelihood.importance_weighted(model, X, num_samples=20, seed=seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.log_prob, again.log_prob)
    assert not np.isclose(one.log_prob, other.log_prob).any()


def test_naive_estimate_is_exact_where_z_says_nothing() -> None:
    decoder = tfvae.make_decoder(trunks.dense([]), 2, (5,), Bernoulli())
    decoder.get_layer("head").kernel.assign(tf.zeros([2, 5]))
    logits = np.linspace(-2, 2, 5)
    decoder.get_layer("offset").b.assign(logits[:, np.newaxis])
    model = tfvae.VAE(tfvae.make_encoder(trunks.dense([]), (5,), 2), decoder)
    x = np.float32(np.random.default_rng(0).integers(2, size=[3, 5]))
    curve = likelihood.naive(model, x, num_samples=20)
    expected = oracles.bernoulli_log_prob(x, np.tile(logits, [3, 1])).mean()
    assert list(curve) == [1, 5, 10, 20]
    for bound in curve.values():
        assert bound == pytest.approx(expected, rel=1e-5)


def test_naive_estimate_needs_far_more_draws() -> None:
    model = model_with_posterior()
    curve = likelihood.naive(model, X, num_samples=5000)
    assert EXACT.mean() - curve[10] > 5
    assert abs(EXACT.mean() - curve[5000]) > 0.05


def test_exact_log_prob_of_a_linear_model_is_the_oracle_s() -> None:
    log_prob = exact.linear_gaussian_log_prob(model_with_posterior(), X)
    np.testing.assert_allclose(log_prob, EXACT, rtol=1e-5)
