"""From a trunk and a distribution layer to an encoder and a decoder."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests import oracles
from tfvae import networks, trunks
from tfvae.distributions.likelihoods import Bernoulli, Gaussian

tfd = tfp.distributions
tfkl = tf_keras.layers
EVENT_SHAPE = (6, 5, 1)
X = np.random.default_rng(0).uniform(size=[3, *EVENT_SHAPE]).astype("f")
Z = np.random.default_rng(1).normal(size=[3, 2]).astype("f")


def test_encoder_gives_one_posterior_an_example() -> None:
    encoder = networks.make_encoder(trunks.dense([7]), EVENT_SHAPE, 2)
    qz = encoder(X)
    assert (qz.batch_shape, qz.event_shape) == ([3], [2])
    assert encoder.losses == []
    assert encoder.name == "encoder"


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


def test_prior_of_the_regularizer_is_the_one_given() -> None:
    prior = tfd.MultivariateNormalDiag(loc=[5.0, -1.0], scale_diag=[2.0, 2.0])
    default, given = (
        networks.make_encoder(trunks.dense([7]), EVENT_SHAPE, 2, prior=p)
        for p in (None, prior)
    )
    assert given.layers[-1].kl_regularizer.prior is prior
    qz = default(X)
    kl = default.layers[-1].kl_regularizer(qz, None)
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
