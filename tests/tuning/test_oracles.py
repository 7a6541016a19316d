"""What each of the four oracles does beyond keras-tuner's."""

import pathlib
import warnings
from typing import Any

import keras_tuner
import numpy as np
import pytest
import toy_search
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor, kernels

from tuning import oracles


def test_bayesian_proposes_nothing_twice(tmp_path: pathlib.Path) -> None:
    space = keras_tuner.HyperParameters()
    space.Int("latent_dim", 1, 5)
    oracle = toy_search.oracle_in(
        tmp_path, "bayesian", hyperparameters=space, num_initial_points=2,
        max_trials=5,
    )  # fmt: skip
    drawn = []
    while (trial := oracle.create_trial("a")).status == "RUNNING":
        drawn.append(trial.hyperparameters.values["latent_dim"])
        toy_search.end(oracle, trial, value=float(drawn[-1]))
    assert sorted(drawn) == sorted(set(drawn))
    assert len(drawn) >= 4


@pytest.mark.parametrize("direction", ["min", "max"])
def test_bayesian_compares_ranks_and_predicts_ongoing_trials_from_them(
    tmp_path: pathlib.Path, direction: str
) -> None:
    oracle = toy_search.oracle_in(
        tmp_path, "bayesian", max_trials=9, num_initial_points=9,
        objective=keras_tuner.Objective("nll", direction),
    )  # fmt: skip
    for score in (-612.0, 35000.0, -590.0, -621.0):
        toy_search.end(oracle, oracle.create_trial("a"), value=score)
    oracle.create_trial("a")
    process = GaussianProcessRegressor(
        kernels.Matern(nu=2.5), n_restarts_optimizer=20, normalize_y=True,
        alpha=1e-4, random_state=3,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        x, y = oracle._vectorize_trials()
        process.fit(x[:4], y[:4])
    # Quantiles of the standard normal at 3/8, 7/8, 5/8 and 1/8.
    quantiles = np.array([-0.318639, 1.150349, 0.318639, -1.150349])
    sign = 1 if direction == "min" else -1
    np.testing.assert_allclose(y[:4], sign * quantiles, atol=1e-6)
    mean, deviation = process.predict(x[4:], return_std=True)
    np.testing.assert_allclose(y[4:], mean + deviation, rtol=1e-6)


def test_equal_scores_share_a_rank() -> None:
    scores = oracles.normal_scores(np.array([5.0, 1.0, 5.0, 9.0, 2.0]))
    # Ranks 3.5, 1, 3.5, 5, 2: quantiles at 0.6, 0.1, 0.6, 0.9, 0.3.
    expected = [0.253347, -1.281552, 0.253347, 1.281552, -0.524401]
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_bayesian_stays_within_bounds(tmp_path: pathlib.Path) -> None:
    oracle = toy_search.oracle_in(tmp_path, "bayesian")
    values = oracle._vector_to_values(np.array([1.0, 1.0, 1.0]))
    assert values["latent_dim"] == 64
    assert values["C"] == pytest.approx(5000.0)
    assert values["architecture"] == "conv"
    values = oracle._vector_to_values(np.zeros(3))
    assert values == {"latent_dim": 1, "C": 0.05, "architecture": "mlp"}


@pytest.mark.parametrize(
    "settings",
    [
        {"max_epochs": 8},
        {"max_epochs": 9, "factor": 3, "hyperband_iterations": 2},
    ],
)
def test_hyperband_knows_how_many_trials_it_has(
    tmp_path: pathlib.Path, settings: dict[str, Any]
) -> None:
    oracle = toy_search.search("hyperband", tmp_path, **settings)
    assert oracle.num_trials() == len(oracle.trials)


def test_hyperband_s_trials_may_be_capped_and_their_ids_sort(
    tmp_path: pathlib.Path,
) -> None:
    oracle = toy_search.search("hyperband", tmp_path / "all", max_epochs=8)
    ids = list(oracle.trials)
    assert len(ids) > 10
    assert sorted(ids) == ids
    capped = toy_search.search(
        "hyperband", tmp_path / "capped", max_epochs=8, max_trials=10
    )
    assert list(capped.trials) == [f"{i:02d}" for i in range(10)]


def test_grid_keeps_every_worker_busy(tmp_path: pathlib.Path) -> None:
    oracle = toy_search.oracle_in(tmp_path, "grid")
    trials = [oracle.create_trial(name) for name in "abcdef"]
    drawn = [tuple(t.hyperparameters.values.values()) for t in trials]
    assert drawn == [
        (latent_dim, architecture)
        for latent_dim in (1, 2, 3)
        for architecture in ("mlp", "conv")
    ]
    assert oracle.create_trial("g").status == "IDLE"
