"""What trials are compared by."""

import math
import re
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from tests import small_runs
from tfvae.config import Config
from tfvae.errors import InputError
from tfvae.examples import Examples
from tfvae.metrics import likelihood
from tuning import objective
from tuning.objective import Protocol
from tuning.space import make_space

BY_C = {"C": {"float": [0.05, 5000]}}


def test_suggested_C_maximises_the_expected_log_likelihood() -> None:
    rng = np.random.default_rng(0)
    x, mean = rng.normal(size=[2, 4, 7])  # 4 examples of 7 dimensions

    def log_likelihood(C: float) -> np.ndarray:
        scale = math.sqrt(1 / (2 * C))
        return stats.norm(mean, scale).logpdf(x).sum(axis=1)

    best = optimize.minimize_scalar(
        lambda log_C: -log_likelihood(math.exp(log_C)).mean(),
        bounds=(-5, 5), method="bounded", options={"xatol": 1e-10},
    )  # fmt: skip
    for C in (0.03, 0.5, 40.0):
        suggested = objective.suggested_C(log_likelihood(C), np.full(4, 7), C=C)
        assert suggested == pytest.approx(math.exp(best.x), rel=1e-6)


def test_suggested_C_counts_hidden_dimensions_only() -> None:
    rng = np.random.default_rng(1)
    num_dims = np.array([2, 5, 3])
    errors = [rng.normal(size=num) for num in num_dims]
    C = 3.0
    told = np.array(
        [stats.norm(0, math.sqrt(1 / (2 * C))).logpdf(e).sum() for e in errors]
    )
    expected = 10 / (2 * np.square(np.concatenate(errors)).sum())
    assert objective.suggested_C(told, num_dims, C=C) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("settings", "has_suggestion"),
    [
        ({"C": 2.5}, True),
        ({"C": "optimal"}, True),
        ({"C": "per_pixel"}, False),
        ({"likelihood": "laplace"}, False),
        ({"likelihood": "quantized_gaussian"}, False),
    ],
)
def test_measure_gives_the_bound_and_the_row(
    settings: dict[str, Any], has_suggestion: bool
) -> None:
    model = small_runs.build_model((5,), **settings)
    x = np.random.default_rng(2).integers(0, 4, [6, 5]).astype(np.float32) / 3
    shown = Examples(x, None, {})
    row = {
        "val_mse": 0.5, "val_loss": 4.0, "val_elbo": -9.0, "val_kl": 1.5,
        "val_log_likelihood": -7.5, "C": 2.5,
    }  # fmt: skip
    figures = objective.measure(
        model, row, shown, Protocol(5), likelihood.estimator(model, seed=3)
    )
    estimate = likelihood.importance_weighted(model, x, num_samples=5, seed=3)
    log_prob = estimate.log_prob
    assert figures["nll"] == pytest.approx(-log_prob.mean())
    assert figures["nll_stderr"] == pytest.approx(stats.sem(log_prob))
    assert (figures["rate"], figures["distortion_nats"]) == (1.5, 7.5)
    assert (figures["elbo"], figures["mse"]) == (-9.0, 0.5)
    assert (figures["loss"], figures["C_at_end"]) == (4.0, 2.5)
    assert (figures["C_star"] is not None) == has_suggestion


def test_an_autoencoder_has_no_likelihood_to_measure() -> None:
    model = small_runs.build_model((5,), model="ae")
    x = np.zeros([4, 5], np.float32)
    row = {"val_mse": 0.5, "val_loss": 4.0}
    figures = objective.measure(
        model, row, Examples(x, None, {}), Protocol(5), estimate=None
    )
    assert figures == {"mse": 0.5, "loss": 4.0}


@pytest.mark.parametrize("name", ["C", "beta", "free_bits"])
def test_loss_cannot_compare_what_changes_its_weights(name: str) -> None:
    space = make_space({name: {"choice": [0.5, 2.0]}})
    told = f"`objective`=loss cannot compare trials that differ in {name}"
    with pytest.raises(InputError, match=told):
        objective.check("loss", Config(), space)
    for other in ("nll", "elbo", "mse"):
        objective.check(other, Config(), space)


def test_loss_compares_where_it_stays_the_same() -> None:
    space = make_space({"latent_dim": {"int": [2, 4]}})
    objective.check("loss", Config(), space)


def test_an_autoencoder_is_compared_by_mse() -> None:
    space = make_space({"latent_dim": {"int": [2, 4]}})
    config = Config(model="ae")
    objective.check("mse", config, space)
    with pytest.raises(InputError, match=re.escape("`objective`=nll needs")):
        objective.check("nll", config, space)


def test_densities_and_probabilities_are_not_compared() -> None:
    words = ["gaussian", "discretized_logistic"]
    space = make_space({"likelihood": {"choice": words}})
    with pytest.raises(InputError, match="a density with a probability"):
        objective.check("nll", Config(), space)
    objective.check("mse", Config(), space)
    alike = make_space({"likelihood": {"choice": ["gaussian", "laplace"]}})
    objective.check("nll", Config(), alike)
