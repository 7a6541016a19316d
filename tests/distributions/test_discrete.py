"""Masses on levels: float32 where it is hard, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfvae.distributions import cells
from tfvae.distributions.likelihoods import LIKELIHOODS

CENTERS = np.concatenate(
    [
        np.linspace(-6, 6, 121),
        *(sign * np.logspace(-6, 5, 56) for sign in (-1, 1)),
    ]
).astype(np.float32)
WIDTHS = np.float32([1e-6, 1e-3, 0.1, 0.5, 1, 1.9, 2, 2.1, 3, 5, 10, 100])
STANDARD = {"logistic": stats.logistic, "normal": stats.norm}
FAMILIES = {"logistic": cells.LOGISTIC, "normal": cells.NORMAL}


def log_mass(family: str, center: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Returns it in float64; narrow cells by the series of the density."""
    center, width = np.abs(center.astype(float)), width.astype(float)
    standard = STANDARD[family]
    a, b = center - width / 2, center + width / 2
    near, far = standard.logsf(a), standard.logsf(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = near + np.log1p(-np.exp(far - near))
        # mass = F'(m) w (1 + w^2 (m^2 - 1) / 24 + ...) of the normal
        curvature = (center**2 - 1) / 24 if family == "normal" else 0
        middle = standard.logpdf(center) + np.log(width)
        middle += np.log1p(width**2 * curvature)
    return np.where(width * (1 + center) < 1e-3, middle, inner)


@pytest.mark.parametrize("family", FAMILIES)
def test_log_mass_of_a_cell_is_scipys(family: str) -> None:
    center, width = np.meshgrid(CENTERS, WIDTHS)
    result = FAMILIES[family].log_mass(tf.constant(center), tf.constant(width))
    expected = log_mass(family, center, width)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_of_log_mass_is_the_ratio_of_density_to_mass(
    family: str,
) -> None:
    center, width = np.meshgrid(np.linspace(-8, 8, 321, dtype="f"), WIDTHS[1:])
    variables = tf.constant(center), tf.constant(width)
    with tf.GradientTape() as tape:
        tape.watch(variables)
        result = FAMILIES[family].log_mass(*variables)
    by_center, by_width = tape.gradient(result, variables)
    expected = log_mass(family, center, width)
    upper, lower = (
        np.exp(STANDARD[family].logpdf(center + side * width / 2) - expected)
        for side in (np.float64(1), np.float64(-1))
    )
    # d log(F(b) - F(a)) = (F'(b) db - F'(a) da) / (F(b) - F(a))
    close = {"rtol": 1e-3, "atol": 2e-3}
    np.testing.assert_allclose(by_center, upper - lower, **close)
    np.testing.assert_allclose(by_width, (upper + lower) / 2, **close)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_finite_however_far_the_cell(family: str) -> None:
    center, width = np.meshgrid(
        np.float32([-1e9, -1e4, -3, 0, 3, 1e4, 1e9]),
        np.float32([1e-9, 1e-6, 1e-3, 1, 1e3, 1e6]),
    )
    variables = tf.constant(center), tf.constant(width)
    with tf.GradientTape() as tape:
        tape.watch(variables)
        result = FAMILIES[family].log_mass(*variables)
    for value in (result, *tape.gradient(result, variables)):
        assert np.isfinite(value).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_log_cdf_is_scipys(family: str) -> None:
    result = FAMILIES[family].log_cdf(tf.constant(CENTERS))
    expected = STANDARD[family].logcdf(CENTERS.astype(float))
    # Above 0 it is as small as Phi(-z), which float32 has to 1e-5.
    rtol = np.where(CENTERS < 0, 5e-7, 1e-5)
    error = np.abs(result - expected)
    assert (error <= rtol * np.abs(expected) + 1e-12).all()


@pytest.mark.parametrize(
    "name", [n for n, kind in LIKELIHOODS.items() if kind.needs_levels]
)
def test_x_between_levels_is_taken_at_the_nearest(name: str) -> None:
    layer = LIKELIHOODS[name](levels=5)
    rng = np.random.default_rng(0)
    parameters = rng.normal(size=[3, 4, layer.params_per_dim]).astype("f")
    x = np.float32([0.1, 0.2, 0.8, 0.9])
    px = layer(parameters)
    nearest = np.float32([0.0, 0.25, 0.75, 1.0])
    np.testing.assert_array_equal(px.log_prob(x), px.log_prob(nearest))


def test_sixteen_bits_are_too_many_categories() -> None:
    with pytest.raises(
        ValueError, match="at most 256 for categorical; got 257"
    ):
        LIKELIHOODS["categorical"](levels=257)
    assert LIKELIHOODS["categorical"](levels=256).params_per_dim == 256


def test_mixture_needs_a_component() -> None:
    kind = LIKELIHOODS["discretized_logistic_mixture"]
    with pytest.raises(ValueError, match="must be at least 1; got 0"):
        kind(levels=256, num_components=0)
    assert kind(levels=256, num_components=4).params_per_dim == 12
    assert kind(levels=256).params_per_dim == 15


def test_components_of_a_mixture_begin_apart() -> None:
    layer = LIKELIHOODS["discretized_logistic_mixture"](levels=256)
    loc = layer.parameters_of_mean(np.full([4], 0.5))[:, 5:10]
    assert (np.diff(loc) > 0.05).all()


def test_quantized_gaussian_may_learn_a_noise_below_its_level() -> None:
    layer = LIKELIHOODS["quantized_gaussian"](levels=256)
    layer.log_c.variable.assign(-50.0)
    assert float(layer.c) == pytest.approx(np.exp(-20), rel=1e-5)
    x = np.float32([[0, 0.2, 1]])
    log_prob = layer(x[..., None]).log_prob(x)
    np.testing.assert_allclose(log_prob, [0.0], atol=1e-6)
