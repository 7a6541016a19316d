"""Covariance over the batch, and what its distance to the identity costs."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tests.draws import (
    BATCH,
    Inputs,
    assert_devices_agree,
    make_draws,
    make_inputs,
    numeric_gradient,
)
from tfvae.objectives import dip

WEIGHT = 1.5


def numpy_extra(loc: np.ndarray, scale: np.ndarray, *, second: bool) -> float:
    covariance = np.cov(loc, rowvar=False, bias=True)
    factor = 10.0
    if second:
        covariance = covariance + np.diag(np.mean(scale**2, axis=0))
        factor = 1.0
    on = np.sum((np.diag(covariance) - 1) ** 2)
    off = covariance[0, 1] ** 2 + covariance[1, 0] ** 2
    return WEIGHT * (off + factor * on)


KINDS = [
    pytest.param(dip.DipI, False, id="I"),
    pytest.param(dip.DipII, True, id="II"),
]


def test_covariance_agrees_with_numpy() -> None:
    means = np.random.default_rng(4).normal(5, 2, size=[7, 3])
    np.testing.assert_allclose(
        dip.covariance(tf.constant(means, tf.float32)),
        np.cov(means, rowvar=False, bias=True),
        rtol=1e-5,
    )


def test_distance_weighs_diagonal_and_rest_apart() -> None:
    covariance = tf.constant([[3.0, 0.5, 0.0], [0.5, 1.0, 1.0], [0, 1.0, 0.0]])
    # Off the diagonal 2 (0.25 + 1) = 2.5, on it 4 + 0 + 1 = 5.
    distance = dip.distance_to_identity(
        covariance, off_diagonal_weight=2.0, diagonal_weight=100.0
    )
    np.testing.assert_allclose(distance, 2 * 2.5 + 100 * 5)


def test_distance_is_zero_at_the_identity() -> None:
    distance = dip.distance_to_identity(
        tf.eye(3), off_diagonal_weight=2.0, diagonal_weight=100.0
    )
    np.testing.assert_array_equal(distance, 0.0)


@pytest.mark.parametrize(("kind", "scale"), [(dip.DipI, 0.9), (dip.DipII, 0.6)])
def test_nothing_is_added_where_the_covariance_is_the_identity(
    kind: type[dip.DipI], scale: float
) -> None:
    # The four corners have covariance side^2; DIP-VAE-II adds scale^2 to it.
    side = 1.0 if kind is dip.DipI else 0.8
    corners = [[side, side], [side, -side], [-side, side], [-side, -side]]
    inputs = make_inputs(batch=4)._replace(
        loc=np.array(corners, np.float32),
        scale=np.full([4, 2], scale, np.float32),
    )
    draws = make_draws(inputs)
    expected = inputs.distortion.mean(axis=0) + draws.kl
    np.testing.assert_allclose(kind(WEIGHT)(draws).model, expected, rtol=1e-5)


@pytest.mark.parametrize(("kind", "second"), KINDS)
def test_loss_adds_the_same_to_each_example(
    kind: type[dip.DipI], second: bool
) -> None:
    inputs = make_inputs()
    draws = make_draws(inputs)
    losses = kind(WEIGHT)(draws)
    extra = numpy_extra(inputs.loc, inputs.scale, second=second)
    np.testing.assert_allclose(
        losses.model,
        inputs.distortion.mean(axis=0) + draws.kl + extra,
        rtol=1e-5,
    )
    assert losses.model.shape == [BATCH]
    assert (losses.encoder, losses.adversary) == (None, None)


def test_second_kind_takes_a_full_covariance() -> None:
    inputs = make_inputs()
    scale_tril = np.array([[0.8, 0.0], [0.5, 0.7]], np.float32)
    draws = make_draws(inputs)._replace(
        posterior=tfd.MultivariateNormalTriL(inputs.loc, scale_tril)
    )
    covariance = np.cov(inputs.loc, rowvar=False, bias=True)
    covariance += scale_tril @ scale_tril.T
    extra = WEIGHT * np.sum((covariance - np.eye(2)) ** 2)
    np.testing.assert_allclose(
        dip.DipII(WEIGHT)(draws).model,
        inputs.distortion.mean(axis=0) + draws.kl + extra,
        rtol=1e-5,
    )


def test_batch_of_one_has_a_covariance_of_zero() -> None:
    inputs = make_inputs(batch=1)
    draws = make_draws(inputs)
    expected = inputs.distortion.mean(axis=0) + draws.kl + 10 * WEIGHT * 2
    np.testing.assert_allclose(
        dip.DipI(WEIGHT)(draws).model, expected, rtol=1e-5
    )


@pytest.mark.parametrize(("kind", "second"), KINDS)
def test_gradient_is_the_covariances(
    kind: type[dip.DipI], second: bool
) -> None:
    inputs = make_inputs()
    watched = [tf.constant(inputs.loc), tf.constant(inputs.scale)]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        draws = make_draws(Inputs(*watched, inputs.eps, inputs.distortion))
        extra = tf.reduce_mean(kind(WEIGHT)(draws).model - draws.kl)
    gradients = tape.gradient(extra, watched)
    expected = [
        numeric_gradient(
            lambda loc: numpy_extra(loc, inputs.scale, second=second),
            inputs.loc,
        ),
        numeric_gradient(
            lambda scale: numpy_extra(inputs.loc, scale, second=second),
            inputs.scale,
        ),
    ]
    for gradient, reference in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, reference, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "second"), KINDS)
def test_two_devices_agree_with_one(kind: type[dip.DipI], second: bool) -> None:
    del second
    assert_devices_agree(lambda: kind(WEIGHT))
