"""Trainable scalars: their bounds, and that they reach what fits best."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy import optimize, stats

from tfvae.distributions.likelihoods import LIKELIHOODS, Likelihood
from tfvae.distributions.log_scalar import LogScalar

RNG = np.random.default_rng(0)
X = RNG.standard_t(4, size=[50, 40]).astype(np.float32)
ZEROS = np.zeros([50, 40, 1], np.float32)


def train(layer: Likelihood, x: np.ndarray, *, num_steps: int) -> None:
    """Takes Adam's steps at f(z) = 0."""
    layer(ZEROS)
    rule = tf_keras.optimizers.Adam(3e-3)
    rule.build(layer.trainable_variables)

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(layer(ZEROS).log_prob(x))
        variables = layer.trainable_variables
        gradients = tape.gradient(loss, variables)
        rule.apply_gradients(zip(gradients, variables, strict=True))

    for _ in range(num_steps):
        step()


def test_laplace_scale_converges_to_the_mean_absolute_error() -> None:
    layer = LIKELIHOODS["laplace"]()
    train(layer, X, num_steps=200)
    best = np.abs(X).mean()
    assert float(layer.scale.value()) == pytest.approx(best, rel=1e-3)


def test_student_t_converges_to_scipys_fit() -> None:
    layer = LIKELIHOODS["student_t"]()
    train(layer, X, num_steps=300)
    df, _, scale = stats.t.fit(X.ravel().astype(float), floc=0)
    assert float(layer.scale.value()) == pytest.approx(scale, rel=1e-2)
    assert float(2 + layer.excess.value()) == pytest.approx(df, rel=3e-2)


def test_quantized_c_converges_to_the_best_for_the_masses() -> None:
    x = np.clip(np.rint(np.abs(X) * 4), 0, 16) / 16
    layer = LIKELIHOODS["quantized_gaussian"](levels=17)
    train(layer, x, num_steps=200)

    def loss(log_c: float) -> float:
        normal = stats.norm(0, np.exp(log_c / 2))
        upper = np.where(x < 1, normal.cdf(x + 1 / 32), 1)
        lower = np.where(x > 0, normal.cdf(x - 1 / 32), 0)
        return -np.log(upper - lower).mean()

    best = np.exp(optimize.minimize_scalar(loss, bounds=(-6, 2)).x)
    assert float(layer.c) == pytest.approx(best, rel=1e-3)
    assert layer.current_C() == pytest.approx(1 / (2 * best), rel=1e-3)


def make_scalar(**settings: float) -> LogScalar:
    return LogScalar(tf_keras.layers.Layer(), "v", 2.0, **settings)


def slope(scalar: LogScalar, *, upwards: bool) -> float:
    """Returns d/dv of a loss that falls, or rises, with s."""
    with tf.GradientTape() as tape:
        s = scalar.value()
        loss = -s if upwards else s
    return float(tape.gradient(loss, scalar.variable))


def test_a_scalar_past_its_bound_can_come_back() -> None:
    scalar = make_scalar(smallest=0.5, largest=8.0)
    for log_s, bound in ((-3.0, 0.5), (5.0, 8.0)):
        scalar.variable.assign(log_s / scalar.gain)
        assert float(scalar.value()) == pytest.approx(bound, rel=1e-5)
        back = slope(scalar, upwards=bound == 0.5)
        assert abs(back) == pytest.approx(scalar.gain * bound, rel=1e-5)
        assert slope(scalar, upwards=bound == 8.0) == 0


def test_slope_does_not_depend_on_the_number_of_dimensions() -> None:
    scalar = make_scalar(information=0.5)
    assert float(scalar.value()) == pytest.approx(2.0, rel=1e-5)
    for num_dims in (3, 700):
        with tf.GradientTape() as tape:
            loss = num_dims * tf.math.log(scalar.fitted(num_dims))
        gradient = float(tape.gradient(loss, scalar.variable))
        # A step of SGD, times the gain of 50, moves log s by 20 / information.
        assert 50 * gradient == pytest.approx(20 / 0.5, rel=1e-5)


def test_a_scalar_that_is_not_trained_is_what_was_given() -> None:
    layer = tf_keras.layers.Layer()
    scalar = LogScalar(layer, "v", 2.0, trainable=False)
    assert float(scalar.fitted(7)) == pytest.approx(2.0, rel=1e-5)
    assert not layer.trainable_variables


@pytest.mark.parametrize("trainable", [True, False])
def test_a_scalar_that_is_set_is_as_one_that_began_so(trainable: bool) -> None:
    scalar = make_scalar(trainable=trainable, largest=8.0)
    for s in (0.03, 7.0):
        scalar.set(s)
        new = LogScalar(tf_keras.layers.Layer(), "v", s, trainable=trainable)
        assert scalar.variable.numpy() == new.variable.numpy()
        assert float(scalar.value()) == pytest.approx(s, rel=1e-5)
    scalar.set(9.0)
    assert float(scalar.value()) == pytest.approx(8.0, rel=1e-5)
