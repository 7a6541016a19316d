"""Errors and residuals against a model whose posterior is known exactly."""

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests import models
from tfvae import trunks
from tfvae.condition import Mask
from tfvae.distributions.likelihoods import Gaussian
from tfvae.metrics import residuals

NUM_DIMS, C = 5, 2.0  # c = 1/4
NUM = 600  # more than two batches


def exact_model(num_rows: int = NUM) -> tuple[tfvae.VAE, np.ndarray]:
    """Returns a VAE whose q(z|x) is exact, and draws of its own p(x)."""
    rng = np.random.default_rng(0)
    c = 1 / (2 * C)
    # p(x|z) = N(z W + b, c I); of orthogonal rows the posterior is diagonal.
    scales = np.array([1.5, 0.5])
    W = scales[:, np.newaxis] * np.linalg.qr(rng.normal(size=[5, 2]))[0].T
    b = rng.normal(size=NUM_DIMS)
    model = models.linear_vae(NUM_DIMS, Gaussian(C=C))
    variance = c / (c + scales**2)
    gain = W.T / (c + scales**2)
    raw = 7 * np.arctanh(np.log(np.sqrt(variance)) / 7)
    for layer, values in {
        "loc": (gain, -b @ gain),
        "log_scale": (np.zeros([NUM_DIMS, 2]), raw),
    }.items():
        model.encoder.get_layer(layer).set_weights(values)
    model.decoder.get_layer("head").set_weights([W])
    model.decoder.get_layer("offset").set_weights([b[:, np.newaxis]])
    z = rng.normal(size=[num_rows, 2])
    x = z @ W + b + np.sqrt(c) * rng.normal(size=[num_rows, NUM_DIMS])
    return model, x.astype(np.float32)


def test_residuals_of_the_true_model_are_standard_normal() -> None:
    model, x = exact_model()
    r = residuals.standardised(model, x, seed=0)
    assert r.shape == (NUM * NUM_DIMS,)
    # Standard errors of a mean and of a standard deviation; those of one
    # example are independent of each other in the true model.
    assert abs(r.mean()) < 4 / np.sqrt(r.size)
    assert abs(r.std() - 1) < 4 / np.sqrt(2 * r.size)
    share = np.mean(np.abs(r) > 1.959964)
    assert abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / r.size)
    # At the mean code the variance along a row of W of length a would be
    # c / (a^2 + c), here 0.1 and 0.5, and 1 along the three other directions.
    at_mean = (x - model.reconstruct(x).numpy()) / 0.5
    assert abs(at_mean.std() - np.sqrt(3.6 / 5)) < 4 / np.sqrt(2 * r.size)


def test_residuals_grow_as_the_noise_is_made_too_small() -> None:
    model, x = exact_model()
    model.likelihood.scaled_log_c.assign(
        model.likelihood.scaled_log_c - model.likelihood.gain * np.log(4)
    )
    assert float(model.likelihood.c) == pytest.approx(1 / 16, rel=1e-5)
    r = residuals.standardised(model, x, seed=0)
    assert r.std() == pytest.approx(2, rel=0.06)


def test_draws_depend_on_the_seed_alone() -> None:
    model, x = exact_model(7)
    one, again, other = (
        residuals.standardised(model, x, seed=seed) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).all()


def test_noise_of_each_dimension_is_its_own() -> None:
    model = models.linear_vae(3, Gaussian(C="per_pixel"))
    b = models.make_deaf(model)
    offset = model.decoder.get_layer("offset").b.numpy()  # [3, 2]
    x = np.random.default_rng(1).normal(size=[4, 3]).astype(np.float32)
    sigma = np.exp(6 * np.tanh(offset[:, 1] / 12))
    np.testing.assert_allclose(
        residuals.standardised(model, x, seed=0).reshape(4, 3),
        (x - b) / sigma,
        rtol=1e-5,
    )


def test_error_is_a_mean_over_examples() -> None:
    model = models.linear_vae(3, Gaussian(C=1.0))
    b = models.make_deaf(model)
    x = np.random.default_rng(1).normal(size=[4, 3]).astype(np.float32)
    np.testing.assert_allclose(
        residuals.squared_error_per_dim(model, x),
        np.mean((x - b) ** 2, axis=0),
        rtol=1e-5,
    )


def test_autoencoder_has_residuals_at_its_code() -> None:
    model = tfvae.AutoEncoder(
        tfvae.baselines.make_code_encoder(trunks.dense([]), (3,), 2),
        tfvae.make_decoder(trunks.dense([]), 2, (3,), Gaussian(C=2.0)),
    )
    x = np.random.default_rng(1).normal(size=[4, 3]).astype(np.float32)
    kernel, bias = model.encoder.get_layer("loc").get_weights()
    W = model.decoder.get_layer("head").kernel.numpy()
    left = x - (x @ kernel + bias) @ W
    np.testing.assert_allclose(
        residuals.standardised(model, x, seed=0).reshape(4, 3),
        left / 0.5,
        rtol=1e-4,
        atol=1e-6,
    )


def test_what_is_seen_has_no_residual() -> None:
    shape = (3, 2, 1)
    encoder_condition = Mask(shape)
    condition = Mask(shape, trunks.dense([4]))
    model = tfvae.VAE(
        tfvae.make_encoder(
            trunks.dense([4]), shape, 2, condition=encoder_condition
        ),
        tfvae.make_decoder(
            trunks.dense([4]), 2, shape, Gaussian(C=2.0), condition=condition
        ),
        condition=condition,
    )
    model.decoder.get_layer("head").kernel.assign(
        tf.zeros_like(model.decoder.get_layer("head").kernel)
    )
    x = np.random.default_rng(1).normal(size=[4, *shape]).astype(np.float32)
    mask = np.zeros([4, *shape], np.float32)
    mask[:, 0] = 1  # the upper row is seen in all, and one pixel in two
    mask[:2, 1, 0] = 1
    values = {"image": x, "mask": mask}
    # The decoder gives f(z) = 0, and c = 1/4.
    np.testing.assert_allclose(
        residuals.standardised(model, x, values, seed=0),
        x[mask == 0] / 0.5,
        rtol=1e-5,
    )
    expected = np.mean(x**2, axis=0)
    expected[0] = 0
    expected[1, 0] = np.mean(x[2:, 1, 0] ** 2)
    np.testing.assert_allclose(
        residuals.squared_error_per_dim(model, x, values), expected, rtol=1e-5
    )
