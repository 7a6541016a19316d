"""What stands for the KL: weighted, above free bits, or held at a capacity."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tests.draws import (
    BATCH,
    Inputs,
    assert_devices_agree,
    make_draws,
    make_inputs,
    numeric_gradient,
)
from tfvae.objectives import schedules
from tfvae.objectives.elbo import Elbo
from tfvae.objectives.penalty import KLPenalty

FREE_BITS = 0.7
INPUTS = make_inputs()
# The KL of one dimension is small, that of the other large.
INPUTS = INPUTS._replace(loc=INPUTS.loc * np.float32([0.5, 2.0]))


def numpy_kl(loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Of each example and dimension, to the standard normal."""
    return (loc**2 + scale**2 - 1) / 2 - np.log(scale)


def value_and_gradients(
    penalty: KLPenalty,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Penalty of each example; gradients of its mean for loc and scale."""
    watched = [tf.constant(INPUTS.loc), tf.constant(INPUTS.scale)]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        draws = make_draws(Inputs(*watched, INPUTS.eps, INPUTS.distortion))
        value = penalty(draws)
        mean = tf.reduce_mean(value)
    assert value.shape == [BATCH]
    return value.numpy(), [g.numpy() for g in tape.gradient(mean, watched)]


def assert_mean_is(
    penalty: KLPenalty, formula: Callable[[np.ndarray], float]
) -> None:
    """The formula takes the KL, [batch, latent_dim]."""
    value, gradients = value_and_gradients(penalty)
    expected = formula(numpy_kl(INPUTS.loc, INPUTS.scale))
    np.testing.assert_allclose(value.mean(), expected, rtol=1e-5)
    loc, scale = INPUTS.loc.astype(float), INPUTS.scale.astype(float)
    references = [
        numeric_gradient(lambda loc: formula(numpy_kl(loc, scale)), loc),
        numeric_gradient(lambda scale: formula(numpy_kl(loc, scale)), scale),
    ]
    for gradient, reference in zip(gradients, references, strict=True):
        np.testing.assert_allclose(gradient, reference, rtol=1e-4, atol=1e-5)


def test_plain_penalty_is_the_kl_of_each_example() -> None:
    value, _ = value_and_gradients(KLPenalty())
    expected = numpy_kl(INPUTS.loc, INPUTS.scale).sum(axis=-1)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_kl_weight_is_the_schedules_at_the_step() -> None:
    # Of 10 steps of warm-up, 3 are done.
    assert_mean_is(
        KLPenalty(schedules.Linear(10)), lambda kl: 0.3 * kl.sum() / BATCH
    )


# The mean KL of the two dimensions lies on either side of the middle value.
@pytest.mark.parametrize("free_bits", [0.01, FREE_BITS, 5.0])
def test_free_bits_hold_each_dimensions_mean_from_below(
    free_bits: float,
) -> None:
    assert_mean_is(
        KLPenalty(schedules.Constant(1.5), free_bits=free_bits),
        lambda kl: 1.5 * np.maximum(free_bits, kl.mean(axis=0)).sum(),
    )


def test_dimension_within_its_free_bits_has_no_gradient() -> None:
    mean = numpy_kl(INPUTS.loc, INPUTS.scale).mean(axis=0)
    assert mean.min() < FREE_BITS < mean.max()
    within = int(mean.argmin())
    _, gradients = value_and_gradients(KLPenalty(free_bits=FREE_BITS))
    for gradient in gradients:
        np.testing.assert_array_equal(gradient[:, within], np.zeros(BATCH))
        assert (gradient[:, 1 - within] != 0).all()


@pytest.mark.parametrize("capacity", [0.0, 0.5, 4.0])
def test_capacity_costs_the_distance_of_the_mean_kl(capacity: float) -> None:
    mean = numpy_kl(INPUTS.loc, INPUTS.scale).sum(axis=-1).mean()
    assert 0.5 < mean < 4.0
    assert_mean_is(
        KLPenalty(capacity=schedules.Constant(capacity), capacity_weight=20.0),
        lambda kl: 20 * abs(kl.sum(axis=-1).mean() - capacity),
    )


def test_capacity_rises_with_the_step_and_weighs_five() -> None:
    # At step 3 of 12 it is a quarter of the way to 10.
    assert_mean_is(
        KLPenalty(capacity=schedules.Ramp(10.0, 12)),
        lambda kl: 5 * abs(kl.sum(axis=-1).mean() - 2.5),
    )


def test_example_of_weight_zero_is_no_part_of_the_means() -> None:
    kl = numpy_kl(INPUTS.loc, INPUTS.scale).sum(axis=-1)
    # Between the means with and without the last example.
    capacity = (kl.mean() + kl[:-1].mean()) / 2
    penalty = KLPenalty(
        capacity=schedules.Constant(capacity), capacity_weight=2.0
    )
    weight = tf.constant([1.0] * (BATCH - 1) + [0.0])
    value = penalty(make_draws(INPUTS, weight)).numpy()
    expected = 2 * abs(kl[:-1].mean() - capacity)
    np.testing.assert_allclose(value[:-1].mean(), expected, rtol=1e-4)


@pytest.mark.parametrize(
    "penalty",
    [
        KLPenalty(free_bits=FREE_BITS),
        KLPenalty(capacity=schedules.Constant(1.0), capacity_weight=2.0),
    ],
    ids=["free bits", "capacity"],
)
def test_two_devices_agree_with_one(penalty: KLPenalty) -> None:
    assert_devices_agree(lambda: Elbo(penalty))
