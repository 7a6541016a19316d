"""From a trunk and a distribution layer to an encoder and a decoder."""

import math
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests import oracles
from tests.conftest import replicas
from tfvae import networks, trunks
from tfvae.distributions.likelihoods import Bernoulli, Gaussian
from tfvae.distributions.posteriors import POSTERIORS, draw
from tfvae.distributions.priors import PRIORS, Prior, StandardNormal

tfkl = tf_keras.layers
EVENT_SHAPE = (6, 5, 1)
X = np.random.default_rng(0).uniform(size=[3, *EVENT_SHAPE]).astype("f")
Z = np.random.default_rng(1).normal(size=[3, 2]).astype("f")
NOISE = np.random.default_rng(2).normal(size=[5, 3, 2]).astype("f")


def make(posterior: str, prior: str) -> tuple[tf_keras.Model, Prior]:
    """Returns an encoder over 2 latents, and its prior."""
    made = PRIORS[prior].for_model(
        2,
        num_components=4,
        event_shape=EVENT_SHAPE,
        initial=None,
        unit_interval=True,
    )
    return networks.make_encoder(
        trunks.dense([7]), EVENT_SHAPE, 2, posterior=posterior, prior=made
    ), made


def fresh(z: tf.Tensor) -> tf.Tensor:
    """Returns a copy whose inverse no bijector has kept."""
    return tf.constant(z.numpy())


def kl_and_gradients(
    encoder: tf_keras.Model, prior: Prior, x: np.ndarray
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """KL of each example, and gradients of it and of the draws."""
    variables = encoder.trainable_variables + prior.trainable_variables
    with tf.GradientTape() as tape:
        qz = encoder(x, training=True)
        z, log_prob = draw(qz, NOISE[:, : len(x)])
        kl = encoder.layers[-1].kl_regularizer(qz, z, log_prob)
        loss = tf.reduce_sum(kl) + tf.reduce_sum(tf.square(z - 1.0))
    return kl, tape.gradient(loss, variables)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_any_posterior_learns_under_any_prior(
    posterior: str, prior: str
) -> None:
    encoder, pz = make(posterior, prior)
    qz = encoder(X)
    assert (qz.batch_shape, qz.event_shape) == ([3], [2])
    assert qz.log_prob(Z).shape == [3]
    kl, gradients = kl_and_gradients(encoder, pz, X)
    assert kl.shape == [3]
    assert np.isfinite(kl).all()
    assert len(gradients) > 0
    for gradient in gradients:
        assert np.isfinite(gradient).all()
    assert encoder.losses == []
    assert encoder.name == "encoder"
    regularizer = encoder.layers[-1].kl_regularizer
    normal = posterior in ("diag", "tril") and prior == "standard_normal"
    assert regularizer.exact == normal
    assert regularizer.prior is pz


SLOW_PAIRS = [
    pytest.param("tril", "realnvp", marks=pytest.mark.slow),
    pytest.param("iaf", "vamp", marks=pytest.mark.slow),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("posterior", "prior"),
    [("diag", "vamp"), ("iaf", "mixture"), *SLOW_PAIRS],
)
def test_replicas_see_the_same_kl_and_warn_of_nothing(
    posterior: str, prior: str, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = replicas(2)
    with strategy.scope():
        encoder, pz = make(posterior, prior)
    variables = encoder.trainable_variables + pz.trainable_variables
    with strategy.scope():
        optimizer = tf_keras.optimizers.SGD(0.01)
        optimizer.build(variables)

    @tf.function
    def step(x: tf.Tensor) -> tf.Tensor:
        kl, gradients = kl_and_gradients(encoder, pz, x)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return kl

    expected, _ = kl_and_gradients(encoder, pz, X[:2])
    x = strategy.experimental_distribute_values_from_function(
        lambda context: X[:2]
    )
    tf.get_logger().addHandler(caplog.handler)
    try:
        results = strategy.experimental_local_results(
            strategy.run(step, args=(x,))
        )
    finally:
        tf.get_logger().removeHandler(caplog.handler)
    # TensorFlow counts the traces of strategy.run over all tests together.
    told = [
        record.message
        for record in caplog.records
        if record.levelname != "INFO" and "retracing" not in record.message
    ]
    assert told == []
    assert len(results) == 2
    for kl in results:
        np.testing.assert_allclose(kl, expected, rtol=1e-4, atol=1e-5)
    # A step leaves the flow's masks and the pseudo-inputs' bounds in place.
    qz = encoder(X)
    z, log_prob = draw(qz, NOISE)
    np.testing.assert_allclose(
        qz.log_prob(fresh(z)), log_prob, rtol=1e-3, atol=1e-3
    )
    if prior == "vamp":
        assert pz.pseudo_inputs.numpy().min() >= 0
        assert pz.pseudo_inputs.numpy().max() <= 1


@pytest.mark.parametrize(
    ("posterior", "prior"), [("diag", "mixture"), *SLOW_PAIRS]
)
def test_xla_gives_the_same_kl_and_gradients(
    posterior: str, prior: str
) -> None:
    encoder, pz = make(posterior, prior)
    kl, gradients = kl_and_gradients(encoder, pz, X)
    compiled = tf.function(kl_and_gradients, jit_compile=True)
    other_kl, other_gradients = compiled(encoder, pz, tf.constant(X))
    np.testing.assert_allclose(other_kl, kl, rtol=1e-4, atol=1e-5)
    for one, other in zip(gradients, other_gradients, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-4)


def test_weights_of_a_flow_survive_saving(tmp_path: pathlib.Path) -> None:
    first, second = (make("iaf", "mixture")[0] for _ in range(2))
    path = str(tmp_path / "encoder.weights.h5")
    first.save_weights(path)
    second.load_weights(path)
    np.testing.assert_array_equal(second(X).mean(), first(X).mean())


def test_posterior_must_be_known() -> None:
    with pytest.raises(ValueError, match=r"diag, tril, iaf; got 'normal'"):
        make("normal", "mixture")


def test_prior_must_be_over_the_same_latents() -> None:
    with pytest.raises(ValueError, match=r"`prior` .* 2 .*; got 3\."):
        networks.make_encoder(
            trunks.dense([7]), EVENT_SHAPE, 2, prior=StandardNormal(3)
        )


def test_heads_are_dense_layers_on_the_trunks_features() -> None:
    encoder = networks.make_encoder(trunks.dense([]), EVENT_SHAPE, 2)
    for layer in ("loc", "log_scale"):
        encoder.get_layer(layer).bias.assign([0.3, -0.2])
    qz, features = encoder(X), X.reshape(3, -1)
    for layer, result in (
        ("loc", qz.mean()),
        ("log_scale", 7 * np.arctanh(np.log(qz.stddev()) / 7)),
    ):
        kernel = encoder.get_layer(layer).kernel.numpy()
        expected = features @ kernel + [0.3, -0.2]
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-6)


def test_defaults_are_a_diagonal_and_the_standard_normal() -> None:
    encoder = networks.make_encoder(trunks.dense([7]), EVENT_SHAPE, 2)
    qz = encoder(X)
    kl = encoder.layers[-1].kl_regularizer(qz, None)
    expected = oracles.kl_to_standard_normal(
        qz.mean().numpy(), qz.stddev().numpy()
    )
    np.testing.assert_allclose(kl, expected, rtol=1e-5)


@pytest.mark.parametrize("likelihood", [Gaussian, Bernoulli])
def test_decoder_gives_one_likelihood_an_example(
    likelihood: type[Gaussian],
) -> None:
    layer = likelihood()
    decoder = networks.make_decoder(trunks.dense([7]), 2, EVENT_SHAPE, layer)
    px = decoder(Z)
    assert (px.batch_shape, px.event_shape) == ([3], EVENT_SHAPE)
    assert decoder.layers[-1] is layer
    assert decoder.losses == []
    assert decoder.name == "decoder"


def test_head_is_a_convolution_where_the_features_are_an_image() -> None:
    up = trunks.conv_up([4], [7], EVENT_SHAPE[:2])
    decoder = networks.make_decoder(up, 2, EVENT_SHAPE, Bernoulli())
    assert isinstance(decoder.get_layer("head"), tfkl.Conv2D)
    assert decoder(Z).event_shape == EVENT_SHAPE


@pytest.mark.parametrize("features", [(3, 5, 4), (30,)], ids=str)
def test_head_is_dense_elsewhere(features: tuple[int, ...]) -> None:
    units = math.prod(features)
    trunk = tf_keras.Sequential([tfkl.Dense(units), tfkl.Reshape(features)])
    decoder = networks.make_decoder(trunk, 2, EVENT_SHAPE, Bernoulli())
    assert isinstance(decoder.get_layer("head"), tfkl.Dense)
    assert decoder(Z).event_shape == EVENT_SHAPE


def test_vectors_end_in_a_dense_head() -> None:
    decoder = networks.make_decoder(trunks.dense([7]), 2, (5,), Gaussian())
    assert decoder(Z).event_shape == [5]


def test_a_users_own_trunks_take_their_place() -> None:
    x = tfkl.Input(EVENT_SHAPE)
    down = tf_keras.Model(x, tfkl.Conv2D(4, 2, activation="elu")(x))
    z = tfkl.Input([2])
    up = tf_keras.Model(z, tfkl.LayerNormalization()(tfkl.Dense(9)(z)))
    encoder = networks.make_encoder(down, EVENT_SHAPE, 2)
    decoder = networks.make_decoder(up, 2, EVENT_SHAPE, Bernoulli())
    assert encoder(X).event_shape == [2]
    assert decoder(Z).event_shape == EVENT_SHAPE
    owned = {id(v) for v in encoder.weights + decoder.weights}
    assert {id(v) for v in down.weights + up.weights} < owned


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_heads_and_distributions_stay_float32(policy: str) -> None:
    trunk = trunks.dense([7], dtype=policy)
    encoder = networks.make_encoder(trunk, EVENT_SHAPE, 2)
    decoder = networks.make_decoder(
        trunks.dense([7], dtype=policy), 2, EVENT_SHAPE, Bernoulli()
    )
    qz = encoder(X)
    assert {qz.dtype, qz.log_prob(Z).dtype} == {tf.float32}
    assert {decoder(Z).mean().dtype, decoder(Z).log_prob(X).dtype} == {
        tf.float32
    }
