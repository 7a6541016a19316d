"""p(x|z): what every entry of the table keeps, on all data it scores."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras.src.layers.core import lambda_layer

from tests.conftest import replicas
from tests.distributions.closed_forms import CASES, FINE, Case
from tfvae.distributions.likelihoods import LIKELIHOODS, Likelihood

EVENT_SHAPE = (4, 3, 2)
NUM_DIMS = 24
every_case = pytest.mark.parametrize("case", CASES, ids=str)
and_grey_levels = pytest.mark.parametrize("case", CASES + FINE, ids=str)
densities = pytest.mark.parametrize(
    "case", [c for c in CASES if LIKELIHOODS[c.name].is_density], ids=str
)
masses = pytest.mark.parametrize(
    "case", [c for c in CASES + FINE if c.levels is not None], ids=str
)


def make(case: Case) -> Likelihood:
    return LIKELIHOODS[case.name].for_data(
        case.C, support=case.support, levels=case.levels
    )


@functools.cache
def draw_x(case: Case, *shape: int) -> np.ndarray:
    """Returns data of the case's kind, both ends of its range included."""
    rng = np.random.default_rng(0)
    if case.levels is not None:
        x = rng.integers(case.levels, size=shape) / (case.levels - 1)
    elif case.support == "real":
        x = 3 * rng.normal(size=shape)
    elif case.support == "binary":
        x = rng.integers(2, size=shape)
    else:
        x = rng.uniform(size=shape)
    x.flat[:2] = 0, 1
    return x.astype(np.float32)


def draw_parameters(case: Case, *shape: int, size: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(1)
    parameters = size * rng.normal(size=[*shape, case.params_per_dim])
    return parameters.astype(np.float32)


def one_dim_parameters(case: Case) -> np.ndarray:
    """Returns [3, 1, params_per_dim], of densities without infinities."""
    shift = [0, 2] if case.name == "beta" else 0
    return 0.5 * draw_parameters(case, 3, 1) + np.float32(shift)


def line(case: Case) -> np.ndarray:
    """Returns all x of a mass; many over where a density is: [points, 1, 1]."""
    if case.levels is not None:
        x = np.arange(case.levels) / (case.levels - 1)
    elif case.name == "beta":
        x = np.linspace(-1 / 510, 511 / 510, 20_001)
    elif case.name in ("bernoulli", "continuous_bernoulli"):
        x = np.linspace(0, 1, 20_001)
    else:
        x = np.linspace(-60, 60, 60_001)
    return x.astype(np.float32)[:, None, None]


def total(case: Case, values: np.ndarray) -> np.ndarray:
    """Returns the sum over levels or the integral over the line: [3, 1]."""
    if case.levels is not None:
        return values.sum(axis=0)
    return np.trapezoid(values, line(case).astype(np.float64), axis=0)


@and_grey_levels
@pytest.mark.parametrize("size", [1.0, 8.0])
def test_log_prob_is_scipys(case: Case, size: float) -> None:
    x = draw_x(case, 3, *EVENT_SHAPE)
    parameters = draw_parameters(case, 3, *EVENT_SHAPE, size=size)
    px = make(case)(parameters)
    assert (px.batch_shape, px.event_shape) == ([3], EVENT_SHAPE)
    log_prob = px.log_prob(x)
    assert log_prob.shape == [3]
    per_dim = case.log_prob(x.astype(float), parameters.astype(float))
    expected = per_dim.reshape(3, -1).sum(axis=1)
    # Cancelling terms leave float32 an error of the largest of them.
    largest = np.abs(per_dim).reshape(3, -1).max(axis=1)
    error = np.abs(log_prob - expected)
    assert (error <= 1e-5 * np.maximum(np.abs(expected), largest)).all(), error


@every_case
def test_draws_of_x_broadcast_against_the_batch(case: Case) -> None:
    x = draw_x(case, 5, 1, *EVENT_SHAPE)
    parameters = draw_parameters(case, 3, *EVENT_SHAPE)
    log_prob = make(case)(parameters).log_prob(x)
    per_dim = case.log_prob(x.astype(float), parameters.astype(float))
    np.testing.assert_allclose(
        log_prob, per_dim.reshape(5, 3, -1).sum(axis=-1), rtol=1e-5
    )


@masses
def test_masses_add_up_to_one(case: Case) -> None:
    px = make(case)(one_dim_parameters(case))
    mass = np.exp(px.log_prob(line(case)).numpy().astype(float))
    np.testing.assert_allclose(mass.sum(axis=0), [1, 1, 1], rtol=1e-5)


@densities
def test_densities_integrate_to_one(case: Case) -> None:
    px = make(case)(one_dim_parameters(case))
    density = np.exp(px.log_prob(line(case)).numpy().astype(float))
    integral = total(case, density[..., None])[:, 0]
    np.testing.assert_allclose(integral, [1, 1, 1], rtol=1e-4)


@and_grey_levels
def test_mean_is_that_of_the_closed_form(case: Case) -> None:
    parameters = one_dim_parameters(case)
    if case.name == "bernoulli":  # on grey values not normalised
        case = case._replace(levels=2)
    x = line(case).astype(float)
    mass = np.exp(case.log_prob(x, parameters.astype(float)))
    mean = make(case)(parameters).mean()
    assert mean.shape == [3, 1]
    np.testing.assert_allclose(mean, total(case, x * mass), atol=2e-5)


@every_case
@pytest.mark.parametrize("size", [1.0, 100.0])
def test_mean_lies_in_the_range_of_the_data(case: Case, size: float) -> None:
    parameters = draw_parameters(case, 3, *EVENT_SHAPE, size=size)
    mean = make(case)(parameters).mean().numpy()
    assert mean.shape == (3, *EVENT_SHAPE)
    assert np.isfinite(mean).all()
    if case.support != "real":
        assert 0 <= mean.min() <= mean.max() <= 1


@every_case
def test_as_a_tensor_it_is_its_mean_and_alone_it_is_none(case: Case) -> None:
    layer, parameters = make(case), draw_parameters(case, 3, *EVENT_SHAPE)
    px = layer(parameters)
    np.testing.assert_array_equal(tf.convert_to_tensor(px), px.mean())
    alone = layer.distribution(tf.constant(parameters))
    assert not tf.is_tensor(alone)
    np.testing.assert_array_equal(alone.mean(), px.mean())


@every_case
def test_draws_have_the_mean_and_lie_in_the_support(case: Case) -> None:
    px = make(case)(one_dim_parameters(case))
    draws = px.sample(20_000, seed=[3, 4]).numpy().astype(float)
    assert draws.shape == (20_000, 3, 1)
    error = np.abs(draws.mean(axis=0) - px.mean())
    assert (error < 5 * draws.std(axis=0) / np.sqrt(20_000)).all()
    if case.levels is not None or case.name == "bernoulli":
        k = draws * ((case.levels or 2) - 1)
        np.testing.assert_allclose(k, np.rint(k), atol=1e-4)
    x = line(case)
    assert x.min() <= draws.min() < draws.max() <= x.max()
    np.testing.assert_array_equal(px.sample(20_000, seed=[3, 4]), draws)


@and_grey_levels
@pytest.mark.parametrize("value", [-1e4, 1e4, None])
def test_gradients_are_finite_at_extremes(
    case: Case, value: float | None
) -> None:
    layer = make(case)
    x = draw_x(case, 3, *EVENT_SHAPE)
    parameters = tf.constant(
        1e4 * np.sign(draw_parameters(case, 3, *EVENT_SHAPE))
        if value is None
        else np.full([3, *EVENT_SHAPE, case.params_per_dim], value),
        tf.float32,
    )
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        ends = [np.zeros_like(x), np.ones_like(x)]
        log_prob = layer(parameters).log_prob(np.stack([x, *ends]))
    sources = [parameters, *layer.trainable_variables]
    assert np.isfinite(log_prob).all()
    for gradient in tape.gradient(log_prob, sources):
        assert np.isfinite(gradient).all()


@every_case
def test_a_decoder_can_begin_at_the_mean_of_the_data(case: Case) -> None:
    layer = make(case)
    mean = np.random.default_rng(2).uniform(size=EVENT_SHAPE)
    mean.flat[:2] = 0, 1
    if case.support == "real":
        mean = 3 * mean - 1
        expected = mean
    else:
        expected = np.clip(mean, 0.001, 0.999)
    parameters = layer.parameters_of_mean(mean)
    assert parameters.shape == (*EVENT_SHAPE, case.params_per_dim)
    assert layer.params_per_dim == case.params_per_dim
    px = layer(parameters[None].astype(np.float32))
    np.testing.assert_allclose(px.mean()[0], expected, atol=2e-5)


@every_case
def test_C_weighs_the_distortion_or_is_the_noise(case: Case) -> None:
    layer = make(case)
    if layer.C_is_noise:
        assert layer.distortion_weight == 1.0
    else:
        assert layer.distortion_weight == layer.current_C() == case.C
    if not isinstance(case.C, str):
        assert layer.current_C() == pytest.approx(case.C, rel=1e-5)
        px = layer(draw_parameters(case, 3, *EVENT_SHAPE))
        assert layer.calibrate(px, draw_x(case, 3, *EVENT_SHAPE)) is px


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_attributes_say_what_C_may_be(name: str) -> None:
    kind = LIKELIHOODS[name]
    support, levels = kind.supports[-1], 17 if kind.needs_levels else None
    for C in (kind.auto_C, 2.5, *kind.C_words):
        assert kind.for_data(C, support=support, levels=levels).C == C
    words = "".join(f"{word}, " for word in kind.C_words).removesuffix(", ")
    accepted = f"{words} or a number" if words else "a number"
    for C in ("optimum", 0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"must be {accepted} above 0;"):
            kind.for_data(C, support=support, levels=levels)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_data_that_it_cannot_score_are_refused(name: str) -> None:
    kind = LIKELIHOODS[name]
    for support in {"binary", "unit", "real"} - set(kind.supports):
        with pytest.raises(ValueError, match=f"got '{support}'; take another"):
            kind.for_data(1.0, support=support, levels=None)
    for levels in (None, 1) if kind.needs_levels else ():
        with pytest.raises(ValueError, match=f"at least 2; got {levels}; x"):
            kind.for_data(1.0, support="unit", levels=levels)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["laplace", "student_t", "quantized_gaussian"])
def test_replicas_agree_with_one_device_without_a_warning(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object, message: str) -> None:
        pytest.fail(message)

    monkeypatch.setattr(lambda_layer.Lambda, "_warn", fail)
    case = next(c for c in CASES if c.name == name and c.support == "unit")
    parameters, x = draw_parameters(case, 3, 5), draw_x(case, 3, 5)
    results = []
    for count in (1, 2):
        strategy = replicas(count)
        with strategy.scope():
            layer = make(case)

        @tf.function
        def step(layer: Likelihood = layer) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                log_prob = layer(parameters).log_prob(x)
            variables = layer.trainable_variables
            return [log_prob, *tape.gradient(log_prob, variables)]

        results += [
            [value.numpy() for value in local]
            for local in zip(
                *map(strategy.experimental_local_results, strategy.run(step)),
                strict=True,
            )
        ]
    assert len(results) == 3
    for other in results[1:]:
        for value, expected in zip(other, results[0], strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-6)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_weights_survive_a_checkpoint(name: str, tmp_path) -> None:
    case = next(c for c in CASES if c.name == name)
    parameters = draw_parameters(case, 3, 5)

    def build() -> tf_keras.Model:
        inputs = tf_keras.layers.Input(parameters.shape[1:])
        return tf_keras.Model(inputs, make(case)(inputs))

    model, other = build(), build()
    model.set_weights([np.full(v.shape, 0.07) for v in model.weights])
    model.save_weights(tmp_path / "weights")
    other.load_weights(tmp_path / "weights").expect_partial()
    x = draw_x(case, 3, 5)
    np.testing.assert_array_equal(
        other(parameters).log_prob(x), model(parameters).log_prob(x)
    )
