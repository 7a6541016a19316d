"""PCA and the autoencoder: what the VAE is compared with."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from sklearn import datasets

import tfvae
from tests.conftest import replicas
from tfvae import baselines, trunks
from tfvae.distributions.likelihoods import Bernoulli, Gaussian, Likelihood

RNG = np.random.default_rng(0)
X = RNG.uniform(size=[11, 5]).astype(np.float32)


def linear(
    event_shape: tuple[int, ...], latent_dim: int, likelihood: Likelihood,
    mean: np.ndarray | None = None,
) -> baselines.AutoEncoder:  # fmt: skip
    return baselines.AutoEncoder(
        baselines.make_code_encoder(trunks.dense([]), event_shape, latent_dim),
        tfvae.make_decoder(
            trunks.dense([]), latent_dim, event_shape, likelihood, mean=mean
        ),
    )


def discarded_variance(
    train: np.ndarray, test: np.ndarray, latent_dim: int
) -> float:
    """Returns PCA's error on `test` by the singular vectors of `train`."""
    train, test = (
        x.reshape(len(x), -1).astype(np.float64) for x in (train, test)
    )
    mean = train.mean(axis=0)
    vectors = np.linalg.svd(train - mean)[2][:latent_dim]
    centred = test - mean
    return float(np.mean((centred - centred @ vectors.T @ vectors) ** 2))


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_pca_error_is_the_variance_of_the_discarded_directions(
    latent_dim: int,
) -> None:
    error = baselines.pca_mse(X[:7], X[7:], latent_dim=latent_dim)
    expected = discarded_variance(X[:7], X[7:], latent_dim)
    assert error == pytest.approx(expected, rel=1e-5)


def test_pca_with_more_components_than_there_are_is_exact() -> None:
    assert baselines.pca_mse(X, X, latent_dim=99) == pytest.approx(0, abs=1e-12)


def test_linear_autoencoder_reaches_pca_s_error_on_digits() -> None:
    x = (datasets.load_digits().images[..., np.newaxis] / 16).astype(np.float32)
    model = linear((8, 8, 1), 4, Gaussian("optimal"), mean=x.mean(axis=0))
    rate = tf_keras.optimizers.schedules.CosineDecay(0.01, 60 * 15)
    model.compile(tf_keras.optimizers.Adam(rate), steps_per_execution=15)
    model.fit(x, batch_size=128, epochs=60, verbose=0)
    logs = model.evaluate(x, return_dict=True, verbose=0)
    assert logs["mse"] == pytest.approx(discarded_variance(x, x, 4), rel=0.01)


def test_loss_is_the_distortion_alone() -> None:
    model = linear((5,), 2, Gaussian(4.0))
    model.compile("sgd")
    logs = model.evaluate(X, return_dict=True, verbose=0)
    assert set(logs) == {"loss", "log_likelihood", "mse"}
    assert logs["loss"] == pytest.approx(-logs["log_likelihood"])
    # -log p = C SE + D/2 log(2 pi c)
    expected = 4 * 5 * logs["mse"] + 2.5 * np.log(2 * np.pi / 8)
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    weighted = linear((5,), 2, Bernoulli(2.5))
    weighted.compile("sgd")
    logs = weighted.evaluate(X, return_dict=True, verbose=0)
    assert logs["loss"] == pytest.approx(-2.5 * logs["log_likelihood"])


def test_code_is_affine_and_decoded_as_it_is() -> None:
    model = linear((5,), 2, Gaussian(4.0))
    head, decoder = model.encoder.get_layer("loc"), model.decoder
    z = X @ head.kernel.numpy() + head.bias.numpy()
    np.testing.assert_allclose(model.code(X), z, rtol=1e-4, atol=1e-6)
    expected = z @ decoder.get_layer("head").kernel.numpy()
    np.testing.assert_allclose(
        model.reconstruct(X), expected, rtol=1e-4, atol=1e-6
    )


def test_two_devices_learn_what_one_does() -> None:
    weights = []
    for count in (1, 2):
        tf_keras.utils.set_random_seed(0)
        with replicas(count).scope():
            model = linear((5,), 2, Gaussian("optimal"))
            model.compile(tf_keras.optimizers.SGD(0.1))
        batches = tf.data.Dataset.from_tensor_slices(X).batch(4)
        model.fit(batches, epochs=2, verbose=0)
        weights.append([v.numpy() for v in model.weights])
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-7)
