"""Between the ELBO's estimate and the importance-weighted bound."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tests.draws import LOG_WEIGHTS, make_draws, make_inputs, numpy_log_weights
from tfvae.objectives import ciwae, schedules


def mixture(log_weights: np.ndarray, elbo_weight: float) -> np.ndarray:
    tight = special.logsumexp(log_weights, axis=0) - np.log(len(log_weights))
    return elbo_weight * log_weights.mean(0) + (1 - elbo_weight) * tight


@pytest.mark.parametrize("elbo_weight", [0.0, 0.25, 1.0])
def test_bound_mixes_the_two(elbo_weight: float) -> None:
    bound = ciwae.ciwae_bound(tf.constant(LOG_WEIGHTS, tf.float32), elbo_weight)
    np.testing.assert_allclose(
        bound, mixture(LOG_WEIGHTS, elbo_weight), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("settings", "elbo_weight"), [({}, 0.05), ({"elbo_weight": 0.4}, 0.4)]
)
def test_loss_is_minus_the_bound(
    settings: dict[str, float], elbo_weight: float
) -> None:
    objective = ciwae.Ciwae(**settings, schedule=schedules.Constant(0.3))
    losses = objective(make_draws(make_inputs()))
    np.testing.assert_allclose(
        losses.model, -mixture(numpy_log_weights(0.3), elbo_weight), rtol=1e-5
    )
    assert (losses.encoder, losses.adversary) == (None, None)
    assert objective.adversary is None
