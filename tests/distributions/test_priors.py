"""p(z): each prior's density, draws and start; what it owns."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy import special, stats

from tfvae import networks, trunks
from tfvae.distributions import priors
from tfvae.distributions.priors import PRIORS

RNG = np.random.default_rng(0)
EVENT_SHAPE = (4, 1)
U = RNG.uniform(size=[5, *EVENT_SHAPE]).astype(np.float32)
Z = RNG.normal(size=[3, 2]).astype(np.float32)


def encoder_of(prior: priors.Prior, posterior: str = "diag") -> tf_keras.Model:
    return networks.make_encoder(
        trunks.dense([7], activation="tanh"),
        EVENT_SHAPE,
        prior.latent_dim,
        posterior=posterior,
        prior=prior,
    )


def scatter(prior: priors.Prior) -> None:
    """Gives the variables of a prior other values than at the start."""
    size = 0.1 if isinstance(prior, priors.RealNVP) else 0.4
    for weight in prior.trainable_variables:
        weight.assign_add(size * RNG.normal(size=weight.shape))


def trained(name: str, latent_dim: int = 2) -> priors.Prior:
    """Returns a prior bound to an encoder, none of its weights as made."""
    prior = PRIORS[name].for_model(
        latent_dim,
        num_components=5,
        event_shape=EVENT_SHAPE,
        initial=U,
        unit_interval=True,
    )
    encoder_of(prior)
    scatter(prior)
    return prior


@pytest.mark.parametrize("name", PRIORS)
def test_prior_is_over_one_z(name: str) -> None:
    prior = trained(name, latent_dim=3)
    pz = prior.distribution()
    assert prior.latent_dim == 3
    assert (pz.batch_shape, pz.event_shape) == ([], [3])
    z = RNG.normal(size=[5, 2, 3]).astype(np.float32)
    log_prob = pz.log_prob(z)
    assert log_prob.shape == [5, 2]
    np.testing.assert_allclose(
        pz.log_prob(z[3, 1]), log_prob[3, 1], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("name", PRIORS)
def test_density_integrates_to_one_and_draws_follow_it(name: str) -> None:
    prior, step = trained(name), 0.05
    axis = np.arange(-12, 12, step)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    pz = prior.distribution()
    density = pz.prob(grid.astype("f")).numpy().astype(np.float64)
    mass = density * step**2
    np.testing.assert_allclose(mass.sum(), 1, rtol=1e-3)
    num_draws, seed = 20_000, tf.constant([0, 7])
    z = pz.sample(num_draws, seed=seed).numpy()
    for power in (1, 2):
        draws = z**power
        standard_error = draws.std(axis=0) / np.sqrt(num_draws)
        difference = draws.mean(axis=0) - mass @ grid**power
        assert (np.abs(difference) < 5 * standard_error).all()
    again = prior.distribution().sample(num_draws, seed=seed)
    np.testing.assert_array_equal(again, z)


@pytest.mark.parametrize("name", PRIORS)
def test_gradient_reaches_every_variable(name: str) -> None:
    prior = trained(name)
    variables = prior.trainable_variables

    @tf.function
    def gradients() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            log_prob = prior.distribution().log_prob(Z)
        return tape.gradient(log_prob, variables)

    for gradient in gradients():
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0


def test_only_the_standard_normal_has_a_closed_form() -> None:
    assert [name for name in PRIORS if PRIORS[name].is_normal] == [
        "standard_normal"
    ]


def test_standard_normal_has_its_log_density() -> None:
    pz = priors.StandardNormal(2).distribution()
    expected = stats.norm.logpdf(Z).sum(axis=1)
    np.testing.assert_allclose(pz.log_prob(Z), expected, rtol=1e-5)


def test_mixture_has_its_log_density() -> None:
    prior = trained("mixture")
    log_weights = special.log_softmax(prior.logits.numpy())
    scales = np.exp(7 * np.tanh(prior.log_scales.numpy() / 7))
    components = stats.norm(prior.locs.numpy(), scales)
    by_component = components.logpdf(Z[:, np.newaxis]).sum(axis=-1)
    expected = special.logsumexp(log_weights + by_component, axis=1)
    np.testing.assert_allclose(
        prior.distribution().log_prob(Z), expected, rtol=1e-5
    )


def test_mixture_starts_with_equal_weights_at_places_of_the_seed() -> None:
    tf_keras.utils.set_random_seed(3)
    first = priors.Mixture(2, 5)
    tf_keras.utils.set_random_seed(3)
    second = priors.Mixture(2, 5)
    assert len(np.unique(first.locs, axis=0)) == 5
    np.testing.assert_array_equal(first.locs, second.locs)
    np.testing.assert_array_equal(first.logits, np.zeros(5))
    np.testing.assert_array_equal(first.log_scales, np.zeros([5, 2]))
    assert 0.3 < np.std(first.locs) < 2


def test_vamp_is_the_mixture_of_the_posteriors_at_its_inputs() -> None:
    prior = priors.VampPrior(2, 5, EVENT_SHAPE, U)
    encoder = encoder_of(prior)
    prior.logits.assign(RNG.normal(size=5))
    hidden, loc, log_scale = (
        (layer.kernel.numpy(), layer.bias.numpy())
        for layer in (
            encoder.layers[1].layers[1],
            encoder.get_layer("loc"),
            encoder.get_layer("log_scale"),
        )
    )
    features = np.tanh(U.reshape(5, 4) @ hidden[0] + hidden[1])
    scales = np.exp(7 * np.tanh((features @ log_scale[0] + log_scale[1]) / 7))
    components = stats.norm(features @ loc[0] + loc[1], scales)
    by_component = components.logpdf(Z[:, np.newaxis]).sum(axis=-1)
    log_weights = special.log_softmax(prior.logits.numpy())
    expected = special.logsumexp(log_weights + by_component, axis=1)
    np.testing.assert_allclose(
        prior.distribution().log_prob(Z), expected, rtol=1e-5
    )


@pytest.mark.parametrize("posterior", ["tril", "iaf"])
def test_vamp_is_a_mixture_of_any_posteriors(posterior: str) -> None:
    prior = priors.VampPrior(2, 5, EVENT_SHAPE, U)
    encoder = encoder_of(prior, posterior)
    by_component = [encoder(U[[k]]).log_prob(Z).numpy() for k in range(5)]
    expected = special.logsumexp(by_component, axis=0) - np.log(5)
    np.testing.assert_allclose(
        prior.distribution().log_prob(Z), expected, rtol=1e-4
    )


def test_vamp_does_not_own_the_encoder() -> None:
    prior = priors.VampPrior(2, 5, EVENT_SHAPE)
    encoder = encoder_of(prior)
    assert {v.ref() for v in prior.variables} == {
        prior.logits.ref(),
        prior.pseudo_inputs.ref(),
    }
    assert not {v.ref() for v in prior.variables} & {
        v.ref() for v in encoder.variables
    }
    prior.distribution()
    assert len(prior.variables) == 2


class Witness(tf_keras.layers.Layer):
    """Notes down whether it is called in training."""

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        self.in_training = training
        return x


def test_vamp_calls_the_encoder_outside_of_training() -> None:
    prior, witness = priors.VampPrior(2, 5, EVENT_SHAPE, U), Witness()
    networks.make_encoder(witness, EVENT_SHAPE, 2, prior=prior)
    prior.distribution()
    assert witness.in_training is False


def test_vamp_starts_at_the_inputs_given_or_near_one_half() -> None:
    given = priors.VampPrior(2, 5, EVENT_SHAPE, 3 * U)
    np.testing.assert_array_equal(given.pseudo_inputs, 3 * U)
    free = priors.VampPrior(2, 5, EVENT_SHAPE).pseudo_inputs.numpy()
    assert np.abs(free - 0.5).max() < 0.11
    assert len(np.unique(free.reshape(5, -1), axis=0)) == 5


def test_pseudo_inputs_stay_in_the_unit_interval_if_told_to() -> None:
    for unit_interval in (True, False):
        prior = priors.VampPrior(
            2, 5, EVENT_SHAPE, 2 * U, unit_interval=unit_interval
        )
        u = prior.pseudo_inputs
        start = np.clip(2 * U, 0, 1) if unit_interval else 2 * U
        np.testing.assert_array_equal(u, start)
        gradient = tf.constant(RNG.normal(size=u.shape), u.dtype)
        tf_keras.optimizers.SGD(1.0).apply_gradients([(gradient, u)])
        end = start - gradient.numpy()
        expected = np.clip(end, 0, 1) if unit_interval else end
        np.testing.assert_allclose(u, expected, rtol=1e-5)


def test_real_nvp_starts_as_the_standard_normal() -> None:
    pz = priors.RealNVP(3).distribution()
    z = RNG.normal(size=[5, 3]).astype(np.float32)
    expected = stats.norm.logpdf(z).sum(axis=1)
    np.testing.assert_allclose(pz.log_prob(z), expected, rtol=1e-5)


def test_real_nvp_has_the_density_of_its_change_of_variables() -> None:
    prior = priors.RealNVP(3, num_layers=3, hidden_units=(7,))
    scatter(prior)
    pz = prior.distribution()
    noise = tf.constant(RNG.normal(size=[5, 3]), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(noise)
        z = pz.bijector.forward(noise)
    jacobian = tape.batch_jacobian(z, noise).numpy()
    _, log_det = np.linalg.slogdet(jacobian)
    expected = stats.norm.logpdf(noise).sum(axis=-1) - log_det
    np.testing.assert_allclose(pz.log_prob(z), expected, rtol=1e-3)
    # No dimension is left alone.
    for j in range(3):
        assert (np.abs(jacobian[:, j]) > 1e-6).sum(axis=-1).min() > 1


def test_log_scales_are_bounded() -> None:
    mixture, flow = priors.Mixture(2, 1), priors.RealNVP(2, num_layers=1)
    mixture.log_scales.assign([[1e6, -1e6]])
    mixture.locs.assign([[0.0, 0.0]])
    scale = mixture.distribution().components_distribution.stddev()
    np.testing.assert_allclose(scale[0], np.exp([7.0, -7.0]), rtol=1e-5)
    flow.networks[0].layers[-1].bias.assign([0.0, 1e6])
    log_prob = flow.distribution().log_prob([0.0, 0.0])
    np.testing.assert_allclose(log_prob, -np.log(2 * np.pi) - 3, rtol=1e-5)


def test_real_nvp_needs_two_latents() -> None:
    with pytest.raises(ValueError, match=r"at least 2 for a RealNVP .* got 1"):
        priors.RealNVP(1)


@pytest.mark.parametrize("name", ["mixture", "vamp"])
def test_a_mixture_has_components(name: str) -> None:
    with pytest.raises(ValueError, match=r"`num_components` .* 1; got 0\."):
        PRIORS[name].for_model(
            2, num_components=0, event_shape=EVENT_SHAPE, initial=None,
            unit_interval=True,
        )  # fmt: skip


def test_pseudo_inputs_are_of_the_shape_of_x() -> None:
    with pytest.raises(ValueError, match=r"`initial` .* \(3, 4, 1\); got \(5"):
        priors.VampPrior(2, 3, EVENT_SHAPE, U)


def test_vamp_must_be_bound() -> None:
    with pytest.raises(ValueError, match=r"needs an encoder; call `bind"):
        priors.VampPrior(2, 3, EVENT_SHAPE).distribution()
