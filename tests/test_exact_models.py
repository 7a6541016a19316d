"""Trained models against exact solutions."""

import functools

import numpy as np
import pytest
import tf_keras

import tfvae
from tests import models, oracles
from tfvae import trunks
from tfvae.data import synthetic
from tfvae.distributions.likelihoods import Gaussian
from tfvae.metrics import likelihood

LATENT_DIM = 3


def draws() -> np.ndarray:
    return synthetic.linear_gaussian().arrays["train"][0].astype(np.float32)


@functools.cache
def trained(C: str) -> tfvae.VAE:
    """Returns a linear VAE, trained on all examples of `linear_gaussian`."""
    x = draws()
    tf_keras.utils.set_random_seed(0)
    model = tfvae.VAE(
        tfvae.make_encoder(trunks.dense([]), x.shape[1:], LATENT_DIM),
        tfvae.make_decoder(
            trunks.dense([]), LATENT_DIM, x.shape[1:], Gaussian(C)
        ),
    )
    batch_size, epochs = 200, 40
    rate = tf_keras.optimizers.schedules.CosineDecay(
        0.01, decay_steps=epochs * len(x) // batch_size
    )
    model.compile(
        tf_keras.optimizers.Adam(rate),
        jit_compile=True,
        steps_per_execution=50,
    )
    model.fit(x, batch_size=batch_size, epochs=epochs, verbose=0)
    return model


def exact_log_likelihood(model: tfvae.VAE, x: np.ndarray) -> float:
    """Returns the mean log p(x) of a linear decoder."""
    W, b = models.decoder_weights(model)
    c = 1 / (2 * model.likelihood.current_C())
    return oracles.linear_gaussian_log_prob(x, W.T, b, c).mean()


def test_oracles_agree_where_they_must() -> None:
    x = draws()
    isotropic = oracles.isotropic_log_likelihood(x)
    assert oracles.ppca_log_likelihood(x, 0) == pytest.approx(isotropic)
    best = oracles.ppca_log_likelihood(x, LATENT_DIM)
    truth = synthetic.linear_gaussian_model()
    of_truth = oracles.linear_gaussian_log_prob(x, truth.W, truth.b, truth.c)
    # What generated the data is nearly, but not quite, what fits them best.
    assert isotropic + 1 < of_truth.mean() < best < of_truth.mean() + 0.01


@pytest.mark.slow
@pytest.mark.parametrize("C", ["learned", "optimal"])
def test_linear_vae_reaches_probabilistic_pca(C: str) -> None:
    x = draws()
    best = oracles.ppca_log_likelihood(x, LATENT_DIM)
    gap = best - oracles.isotropic_log_likelihood(x)
    reached = exact_log_likelihood(trained(C), x)
    assert best - 0.01 * gap < reached <= best


@pytest.mark.parametrize(
    "C", [pytest.param("learned", marks=pytest.mark.slow), "optimal"]
)
def test_elbo_lies_between_isotropic_and_exact_log_likelihood(C: str) -> None:
    model, x = trained(C), draws()
    logs = model.evaluate(x, batch_size=1000, return_dict=True, verbose=0)
    isotropic = oracles.isotropic_log_likelihood(x)
    exact = exact_log_likelihood(model, x)
    assert isotropic < logs["elbo"] <= exact


def test_bounds_of_a_trained_model_are_in_order_below_the_exact_value() -> None:
    model = trained("optimal")
    x = synthetic.linear_gaussian().arrays["test"][0].astype(np.float32)
    estimate = likelihood.importance_weighted(model, x, num_samples=500)
    W, b = models.decoder_weights(model)
    c = 1 / (2 * model.likelihood.current_C())
    exact = oracles.linear_gaussian_log_prob(x, W.T, b, c)
    one, five, fifty = (estimate.curve[k].mean() for k in (1, 5, 50))
    assert one < five < fifty < exact.mean()
    # The data's own density, on the same examples
    truth = synthetic.linear_gaussian_model()
    nll = -estimate.log_prob
    exact_nll = -oracles.linear_gaussian_log_prob(x, truth.W, truth.b, truth.c)
    stderr = nll.std(ddof=1) / np.sqrt(len(nll))
    assert abs(nll.mean() - exact_nll.mean()) < 3 * stderr
