"""Synthetic data against the formulas that define them."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tfvae.config import Config
from tfvae.data import synthetic
from tfvae.data.load import load_data
from tfvae.data.sources import PARTS

SIZES = {"train": 10000, "validation": 1000, "test": 1000}


@pytest.mark.parametrize(
    "make",
    [
        synthetic.ring,
        synthetic.pinwheel,
        synthetic.linear_gaussian,
        synthetic.density1d,
    ],
)
def test_parts_have_fixed_sizes_share_nothing_and_never_change(
    make: Callable[[], Any],
) -> None:
    source, again = make(), make()
    parts = [source.arrays[part][0] for part in PARTS]
    assert {p: len(source.arrays[p][0]) for p in PARTS} == SIZES
    assert len(np.unique(np.concatenate(parts), axis=0)) == sum(SIZES.values())
    for part in PARTS:
        x, y = source.arrays[part]
        np.testing.assert_array_equal(x, again.arrays[part][0])
        np.testing.assert_array_equal(y, again.arrays[part][1])


def test_ring_radius_less_one_is_a_tenth_of_a_rayleigh_draw() -> None:
    x, y = synthetic.ring().arrays["train"]
    # z is recovered from x: |x| = 1 + |z| / 10, and |z| of N(0, I) in the
    # plane is Rayleigh.
    z_norm = (np.linalg.norm(x, axis=1) - 1) * 10
    assert y is None
    assert z_norm.min() > 0
    assert stats.kstest(z_norm, "rayleigh").statistic < 0.02


def test_ring_angle_is_uniform() -> None:
    x, _ = synthetic.ring().arrays["train"]
    turns = np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi) + 0.5
    assert stats.kstest(turns, "uniform").statistic < 0.02


def test_ring_is_doerschs_function_of_its_draws() -> None:
    z = np.random.default_rng([1, 2]).normal(size=[1000, 2])
    radius = np.hypot(z[:, 0], z[:, 1])
    x, _ = synthetic.ring().arrays["test"]
    np.testing.assert_allclose(np.hypot(*x.T), 1 + radius / 10, rtol=1e-12)
    np.testing.assert_allclose(
        np.arctan2(x[:, 1], x[:, 0]), np.arctan2(z[:, 1], z[:, 0]), rtol=1e-9
    )


def test_pinwheel_label_is_the_arm_that_turning_back_gives() -> None:
    x, y = synthetic.pinwheel().arrays["train"]
    radius = np.hypot(x[:, 0], x[:, 1])
    assert set(np.unique(y)) == {0, 1, 2, 3, 4}
    assert np.bincount(y).min() > 1800  # of 2,000; 5 standard deviations
    # Turned back by its arm's angle, each point is radial * (1, small) with
    # an angle of rate * exp(radial part); near the axis radius = radial part.
    turned = x[:, 0] + 1j * x[:, 1]
    turned *= np.exp(-1j * (2 * np.pi * y / 5 + 0.25 * np.exp(radius)))
    assert abs(turned.real.mean() - 1) < 0.02
    assert abs(turned.imag.mean()) < 0.02
    assert abs(turned.real.std() - 0.3) < 0.03
    assert abs(turned.imag.std() - 0.1) < 0.03


def test_pinwheel_turns_counter_clockwise_exactly() -> None:
    rng = np.random.default_rng([2, 2])
    arm = rng.integers(5, size=1000)
    radial, across = (rng.normal(size=[1000, 2]) * [0.3, 0.1] + [1, 0]).T
    angle = 2 * np.pi * arm / 5 + 0.25 * np.exp(radial)
    turned = (radial + 1j * across) * np.exp(1j * angle)
    x, y = synthetic.pinwheel().arrays["test"]
    np.testing.assert_array_equal(y, arm)
    np.testing.assert_allclose(x[:, 0], turned.real, atol=1e-12)
    np.testing.assert_allclose(x[:, 1], turned.imag, atol=1e-12)


def test_linear_gaussian_log_prob_is_the_normal_density() -> None:
    model = synthetic.linear_gaussian_model()
    x = np.random.default_rng(7).normal(size=[3, 8]) * 2
    # By Woodbury and the determinant lemma, in the 3 latent dimensions.
    inner = model.c * np.eye(3) + model.W.T @ model.W
    centred = x - model.b
    inside = centred @ model.W
    squared = (centred**2).sum(1) - np.einsum(
        "ni,ij,nj->n", inside, np.linalg.inv(inner), inside
    )
    log_det = np.linalg.slogdet(inner)[1] + (8 - 3) * np.log(model.c)
    expected = -0.5 * (8 * np.log(2 * np.pi) + log_det + squared / model.c)
    np.testing.assert_allclose(model.log_prob(x), expected, rtol=1e-10)


def test_linear_gaussian_draws_have_the_models_mean_and_covariance() -> None:
    model = synthetic.linear_gaussian_model()
    x, y = synthetic.linear_gaussian().arrays["train"]
    covariance = model.W @ model.W.T + 0.1 * np.eye(8)
    variances = np.diag(covariance)
    assert y is None
    assert model.W.shape == (8, 3)
    errors = (x.mean(0) - model.b) / np.sqrt(variances / len(x))
    assert np.abs(errors).max() < 5
    spread = np.sqrt((np.outer(variances, variances) + covariance**2) / len(x))
    errors = (np.cov(x.T) - covariance) / spread
    assert np.abs(errors).max() < 5
    # The noise alone: 5 directions of variance 0.1 are left beside W.
    smallest = np.linalg.eigvalsh(np.cov(x.T))[:5]
    np.testing.assert_allclose(smallest, 0.1, rtol=0.1)


@pytest.mark.parametrize(
    ("name", "shape", "num_classes"),
    [
        ("ring", (2,), None),
        ("pinwheel", (2,), 5),
        ("linear_gaussian", (8,), None),
        ("density1d", (1,), None),
    ],
)
def test_synthetic_sets_load_as_real_valued_vectors(
    name: str, shape: tuple[int, ...], num_classes: int | None
) -> None:
    splits = load_data(Config(dataset=name))
    assert splits.spec.event_shape == shape
    assert splits.spec.num_classes == num_classes
    assert splits.spec.support == "real"
    assert splits.spec.levels is None
    assert splits.train.num_examples == 10000
    assert splits.train.divisor == 1


def test_ring_log_prob_is_the_density_of_its_draws() -> None:
    # Mass of p in cells of radius and angle, by the midpoint rule, against
    # the Rayleigh mass of the same cells: exp(-a^2 / 2) - exp(-b^2 / 2).
    edges = np.array([0.0, 0.4, 1.1, 2.0, 3.5])
    radii = 1 + (np.arange(20000) + 0.5) * 3.5e-4 / 20
    for first, last in itertools.pairwise(edges):
        inside = radii[(radii > 1 + first / 10) & (radii < 1 + last / 10)]
        for angle in (0.3, 2.0, -1.0):
            x = inside[:, np.newaxis] * [np.cos(angle), np.sin(angle)]
            density = np.exp(synthetic.ring_log_prob(x))
            mass = (density * inside).sum() * 2 * np.pi * 3.5e-4 / 20
            expected = np.exp(-(first**2) / 2) - np.exp(-(last**2) / 2)
            np.testing.assert_allclose(mass, expected, rtol=1e-3)


def test_ring_has_no_mass_within_the_unit_circle() -> None:
    x = np.array([[0.5, 0.5], [1, 0], [0.6, -0.8]])
    np.testing.assert_array_equal(synthetic.ring_log_prob(x[:1]), -np.inf)
    np.testing.assert_array_equal(synthetic.ring_log_prob(1.01 * x) > -3,
                                  [False, True, True])  # fmt: skip


# Entropies in nats. linear_gaussian: log det(2 pi e (W W^T + c I)) / 2; the
# others by quadrature of -p log p.
def entropy(name: str) -> float:
    if name == "linear_gaussian":
        model = synthetic.linear_gaussian_model()
        covariance = model.W @ model.W.T + 0.1 * np.eye(8)
        return np.linalg.slogdet(2 * np.pi * np.e * covariance)[1] / 2
    if name == "ring":
        r = (np.arange(200000) + 0.5) * 1e-4 / 2
        weights = r * np.exp(-(r**2) / 2) * 1e-4 / 2
        log_p = np.log(10 * r / (2 * np.pi * (1 + r / 10))) - r**2 / 2
        return -(weights * log_p).sum()
    x = np.linspace(-6, 8, 100001)
    p = 0.4 * stats.norm(-1, 0.4).pdf(x) + 0.6 * stats.norm(1, 0.6).pdf(x)
    return -(p * np.log(p)).sum() * (x[1] - x[0])


@pytest.mark.parametrize("name", ["ring", "linear_gaussian", "density1d"])
def test_mean_of_the_splits_log_prob_is_the_negative_entropy(
    name: str,
) -> None:
    splits = load_data(Config(dataset=name))
    log_prob = splits.log_prob(splits.train.x)
    assert log_prob.shape == (10000,)
    error = log_prob.mean() + entropy(name)
    assert abs(error) < 5 * log_prob.std() / np.sqrt(10000)


@pytest.mark.parametrize("name", ["pinwheel", "digits"])
def test_unknown_density_is_none(name: str) -> None:
    assert load_data(Config(dataset=name)).log_prob is None
