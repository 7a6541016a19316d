"""Groups of draws: one is IWAE, one for each draw is the ELBO."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tests.draws import LOG_WEIGHTS, make_draws, make_inputs, numpy_log_weights
from tfvae.objectives import miwae, schedules


def bound(num_groups: int) -> np.ndarray:
    log_weights = tf.constant(LOG_WEIGHTS, tf.float32)
    return miwae.miwae_bound(log_weights, num_groups).numpy()


def test_one_group_is_the_importance_weighted_bound() -> None:
    expected = special.logsumexp(LOG_WEIGHTS, axis=0) - np.log(6)
    np.testing.assert_allclose(bound(1), expected, rtol=1e-5)


def test_a_group_for_each_draw_is_the_mean_elbo() -> None:
    np.testing.assert_allclose(bound(6), LOG_WEIGHTS.mean(0), rtol=1e-5)


@pytest.mark.parametrize("num_groups", [2, 3])
def test_bound_is_the_mean_over_groups_of_consecutive_draws(
    num_groups: int,
) -> None:
    size = 6 // num_groups
    bounds = [
        np.log(np.exp(LOG_WEIGHTS[m * size : (m + 1) * size]).mean(axis=0))
        for m in range(num_groups)
    ]
    np.testing.assert_allclose(
        bound(num_groups), np.mean(bounds, axis=0), rtol=1e-5
    )


@pytest.mark.parametrize("num_groups", [4, 7, 0, -1])
def test_groups_must_divide_the_draws(num_groups: int) -> None:
    message = (
        f"`num_groups` must divide the number of draws, 6; got {num_groups}[.]"
    )
    with pytest.raises(ValueError, match=message):
        bound(num_groups)


def test_loss_is_minus_the_bound() -> None:
    objective = miwae.Miwae(2, schedules.Constant(0.3))
    losses = objective(make_draws(make_inputs()))
    weights = np.exp(numpy_log_weights(0.3))
    np.testing.assert_allclose(
        losses.model,
        -(np.log(weights[:2].mean(0)) + np.log(weights[2:].mean(0))) / 2,
        rtol=1e-5,
    )
    assert (losses.encoder, losses.adversary) == (None, None)
    assert objective.adversary is None
