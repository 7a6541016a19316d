"""q(z|x): each family's density and bounds, and the draw that serves all."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy import stats

from tfvae.distributions import posteriors, priors
from tfvae.distributions.posteriors import POSTERIORS, draw

RNG = np.random.default_rng(0)
LOC, LOG_SCALE = RNG.normal(size=[2, 3, 2]).astype(np.float32)
BOUNDED_SCALE = np.exp(7 * np.tanh(LOG_SCALE / 7))
NOISE = RNG.normal(size=[5, 3, 2]).astype(np.float32)


def make(name: str) -> posteriors.Posterior:
    prior = priors.StandardNormal(2)
    return POSTERIORS[name](posteriors.KLRegularizer(prior, exact=False))


def heads(name: str, batch: int = 3, latent_dim: int = 2) -> list[tf.Tensor]:
    rng = np.random.default_rng(1)
    units = POSTERIORS[name].head_units(latent_dim).values()
    return [
        tf.constant(rng.normal(size=[batch, count]), tf.float32)
        for count in units
    ]


def curved(name: str, inputs: list[tf.Tensor]) -> posteriors.Posterior:
    """Returns a layer whose networks, if any, are far from the identity."""
    layer = make(name)
    layer(inputs)
    for weight in layer.trainable_variables:
        weight.assign(2 * weight)
    return layer


def fresh(z: tf.Tensor) -> tf.Tensor:
    """Returns a copy whose inverse no bijector has kept."""
    return tf.constant(z.numpy())


def diag(loc: tf.Tensor, log_scale: tf.Tensor) -> tf.Tensor:
    return make("diag")([loc, log_scale])


def test_diagonal_normal_has_its_log_density() -> None:
    expected = stats.norm(LOC, BOUNDED_SCALE).logpdf(NOISE).sum(axis=-1)
    log_prob = diag(LOC, LOG_SCALE).log_prob(NOISE)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5)


def test_full_normal_has_its_log_density() -> None:
    z = RNG.normal(size=[4, 3]).astype(np.float32)
    loc, entries = RNG.normal(size=[4, 3]), RNG.normal(size=[4, 6])
    qz = make("tril")([loc.astype("f"), entries.astype("f")])
    for i in range(4):
        # Order of the entries, as `tfp.math.fill_triangular` documents it.
        a, b, c, d, e, f = entries[i]
        d, e, a = np.exp(7 * np.tanh(np.array([d, e, a]) / 7))
        tril = np.array([[d, 0, 0], [f, e, 0], [c, b, a]])
        reference = stats.multivariate_normal(loc[i], tril @ tril.T)
        expected = reference.logpdf(z)
        np.testing.assert_allclose(
            qz.log_prob(z[:, np.newaxis])[:, i], expected, rtol=1e-4
        )
        np.testing.assert_allclose(qz.mean()[i], loc[i], rtol=1e-6)


@pytest.mark.parametrize("name", ["diag", "tril", "iaf"])
def test_scale_is_bounded(name: str) -> None:
    for value, expected in ((-1e6, np.exp(-7.0)), (1e6, np.exp(7.0))):
        inputs = heads(name)
        entries = inputs[1].numpy()
        # The diagonal's entries, of a matrix of two rows: first and last.
        diagonal = slice(None) if name != "tril" else slice(None, None, 2)
        entries[:, diagonal] = value
        layer = make(name)
        layer(inputs)
        for weight in layer.trainable_variables:
            weight.assign(tf.zeros_like(weight))
        qz = layer([inputs[0], tf.constant(entries), *inputs[2:]])
        difference = draw(qz, tf.ones([3, 2])).z - draw(qz, tf.zeros([3, 2])).z
        np.testing.assert_allclose(difference[:, 0], [expected] * 3, rtol=1e-3)


def test_scale_is_nearly_the_exponential_near_one() -> None:
    log_scale = tf.constant([[-0.01, 0.02]])
    scale = diag(tf.zeros([1, 2]), log_scale).stddev()
    np.testing.assert_allclose(scale[0], np.exp([-0.01, 0.02]), rtol=1e-5)


@pytest.mark.parametrize("value", [-1e6, 1e6])
def test_kl_and_gradient_are_finite_at_extreme_heads(value: float) -> None:
    layer = posteriors.MultivariateNormalDiag(
        posteriors.KLRegularizer(priors.StandardNormal(2))
    )
    loc, log_scale = tf.zeros([3, 2]), tf.fill([3, 2], value)
    with tf.GradientTape() as tape:
        tape.watch([loc, log_scale])
        kl = layer.kl_regularizer(layer([loc, log_scale]), loc)
    assert np.isfinite(kl).all()
    for gradient in tape.gradient(kl, [loc, log_scale]):
        assert np.isfinite(gradient).all()


def test_draw_is_location_plus_scale_times_noise() -> None:
    z = draw(diag(LOC, LOG_SCALE), NOISE).z
    np.testing.assert_allclose(z, LOC + BOUNDED_SCALE * NOISE, rtol=1e-5)


def test_gradient_passes_through_the_draw() -> None:
    eps, loc, log_scale = NOISE[0], tf.constant(LOC), tf.constant(LOG_SCALE)
    with tf.GradientTape() as tape:
        tape.watch([loc, log_scale])
        z = draw(diag(loc, log_scale), eps).z
    by_loc, by_log_scale = tape.gradient(z, [loc, log_scale])
    np.testing.assert_array_equal(by_loc, np.ones([3, 2]))
    # d/ds exp(7 tanh(s / 7)) = exp(7 tanh(s / 7)) (1 - tanh^2(s / 7))
    slope = BOUNDED_SCALE * (1 - np.tanh(LOG_SCALE / 7) ** 2)
    np.testing.assert_allclose(by_log_scale, slope * eps, rtol=1e-5)


@pytest.mark.parametrize("name", POSTERIORS)
def test_log_density_of_a_draw_is_that_of_its_z(name: str) -> None:
    inputs = heads(name)
    qz = curved(name, inputs)(inputs)
    z, log_prob = draw(qz, NOISE)
    assert (z.shape, log_prob.shape) == ([5, 3, 2], [5, 3])
    np.testing.assert_allclose(
        qz.log_prob(fresh(z)), log_prob, rtol=1e-4, atol=1e-4
    )
    one = draw(qz, NOISE[3])
    np.testing.assert_allclose(one.z, z[3], rtol=1e-5)
    np.testing.assert_allclose(one.log_prob, log_prob[3], rtol=1e-4)


@pytest.mark.parametrize("name", POSTERIORS)
def test_log_density_of_a_draw_is_the_change_of_variables(name: str) -> None:
    inputs = heads(name, latent_dim=3)
    qz = curved(name, inputs)(inputs)
    noise = tf.constant(RNG.normal(size=[3, 3]), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(noise)
        z, log_prob = draw(qz, noise)
    _, log_det = np.linalg.slogdet(tape.batch_jacobian(z, noise))
    expected = stats.norm.logpdf(noise).sum(axis=-1) - log_det
    np.testing.assert_allclose(log_prob, expected, rtol=1e-4)


@pytest.mark.parametrize("name", POSTERIORS)
def test_posterior_of_an_example_knows_no_other(name: str) -> None:
    inputs = heads(name)
    layer = curved(name, inputs)
    z, log_prob = draw(layer(inputs), NOISE)
    for i in range(3):
        rows = slice(i, i + 1)
        alone = draw(layer([value[rows] for value in inputs]), NOISE[:, rows])
        np.testing.assert_allclose(alone.z, z[:, rows], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            alone.log_prob, log_prob[:, rows], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("name", POSTERIORS)
def test_as_a_tensor_the_posterior_is_its_mean(name: str) -> None:
    inputs = heads(name)
    layer = curved(name, inputs)
    mean = layer(inputs).mean()
    assert mean.shape == [3, 2]
    np.testing.assert_array_equal(tf.convert_to_tensor(layer(inputs)), mean)


@pytest.mark.parametrize("name", POSTERIORS)
def test_alone_the_distribution_is_the_same_and_no_tensor(name: str) -> None:
    inputs = heads(name)
    layer = curved(name, inputs)
    alone = layer.distribution(inputs)
    assert not tf.is_tensor(alone)
    np.testing.assert_array_equal(alone.mean(), layer(inputs).mean())
    z = draw(alone, NOISE).z
    np.testing.assert_array_equal(z, draw(layer(inputs), NOISE).z)


def test_flow_is_near_its_base_before_training() -> None:
    inputs = heads("iaf")
    loc, log_scale = inputs[0].numpy(), inputs[1].numpy()
    base = loc + np.exp(7 * np.tanh(log_scale / 7)) * NOISE
    difference = np.abs(draw(make("iaf")(inputs), NOISE).z - base)
    assert 0 < difference.mean() < 0.3


def test_context_moves_the_flow() -> None:
    inputs = heads("iaf")
    layer = curved("iaf", inputs)
    z = draw(layer(inputs), NOISE).z
    moved = draw(layer([*inputs[:2], inputs[2] + 1.0]), NOISE).z
    assert np.abs(moved - z).min() > 1e-6


def test_every_dimension_of_a_flow_depends_on_every_other() -> None:
    inputs = heads("iaf", latent_dim=3)
    qz = curved("iaf", inputs)(inputs)
    noise = tf.constant(RNG.normal(size=[3, 3]), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(noise)
        z = draw(qz, noise).z
    assert np.abs(tape.batch_jacobian(z, noise)).min() > 0


def test_mean_of_a_flow_is_that_of_its_draws() -> None:
    inputs = heads("iaf")
    qz = curved("iaf", inputs)(inputs)
    noise = RNG.normal(size=[20_000, 3, 2]).astype(np.float32)
    z = draw(qz, noise).z.numpy()
    # Of 64 draws, whose number stands in the docstring.
    tolerance = 5 * z.std(axis=0) / np.sqrt(64)
    assert (np.abs(qz.mean() - z.mean(axis=0)) < tolerance).all()


def test_deviation_of_a_flow_is_that_of_its_draws() -> None:
    inputs = heads("iaf")
    qz = curved("iaf", inputs)(inputs)
    noise = RNG.normal(size=[20_000, 3, 2]).astype(np.float32)
    scale = draw(qz, noise).z.numpy().std(axis=0)
    # Of 32 draws and their mirror images: known to one part in sqrt(64).
    np.testing.assert_allclose(qz.stddev(), scale, rtol=4 / np.sqrt(64))


def test_mean_of_a_flow_is_its_location_where_it_is_affine() -> None:
    inputs = heads("iaf")
    layer = make("iaf")
    layer(inputs)
    for weight in layer.trainable_variables:
        weight.assign(tf.zeros_like(weight))
    np.testing.assert_allclose(layer(inputs).mean(), inputs[0], rtol=1e-4)


def test_flow_works_over_one_latent() -> None:
    inputs = heads("iaf", latent_dim=1)
    qz = make("iaf")(inputs)
    z, log_prob = draw(qz, NOISE[..., :1])
    assert z.shape == [5, 3, 1]
    np.testing.assert_allclose(
        qz.log_prob(fresh(z)), log_prob, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_flow_stays_autoregressive_when_trained(optimizer: str) -> None:
    inputs = heads("iaf")
    layer = curved("iaf", inputs)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(draw(layer(inputs), NOISE).z))
    weights = layer.trainable_variables
    gradients = tape.gradient(loss, weights)
    getattr(tf_keras.optimizers, optimizer)(0.01).apply_gradients(
        zip(gradients, weights, strict=True)
    )
    qz = layer(inputs)
    z, log_prob = draw(qz, NOISE)
    np.testing.assert_allclose(
        qz.log_prob(fresh(z)), log_prob, rtol=1e-3, atol=1e-3
    )
    noise = tf.constant(NOISE[0])
    with tf.GradientTape() as tape:
        tape.watch(noise)
        z, log_prob = draw(qz, noise)
    _, log_det = np.linalg.slogdet(tape.batch_jacobian(z, noise))
    expected = stats.norm.logpdf(noise).sum(axis=-1) - log_det
    np.testing.assert_allclose(log_prob, expected, rtol=1e-3, atol=1e-3)
