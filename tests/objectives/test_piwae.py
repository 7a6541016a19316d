"""Who minimises which of the two bounds."""

import numpy as np

from tests.draws import make_draws, make_inputs, numpy_log_weights
from tfvae.objectives import piwae, schedules

KL_WEIGHT = 0.3


def test_model_learns_from_all_draws_and_encoder_from_groups() -> None:
    objective = piwae.Piwae(2, schedules.Constant(KL_WEIGHT))
    losses = objective(make_draws(make_inputs()))
    weights = np.exp(numpy_log_weights(KL_WEIGHT))
    np.testing.assert_allclose(
        losses.model, -np.log(weights.mean(axis=0)), rtol=1e-5
    )
    of_groups = [np.log(weights[:2].mean(0)), np.log(weights[2:].mean(0))]
    np.testing.assert_allclose(
        losses.encoder, -np.mean(of_groups, axis=0), rtol=1e-5
    )
    # Jensen: the bound over all draws is the tighter one.
    assert (losses.model.numpy() < losses.encoder.numpy()).all()
    assert (losses.adversary, objective.adversary) == (None, None)
