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


def conditional_mean(
    train: np.ndarray,
    x: np.ndarray,
    seen: np.ndarray,
    latent_dim: int,
    *,
    more_noise: float = 0.0,
) -> np.ndarray:
    """Returns x with its hidden values as N(mean, W W^T + sigma^2 I) has them.

    The covariance keeps the leading eigenvalues of the data's, the others take
    their mean; then E[x_h | x_s] = mean_h + C_hs C_ss^-1 (x_s - mean_s).
    """
    mean = train.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(train, rowvar=False))
    values[:-latent_dim] = values[:-latent_dim].mean()
    values += more_noise * values[-1]
    C = vectors @ np.diag(values) @ vectors.T
    filled = x.copy()
    for i, s in enumerate(seen):
        residual = np.linalg.solve(C[np.ix_(s, s)], (x[i] - mean)[s])
        filled[i, ~s] = mean[~s] + C[np.ix_(~s, s)] @ residual
    return filled


IMAGES = RNG.normal(size=[60, 4]) @ RNG.normal(size=[4, 24])
IMAGES = (IMAGES + RNG.normal(size=[60, 24])).reshape(60, 4, 3, 2)
MASK = (RNG.random([7, 4, 3, 1]) < 0.5).astype(np.float32)


@pytest.mark.parametrize("latent_dim", [1, 5])
def test_imputed_pixels_are_the_conditional_mean_of_the_joint_gaussian(
    latent_dim: int,
) -> None:
    train, x = IMAGES[:53], IMAGES[53:]
    filled = baselines.pca_impute(train, x, MASK, latent_dim=latent_dim)
    seen = np.repeat(MASK > 0, 2, axis=3).reshape(7, 24)
    expected = conditional_mean(
        train.reshape(53, 24), x.reshape(7, 24), seen, latent_dim
    )
    np.testing.assert_allclose(filled.reshape(7, 24), expected, rtol=1e-8)


def test_imputing_with_fewer_pixels_than_components_and_no_noise() -> None:
    # All 8 directions of 9 examples are kept.
    train, x = IMAGES[:9, ..., :1], IMAGES[9:, ..., :1]
    mask = np.zeros([51, 12])
    order = np.random.default_rng(1).random(mask.shape).argsort()
    np.put_along_axis(mask, order[:, :3], 1, axis=1)
    filled = baselines.pca_impute(
        train, x, mask.reshape(x.shape), latent_dim=99
    )
    expected = conditional_mean(
        train.reshape(9, 12), x.reshape(51, 12), mask > 0, latent_dim=11,
        more_noise=1e-8,
    )  # fmt: skip
    np.testing.assert_allclose(filled.reshape(51, 12), expected, rtol=1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_imputing_knows_no_more_than_the_mean_of_isotropic_data(
    seed: int,
) -> None:
    # All eigenvalues are equal but for rounding, which now and then takes one
    # of them below the mean of those left out.
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=[30, 30]))[0]
    train = np.concatenate([axes, -axes]).reshape(60, 5, 6, 1)
    mask = (rng.random([7, 5, 6, 1]) < 0.5).astype(np.float64)
    for latent_dim in (7, 8, 9, 10, 11):
        filled = baselines.pca_impute(train, mask, mask, latent_dim=latent_dim)
        np.testing.assert_allclose(filled, mask, atol=1e-6)


def test_imputing_keeps_what_is_seen_and_looks_at_nothing_hidden() -> None:
    train, x = (part.astype(np.float32) for part in (IMAGES[:53], IMAGES[53:]))
    filled = baselines.pca_impute(train, x, MASK, latent_dim=3)
    assert filled.dtype == np.float32
    seen = np.broadcast_to(MASK, x.shape) == 1
    np.testing.assert_array_equal(filled[seen], x[seen])
    without = np.where(seen, x, np.nan)
    again = baselines.pca_impute(train, without, MASK, latent_dim=3)
    np.testing.assert_array_equal(again, filled)


def test_imputing_of_all_and_of_nothing() -> None:
    train, x = IMAGES[:53], IMAGES[53:]
    mask = np.zeros([7, 4, 3, 1], np.float32)
    nothing = baselines.pca_impute(train, x, mask, latent_dim=3)
    mean = np.broadcast_to(train.mean(axis=0), x.shape)
    np.testing.assert_allclose(nothing, mean, rtol=1e-8)
    everything = baselines.pca_impute(train, x, 1 + mask, latent_dim=3)
    np.testing.assert_array_equal(everything, x)


@pytest.mark.parametrize("latent_dim", [2, 5, 99])
def test_imputing_is_exact_where_no_variance_is_left_out(
    latent_dim: int,
) -> None:
    # Images of a plane: any two pixels tell all.
    rng = np.random.default_rng(1)
    x = rng.normal(size=[23, 2]) @ rng.normal(size=[2, 12]) + 3
    x = x.reshape(23, 4, 3, 1)
    mask = np.zeros([5, 4, 3, 1], np.float32)
    mask[:, 1:3] = 1
    filled = baselines.pca_impute(x, x[:5], mask, latent_dim=latent_dim)
    np.testing.assert_allclose(filled, x[:5], rtol=1e-6)


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


@pytest.mark.slow
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
