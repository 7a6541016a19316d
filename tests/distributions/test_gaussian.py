"""The Gaussian's c: a number, learned, optimal, or one for each pixel."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests import oracles
from tests.conftest import replicas
from tfvae.distributions.likelihoods import Gaussian

RNG = np.random.default_rng(0)
EVENT_SHAPE = (6, 5, 1)
PARAMETERS = RNG.normal(size=[3, *EVENT_SHAPE, 1]).astype(np.float32)
RAW = PARAMETERS[..., 0]
X = 3 * RNG.normal(size=[3, *EVENT_SHAPE]).astype(np.float32)


def optimal_after(*batches: np.ndarray) -> Gaussian:
    """Returns an optimal Gaussian calibrated at f(z) = 0 on each batch."""
    layer = Gaussian("optimal")
    for x in batches:
        layer.calibrate(layer(np.zeros([*x.shape, 1], "f")), x)
    return layer


def test_a_number_C_has_nothing_to_train() -> None:
    layer = Gaussian(2.5)
    assert float(layer.c) == pytest.approx(1 / 5, rel=1e-5)
    assert not layer.trainable_variables


def test_learned_and_optimal_c_are_clipped_and_a_number_is_not() -> None:
    for C in ("learned", "optimal"):
        layer = Gaussian(C)
        layer.scaled_log_c.assign(-50.0)
        assert float(layer.c) == pytest.approx(np.exp(-12), rel=1e-5)
    assert float(Gaussian(1e8).c) == pytest.approx(5e-9, rel=1e-5)


def test_optimal_c_is_clipped_where_the_error_is_zero() -> None:
    layer = Gaussian("optimal")
    x = np.zeros([3, 4], np.float32)
    px = layer.calibrate(layer(x[..., None]), x)
    np.testing.assert_allclose(
        px.log_prob(x), oracles.normal_log_prob(x, x, np.exp(-12)), rtol=1e-5
    )


def test_optimal_c_is_the_mean_squared_error_of_the_batch() -> None:
    layer = Gaussian("optimal")
    px = layer.calibrate(layer(PARAMETERS), X)
    c = np.mean((X - RAW) ** 2)
    expected = oracles.normal_log_prob(X, RAW, c)
    np.testing.assert_allclose(px.log_prob(X), expected, rtol=1e-5)


def test_optimal_c_needs_no_static_shape_of_x() -> None:
    layer = Gaussian("optimal")
    layer(PARAMETERS)

    @tf.function(input_signature=[tf.TensorSpec([None] * 4)])
    def calibrated(x: tf.Tensor) -> tf.Tensor:
        return layer.calibrate(layer(PARAMETERS), x).variance()

    c = np.mean((X - RAW) ** 2)
    np.testing.assert_allclose(calibrated(X), np.full(X.shape, c), rtol=1e-5)


def test_optimal_c_weighs_examples_as_the_loss_does() -> None:
    weight = np.array([0.5, 0.0, 2.0], np.float32)
    layer = Gaussian("optimal")
    px = layer.calibrate(layer(PARAMETERS), X, tf.constant(weight))
    error = ((X - RAW) ** 2).reshape(3, -1).mean(axis=1)
    c = np.average(error, weights=weight)
    np.testing.assert_allclose(px.variance(), np.full(X.shape, c), 1e-5)


def test_optimal_c_maximises_the_likelihood_of_the_batch() -> None:
    layer = Gaussian("optimal")
    px = layer.calibrate(layer(PARAMETERS), X)
    c = np.mean((X - RAW) ** 2)
    best = px.log_prob(X).numpy().sum()
    for other in (0.9 * c, 1.1 * c):
        assert oracles.normal_log_prob(X, RAW, other).sum() < best


@pytest.mark.parametrize("C", ["optimal", "per_pixel"])
def test_c_counts_the_examples_of_all_replicas(C: str) -> None:
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    strategy = replicas(2)
    with strategy.scope():
        layer = Gaussian(C)
        layer(np.zeros([3, 2, layer.params_per_dim], "f"))

    def calibrate(part: tf.Tensor) -> None:
        # f(z) = 0, and of per_pixel log c is small enough to be unbounded
        log_c = 1e-3 * part[..., tf.newaxis]
        zeros = tf.zeros_like(log_c)
        parts = [zeros, log_c][: layer.params_per_dim]
        layer.calibrate(layer(tf.concat(parts, axis=-1)), part)

    parts = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(
            x[:4] if context.replica_id_in_sync_group == 0 else x[4:]
        )
    )
    strategy.run(calibrate, args=(parts,))
    expected = {"optimal": np.mean(x**2), "per_pixel": np.exp(x / 1e3).mean()}
    for c in strategy.experimental_local_results(layer.scaled_log_c):
        np.testing.assert_allclose(np.exp(c), expected[C], rtol=1e-5)


def test_no_gradient_passes_through_optimal_c() -> None:
    layer = Gaussian("optimal")
    parameters, x = tf.constant(PARAMETERS), tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        # Over the whole batch it would cancel, c being the best one.
        first = layer.calibrate(layer(parameters), x).log_prob(x)[0]
    c = np.mean((X - RAW) ** 2)
    expected = (X - RAW) / c * np.reshape([1, 0, 0], [3, 1, 1, 1])
    gradient = tape.gradient(first, parameters)[..., 0]
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_outside_training_optimal_c_is_frozen() -> None:
    layer = optimal_after(X)
    c = np.mean(X**2)
    assert float(layer.c) == pytest.approx(c, rel=1e-5)
    log_prob = layer(PARAMETERS).log_prob(10 * X)
    np.testing.assert_allclose(
        log_prob, oracles.normal_log_prob(10 * X, RAW, c), rtol=1e-5
    )
    assert float(layer.c) == pytest.approx(c, rel=1e-5)


def test_running_average_of_log_c_starts_fast_then_remembers() -> None:
    batches = [np.full([3, 4], value, "f") for value in (0.1, 1.0, 5.0, 0.3)]
    log_c, expected = np.log([0.01, 1.0, 25.0, 0.09]), 0.0
    for count, value in enumerate(log_c):
        decay = count / (count + 10)
        expected = decay * expected + (1 - decay) * value
    c = float(optimal_after(*batches).c)
    assert c == pytest.approx(np.exp(expected), rel=1e-5)


def test_running_average_forgets_two_hundredths_a_step_at_last() -> None:
    layer = optimal_after(np.ones([3, 4], "f"))
    layer.num_calibrations.assign(10_000.0)
    x = np.full([3, 4], 2.0, np.float32)
    layer.calibrate(layer(np.zeros([3, 4, 1], "f")), x)
    assert float(layer.c) == pytest.approx(4**0.02, rel=1e-5)


def test_per_pixel_C_reads_the_mean_c_of_the_batches() -> None:
    layer = Gaussian("per_pixel", unit_interval=True)
    assert layer.current_C() == pytest.approx(5.0, rel=1e-5)  # c = 0.1
    assert not layer.trainable_variables
    parameters = RNG.normal(size=[3, 4, 2]).astype(np.float32)
    weight = np.array([0.5, 0.0, 2.0], np.float32)
    px = layer(parameters)
    x = np.zeros([3, 4], np.float32)
    assert layer.calibrate(px, x, tf.constant(weight)) is px
    c = np.exp(12 * np.tanh(parameters[..., 1].astype(float) / 12))
    mean = np.average(c.mean(axis=1), weights=weight)
    assert layer.current_C() == pytest.approx(1 / (2 * mean), rel=1e-5)


def test_per_pixel_c_is_bounded_on_both_sides() -> None:
    parameters = tf.constant([[[0.0, -1e4], [0.0, 0.01], [0.0, 1e4]]])
    variance = Gaussian("per_pixel")(parameters).variance()
    expected = np.exp([[-12, 0.01, 12]])
    np.testing.assert_allclose(variance, expected, rtol=1e-5)


def learned_at(c: float) -> Gaussian:
    layer = Gaussian("learned")
    layer.scaled_log_c.assign(np.log(c) / layer.gain)
    return layer


def slope_of_learned_c(c: float) -> float:
    """Returns d/dv of the mean -log p(x|z), v the layer's variable."""
    layer = learned_at(c)
    with tf.GradientTape() as tape:
        px = layer(PARAMETERS)
        loss = -tf.reduce_mean(px.log_prob(X))
    return float(tape.gradient(loss, layer.trainable_variables[0]))


def test_slope_of_learned_c_vanishes_at_the_mean_squared_error() -> None:
    best = float(np.mean((X - RAW) ** 2))
    assert slope_of_learned_c(best) == pytest.approx(0, abs=1e-5)
    # d/dv = (1 - SE / (D c)) 20 / 50, log c = 50 v
    for factor in (0.9, 1.1):
        slope = slope_of_learned_c(factor * best)
        assert slope == pytest.approx((1 - 1 / factor) * 0.4, rel=1e-4)


@pytest.mark.parametrize(
    ("optimizer", "learning_rate"), [("SGD", 0.05), ("Adam", 1e-3)]
)
def test_learned_c_converges_to_the_mean_squared_error(
    optimizer: str, learning_rate: float
) -> None:
    layer = learned_at(1.0)
    layer(PARAMETERS)
    rule = getattr(tf_keras.optimizers, optimizer)(learning_rate)
    rule.build(layer.trainable_variables)

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(layer(PARAMETERS).log_prob(X))
        variables = layer.trainable_variables
        gradients = tape.gradient(loss, variables)
        rule.apply_gradients(zip(gradients, variables, strict=True))

    for _ in range(1000):
        step()
    best = np.mean((X - RAW) ** 2)
    assert float(layer.c) == pytest.approx(best, rel=1e-3)
