"""p(x|z): what every likelihood keeps, and how each treats C."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy import special

from tests import oracles
from tests.conftest import replicas
from tfvae.distributions import likelihoods
from tfvae.distributions.likelihoods import LIKELIHOODS, Bernoulli, Gaussian

RNG = np.random.default_rng(0)
EVENT_SHAPE = (6, 5, 1)
NUM_DIMS = 30
PARAMETERS = RNG.normal(size=[3, *EVENT_SHAPE, 1]).astype(np.float32)
RAW = PARAMETERS[..., 0]
X = {
    "binary": RNG.integers(2, size=[3, *EVENT_SHAPE]).astype(np.float32),
    "unit": RNG.uniform(size=[3, *EVENT_SHAPE]).astype(np.float32),
    "real": 3 * RNG.normal(size=[3, *EVENT_SHAPE]).astype(np.float32),
}
MEAN_OF = {
    "gaussian": {
        "real": RAW,
        "unit": special.expit(RAW),
        "binary": special.expit(RAW),
    },
    "bernoulli": {
        "unit": special.expit(RAW),
        "binary": special.expit(RAW),
    },
}
LOG_PROB_OF = {
    "gaussian": lambda x, mean: oracles.normal_log_prob(x, mean, c=0.125),
    "bernoulli": lambda x, _: oracles.bernoulli_log_prob(x, RAW),
}
PAIRS = [(n, s) for n, kind in LIKELIHOODS.items() for s in kind.supports]


def make(name: str, support: str) -> likelihoods.Likelihood:
    if name == "gaussian":  # C = 4: c = 1 / 8
        return Gaussian(4.0, unit_interval=support != "real")
    return LIKELIHOODS[name]()


def optimal_after(*batches: np.ndarray) -> Gaussian:
    """Returns an optimal Gaussian calibrated at f(z) = 0 on each batch."""
    layer = Gaussian("optimal")
    for x in batches:
        layer.calibrate(layer(np.zeros([*x.shape, 1], "f")), x)
    return layer


@pytest.mark.parametrize(("name", "support"), PAIRS)
def test_log_prob_is_scipys(name: str, support: str) -> None:
    px = make(name, support)(PARAMETERS)
    assert (px.batch_shape, px.event_shape) == ([3], EVENT_SHAPE)
    log_prob = px.log_prob(X[support])
    assert log_prob.shape == [3]
    expected = LOG_PROB_OF[name](X[support], MEAN_OF[name][support])
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5)


@pytest.mark.parametrize(("name", "support"), PAIRS)
def test_mean_is_known_and_lies_in_the_data_range(
    name: str, support: str
) -> None:
    layer = make(name, support)
    mean = layer(PARAMETERS).mean()
    np.testing.assert_allclose(mean, MEAN_OF[name][support], rtol=1e-5)
    if support != "real":
        extreme = layer(100 * PARAMETERS).mean().numpy()
        assert 0 <= extreme.min() <= extreme.max() <= 1


@pytest.mark.parametrize(("name", "support"), PAIRS)
def test_as_a_tensor_it_is_its_mean(name: str, support: str) -> None:
    px = make(name, support)(PARAMETERS)
    np.testing.assert_allclose(
        tf.convert_to_tensor(px), MEAN_OF[name][support], rtol=1e-5
    )


@pytest.mark.parametrize(("name", "support"), PAIRS)
@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_gradient_is_finite_at_extreme_parameters(
    name: str, support: str, value: float
) -> None:
    layer = make(name, support)
    parameters = tf.fill(PARAMETERS.shape, value)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        log_prob = layer(parameters).log_prob(X[support])
    assert np.isfinite(log_prob).all()
    assert np.isfinite(tape.gradient(log_prob, parameters)).all()


@pytest.mark.parametrize(("name", "support"), PAIRS)
def test_vectors_will_do_as_well_as_images(name: str, support: str) -> None:
    flat = PARAMETERS.reshape(3, NUM_DIMS, 1)
    log_prob = make(name, support)(flat).log_prob(X[support].reshape(3, -1))
    expected = LOG_PROB_OF[name](X[support], MEAN_OF[name][support])
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_a_given_C_is_what_C_reads(name: str) -> None:
    layer = LIKELIHOODS[name](C=2.5)
    assert layer.current_C() == pytest.approx(2.5, rel=1e-5)
    assert not layer.trainable_variables
    px = layer(PARAMETERS)
    assert layer.calibrate(px, X["binary"]) is px


def test_C_weighs_bernoulli_outside_the_density() -> None:
    np.testing.assert_allclose(
        Bernoulli(2.5)(PARAMETERS).log_prob(X["binary"]),
        oracles.bernoulli_log_prob(X["binary"], RAW),
        rtol=1e-5,
    )
    assert Bernoulli(2.5).distortion_weight == 2.5


def test_C_weighs_gaussian_inside_the_density() -> None:
    assert Gaussian(2.5).distortion_weight == 1.0
    assert float(Gaussian(2.5).c) == pytest.approx(1 / 5, rel=1e-5)


def test_unknown_word_for_C_is_refused() -> None:
    with pytest.raises(ValueError, match="learned, optimal or a number; got"):
        Gaussian("optimum")


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
    px = layer.calibrate(layer(PARAMETERS), X["real"])
    c = np.mean((X["real"] - RAW) ** 2)
    expected = oracles.normal_log_prob(X["real"], RAW, c)
    np.testing.assert_allclose(px.log_prob(X["real"]), expected, rtol=1e-5)


def test_optimal_c_weighs_examples_as_the_loss_does() -> None:
    weight = np.array([0.5, 0.0, 2.0], np.float32)
    layer = Gaussian("optimal")
    px = layer.calibrate(layer(PARAMETERS), X["real"], tf.constant(weight))
    error = ((X["real"] - RAW) ** 2).reshape(3, -1).mean(axis=1)
    c = np.average(error, weights=weight)
    np.testing.assert_allclose(px.variance(), np.full(X["real"].shape, c), 1e-5)


def test_optimal_c_maximises_the_likelihood_of_the_batch() -> None:
    layer = Gaussian("optimal")
    px = layer.calibrate(layer(PARAMETERS), X["real"])
    c = np.mean((X["real"] - RAW) ** 2)
    best = px.log_prob(X["real"]).numpy().sum()
    for other in (0.9 * c, 1.1 * c):
        assert oracles.normal_log_prob(X["real"], RAW, other).sum() < best


def test_optimal_c_counts_the_examples_of_all_replicas() -> None:
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    strategy = replicas(2)
    with strategy.scope():
        layer = Gaussian("optimal")
        layer(np.zeros([3, 2, 1], "f"))

    def calibrated(part: tf.Tensor) -> tf.Tensor:
        px = layer(tf.zeros([*part.shape, 1]))
        return layer.calibrate(px, part).variance()

    parts = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(
            x[:4] if context.replica_id_in_sync_group == 0 else x[4:]
        )
    )
    result = strategy.run(calibrated, args=(parts,))
    for c in strategy.experimental_local_results(result):
        np.testing.assert_allclose(c, np.mean(x**2), rtol=1e-5)
    assert float(layer.c) == pytest.approx(np.mean(x**2), rel=1e-5)


def test_no_gradient_passes_through_optimal_c() -> None:
    layer = Gaussian("optimal")
    parameters, x = tf.constant(PARAMETERS), tf.constant(X["real"])
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        # Over the whole batch it would cancel, c being the best one.
        first = layer.calibrate(layer(parameters), x).log_prob(x)[0]
    c = np.mean((X["real"] - RAW) ** 2)
    expected = (X["real"] - RAW) / c * np.reshape([1, 0, 0], [3, 1, 1, 1])
    gradient = tape.gradient(first, parameters)[..., 0]
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_outside_training_optimal_c_is_frozen() -> None:
    layer = optimal_after(X["real"])
    c = np.mean(X["real"] ** 2)
    assert float(layer.c) == pytest.approx(c, rel=1e-5)
    log_prob = layer(PARAMETERS).log_prob(10 * X["real"])
    np.testing.assert_allclose(
        log_prob,
        oracles.normal_log_prob(10 * X["real"], RAW, c),
        rtol=1e-5,
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


def learned_at(c: float) -> Gaussian:
    layer = Gaussian("learned")
    layer.scaled_log_c.assign(np.log(c) / layer.gain)
    return layer


def slope_of_learned_c(c: float) -> float:
    """Returns d/dv of the mean -log p(x|z), v the layer's variable."""
    layer = learned_at(c)
    with tf.GradientTape() as tape:
        px = layer(PARAMETERS)
        loss = -tf.reduce_mean(px.log_prob(X["real"]))
    return float(tape.gradient(loss, layer.trainable_variables[0]))


def test_slope_of_learned_c_vanishes_at_the_mean_squared_error() -> None:
    best = float(np.mean((X["real"] - RAW) ** 2))
    assert slope_of_learned_c(best) == pytest.approx(0, abs=1e-5)
    assert slope_of_learned_c(0.9 * best) < -0.05
    assert slope_of_learned_c(1.1 * best) > 0.05


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
            loss = -tf.reduce_mean(layer(PARAMETERS).log_prob(X["real"]))
        variables = layer.trainable_variables
        gradients = tape.gradient(loss, variables)
        rule.apply_gradients(zip(gradients, variables, strict=True))

    for _ in range(1000):
        step()
    best = np.mean((X["real"] - RAW) ** 2)
    assert float(layer.c) == pytest.approx(best, rel=1e-3)
