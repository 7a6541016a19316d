"""One step: each term of the loss, its mean over examples, its gradient."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy import stats

import tfvae
from tests import models, oracles
from tests.conftest import replicas
from tfvae import trunks
from tfvae.distributions.likelihoods import Bernoulli, Gaussian, Likelihood
from tfvae.objectives import elbo, penalty, schedules

NUM_DIMS = 5


def draw_x(num_examples: int) -> np.ndarray:
    rng = np.random.default_rng(num_examples)
    return rng.uniform(size=[num_examples, NUM_DIMS]).astype(np.float32)


def weighted(schedule: schedules.Schedule) -> elbo.Elbo:
    return elbo.Elbo(penalty.KLPenalty(schedule))


@functools.cache
def compiled(
    likelihood: type[Likelihood],
    C: float | str = 1.0,
    *,
    num_replicas: int = 1,
    learning_rate: float = 0.0,
    **settings,
) -> tfvae.VAE:
    """Returns one model for all tests that ask alike: a trace takes seconds."""
    tf_keras.utils.set_random_seed(0)  # op determinism asks for one
    with replicas(num_replicas).scope():
        model = models.linear_vae(NUM_DIMS, likelihood(C), **settings)
        model.compile(tf_keras.optimizers.SGD(learning_rate))
    return model


def fit(model: tfvae.VAE, x: np.ndarray, batch_size: int) -> dict:
    """Returns the logs of one epoch."""
    history = model.fit(x, batch_size=batch_size, shuffle=False, verbose=0)
    return {name: values[0] for name, values in history.history.items()}


def closed_form_kl(model: tfvae.VAE, x: np.ndarray) -> np.ndarray:
    return oracles.kl_to_standard_normal(*models.encode(model, x))


@pytest.mark.parametrize("num_replicas", [1, 2])
@pytest.mark.parametrize(
    ("num_examples", "batch_size"), [(1, 1), (3, 3), (32, 32), (35, 32)]
)
def test_kl_of_the_loss_is_the_closed_form(
    num_examples: int, batch_size: int, num_replicas: int
) -> None:
    model = compiled(Gaussian, 4.0, num_replicas=num_replicas)
    x, f = draw_x(num_examples), models.make_deaf(model)
    logs = fit(model, x, batch_size)
    kl = closed_form_kl(model, x).mean()
    assert logs["kl"] == pytest.approx(kl, rel=1e-5)
    log_likelihood = oracles.normal_log_prob(x, f, c=1 / 8).mean()
    assert logs["log_likelihood"] == pytest.approx(log_likelihood, rel=1e-5)
    assert logs["elbo"] == pytest.approx(log_likelihood - kl, rel=1e-5)
    assert logs["loss"] == pytest.approx(kl - log_likelihood, rel=1e-5)
    measured = model.evaluate(x, batch_size=batch_size, verbose=0)
    named = dict(zip(model.metrics_names, measured, strict=True))
    for name in ("loss", "elbo", "log_likelihood", "kl"):
        assert named[name] == pytest.approx(logs[name], rel=1e-5)
    assert named["mse"] == pytest.approx(np.mean((x - f) ** 2), rel=1e-5)


@pytest.mark.parametrize("num_replicas", [1, 2])
@pytest.mark.parametrize("num_examples", [1, 3, 32])
def test_a_step_goes_down_the_mean_kl_of_the_global_batch(
    num_examples: int, num_replicas: int
) -> None:
    model = compiled(Bernoulli, num_replicas=num_replicas, learning_rate=0.5)
    models.make_deaf(model)
    x, layer = draw_x(num_examples), model.encoder.get_layer("loc")
    loc, bias = models.encode(model, x)[0], layer.bias.numpy()
    fit(model, x, num_examples)
    # d/dbias mean_i |loc_i|^2 / 2 = mean_i loc_i
    expected = bias - 0.5 * loc.mean(axis=0)
    np.testing.assert_allclose(layer.bias, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "num_replicas", [1, pytest.param(2, marks=pytest.mark.slow)]
)
def test_sample_weight_weighs_loss_and_gradient(num_replicas: int) -> None:
    model = compiled(Bernoulli, num_replicas=num_replicas, learning_rate=0.5)
    models.make_deaf(model)
    x, layer = draw_x(3), model.encoder.get_layer("loc")
    weight = np.array([0.0, 3.0, 0.5], np.float32)
    loc, bias = models.encode(model, x)[0], layer.bias.numpy()
    kl = np.average(closed_form_kl(model, x), weights=weight)
    # Keras drops the weights where no y comes with them.
    data = {"x": x, "y": np.zeros(3), "sample_weight": weight}
    logs = model.evaluate(**data, return_dict=True, verbose=0)
    assert logs["kl"] == pytest.approx(kl, rel=1e-5)
    history = model.fit(**data, batch_size=3, verbose=0).history
    assert history["kl"][0] == pytest.approx(kl, rel=1e-5)
    expected = bias - 0.5 * (weight @ loc) / 3
    np.testing.assert_allclose(layer.bias, expected, rtol=1e-5)


@pytest.mark.parametrize("C", [0.5, 4.0, 50.0])
def test_gaussian_loss_is_C_se_plus_kl_up_to_its_constant(C: float) -> None:
    model = models.linear_vae(NUM_DIMS, Gaussian(C))
    x = draw_x(3)
    eps = np.random.default_rng(1).normal(size=[3, 2]).astype(np.float32)
    terms = model.terms(x, eps[np.newaxis])
    loc, scale = models.encode(model, x)
    W, b = models.decoder_weights(model)
    f = (loc + scale * eps) @ W + b
    squared_error = np.square(x - f).sum(axis=1)
    kl = oracles.kl_to_standard_normal(loc, scale)
    np.testing.assert_allclose(
        terms.loss - (C * squared_error + kl),
        np.full(3, NUM_DIMS / 2 * np.log(2 * np.pi / (2 * C))),
        rtol=1e-5,
    )
    assert all(term.shape == [3] for term in terms)


def test_bernoulli_loss_weighs_the_distortion_by_C_and_elbo_does_not() -> None:
    model = models.linear_vae(
        NUM_DIMS, Bernoulli(2.5), objective=weighted(schedules.Constant(0.1))
    )
    x, logits = draw_x(3), models.make_deaf(model)
    terms = model.terms(x, tf.zeros([1, 3, 2]))
    log_likelihood = oracles.bernoulli_log_prob(x, np.tile(logits, [3, 1]))
    kl = closed_form_kl(model, x)
    np.testing.assert_allclose(
        terms.loss, -2.5 * log_likelihood + 0.1 * kl, rtol=1e-5
    )
    np.testing.assert_allclose(terms.elbo, log_likelihood - kl, rtol=1e-5)


def test_one_draw_kl_is_taken_at_the_z_that_is_decoded() -> None:
    model = models.linear_vae(NUM_DIMS, Bernoulli(), exact=False)
    x = draw_x(3)
    eps = np.random.default_rng(1).normal(size=[3, 2]).astype(np.float32)
    loc, scale = models.encode(model, x)
    z = loc + scale * eps
    log_ratio = stats.norm(loc, scale).logpdf(z) - stats.norm.logpdf(z)
    terms = model.terms(x, eps[np.newaxis])
    np.testing.assert_allclose(terms.kl, log_ratio.sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("num_replicas", [1, 2])
def test_optimal_c_is_of_the_global_batch(num_replicas: int) -> None:
    model = compiled(Gaussian, "optimal", num_replicas=num_replicas)
    x, f = draw_x(5), models.make_deaf(model)
    logs = fit(model, x, 5)
    c = np.mean((x - f) ** 2)
    # At c = SE / D the mean log-likelihood is -D/2 (log(2 pi c) + 1).
    expected = -NUM_DIMS / 2 * (np.log(2 * np.pi * c) + 1)
    assert logs["log_likelihood"] == pytest.approx(expected, rel=1e-5)
    assert model.likelihood.current_C() == pytest.approx(0.5 / c, rel=1e-5)


def test_evaluation_changes_no_weight() -> None:
    model = compiled(Gaussian, "optimal")
    fit(model, draw_x(5), 5)
    before = [v.numpy() for v in model.weights]
    model.evaluate(10 * draw_x(7), verbose=0)
    for old, new in zip(before, model.weights, strict=True):
        if new is not model.test_step_count:
            np.testing.assert_array_equal(old, new)


def test_kl_weight_follows_the_step() -> None:
    model = compiled(Bernoulli, objective=weighted(schedules.Linear(2)))
    logits = models.make_deaf(model)
    x = draw_x(3)
    history = model.fit(x, batch_size=3, epochs=4, verbose=0).history
    log_likelihood = oracles.bernoulli_log_prob(x, np.tile(logits, [3, 1]))
    kl = closed_form_kl(model, x).mean()
    expected = -log_likelihood.mean() + np.array([0, 0.5, 1, 1]) * kl
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)
    elbo = np.full(4, log_likelihood.mean() - kl)
    np.testing.assert_allclose(history["elbo"], elbo, rtol=1e-5)


def test_noise_is_new_at_each_step_and_the_same_in_each_evaluation() -> None:
    model = compiled(Bernoulli)
    x = draw_x(3)
    history = model.fit(x, batch_size=3, epochs=3, verbose=0)
    assert len(set(history.history["log_likelihood"])) == 3
    first, second = (
        model.evaluate(x, batch_size=2, return_dict=True, verbose=0)
        for _ in range(2)
    )
    assert first == second
    assert first["log_likelihood"] not in history.history["log_likelihood"]


def test_noise_differs_between_seeds() -> None:
    logs = [
        fit(compiled(Bernoulli, seed=seed), draw_x(3), 3) for seed in (0, 1)
    ]
    assert logs[0]["log_likelihood"] != logs[1]["log_likelihood"]
    assert logs[0]["kl"] == logs[1]["kl"]


def test_encode_and_decode_give_one_distribution_an_example() -> None:
    model = models.linear_vae(NUM_DIMS, Bernoulli())
    x = draw_x(3)
    qz = model.encode(x)
    px = model.decode(np.ones([4, 2], np.float32))
    assert (qz.batch_shape, qz.event_shape) == ([3], [2])
    assert (px.batch_shape, px.event_shape) == ([4], [NUM_DIMS])
    np.testing.assert_allclose(qz.mean(), models.encode(model, x)[0], rtol=1e-5)
    assert model.latent_dim == 2
    assert model.prior.event_shape == [2]


def test_reconstruction_decodes_the_posterior_mean() -> None:
    model = models.linear_vae(NUM_DIMS, Gaussian(4.0))
    x, (W, b) = draw_x(3), models.decoder_weights(model)
    expected = models.encode(model, x)[0] @ W + b
    np.testing.assert_allclose(model.reconstruct(x), expected, rtol=1e-5)
    np.testing.assert_array_equal(model(x), model.reconstruct(x))


def test_samples_are_decoded_draws_from_the_prior() -> None:
    model = models.linear_vae(NUM_DIMS, Gaussian(4.0))
    (W, b), num_samples = models.decoder_weights(model), 50_000
    x = model.sample(num_samples, seed=1).numpy()
    assert x.shape == (num_samples, NUM_DIMS)
    # Five standard errors of a mean, and about as much of a covariance.
    np.testing.assert_allclose(x.mean(axis=0), b, atol=0.03)
    covariance = np.cov(x, rowvar=False)
    np.testing.assert_allclose(covariance, W.T @ W, atol=0.04)


def test_samples_depend_on_the_seed_alone() -> None:
    model = models.linear_vae(NUM_DIMS, Gaussian(4.0))
    one, again, other = (model.sample(4, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.isclose(one, other).any()


def test_encoder_must_end_in_a_posterior() -> None:
    encoder = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=[5])])
    decoder = tfvae.make_decoder(trunks.dense([]), 2, (5,), Bernoulli())
    with pytest.raises(
        TypeError, match=r"`encoder` must end in a posterior.*; got Dense"
    ):
        tfvae.VAE(encoder, decoder)


def test_decoder_must_end_in_a_likelihood() -> None:
    decoder = tf_keras.Sequential([tf_keras.layers.Dense(5, input_shape=[2])])
    with pytest.raises(
        TypeError, match="`decoder` must end in a likelihood; got Dense"
    ):
        tfvae.VAE(models.linear_encoder(5), decoder)
