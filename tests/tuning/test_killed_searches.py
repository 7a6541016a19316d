"""Searches that are killed at any write, and go on."""

import functools
import pathlib
import tempfile
from typing import Any

import keras_tuner
import numpy as np
import pytest
import toy_search

from tuning import oracles

ALGORITHMS = list(toy_search.SMALL)
NUM_TRIALS = {"random": 6, "bayesian": 5, "hyperband": 5, "grid": 6}


@pytest.fixture
def scythe(monkeypatch: pytest.MonkeyPatch) -> toy_search.Scythe:
    """Counts renames."""
    return toy_search.Scythe(monkeypatch)


class Regressor:
    """Stands in for the Gaussian process, whose fits take seconds."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        """Remembers the mean of x, [num_trials, num_settings], by score."""
        self.centre = np.exp(-y) @ x / np.exp(-y).sum()

    def predict(
        self, x: np.ndarray, return_std: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the mean, lowest at the centre, and its deviation."""
        assert return_std
        return ((x - self.centre) ** 2).sum(axis=1), np.full(len(x), 0.1)


@pytest.fixture
def quick_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes bayesian searches quick."""
    monkeypatch.setattr(
        oracles.BayesianOptimizationOracle,
        "_make_gpr",
        lambda self: Regressor(),
    )


@functools.cache
def _unbroken(algorithm: str) -> list[dict[str, Any]]:
    """What keras-tuner itself draws; its bayesian search repeats itself."""
    ours = algorithm == "bayesian"
    home = oracles if ours else keras_tuner.oracles
    oracle = toy_search.make_oracle(
        algorithm, home=home, **toy_search.SMALL[algorithm]
    )
    with tempfile.TemporaryDirectory() as folder:
        toy_search.ToyTuner(oracle, folder).search(verbose=0)
    return toy_search.values_of(oracle)


def _check(algorithm: str, oracle: Any, directory: pathlib.Path) -> None:
    ids = sorted(oracle.trials)
    values = toy_search.values_of(oracle)
    assert len(ids) == NUM_TRIALS[algorithm]
    assert values == _unbroken(algorithm)
    assert len({str(sorted(v.items())) for v in values}) == len(ids)
    assert {trial.status for trial in oracle.trials.values()} == {"COMPLETED"}
    assert oracle.end_order == oracle.start_order == ids
    assert [oracle.trials[i].score for i in ids] == [
        toy_search.formula(v) for v in values
    ]
    begun = toy_search.begun(directory)
    assert {trial_id for trial_id, *_ in begun} == set(ids)
    assert {status for *_, status in begun} == {"RUNNING"}
    assert len(begun) <= len(ids) + 1  # one kill repeats one trial


@pytest.mark.usefixtures("quick_fit")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_search_killed_at_any_write_ends_as_the_unbroken_one(
    tmp_path: pathlib.Path, scythe: toy_search.Scythe, algorithm: str
) -> None:
    settings = toy_search.SMALL[algorithm]
    toy_search.search(algorithm, tmp_path / "whole", **settings)
    num_writes = scythe.writes
    assert num_writes >= 5 * NUM_TRIALS[algorithm]
    for kill_at in range(1, num_writes + 1):
        directory = tmp_path / str(kill_at)
        directory.mkdir()
        scythe.set(kill_at)
        with pytest.raises(toy_search.Killed):
            toy_search.search(algorithm, directory, **settings)
        scythe.set(0)
        oracle = toy_search.search(algorithm, directory, **settings)
        _check(algorithm, oracle, directory)


@pytest.mark.usefixtures("quick_fit")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_search_killed_again_and_again_ends(
    tmp_path: pathlib.Path, scythe: toy_search.Scythe, algorithm: str
) -> None:
    for _ in range(50):
        scythe.set(4)
        try:
            oracle = toy_search.search(
                algorithm, tmp_path, **toy_search.SMALL[algorithm]
            )
            break
        except toy_search.Killed:
            continue
    assert toy_search.values_of(oracle) == _unbroken(algorithm)
    ended = {trial.status for trial in oracle.trials.values()}
    assert ended == {"COMPLETED"}
    statuses = {status for *_, status in toy_search.begun(tmp_path)}
    assert statuses == {"RUNNING"}


@pytest.mark.usefixtures("quick_fit")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_finished_search_runs_nothing_again(
    tmp_path: pathlib.Path, algorithm: str
) -> None:
    toy_search.search(algorithm, tmp_path, **toy_search.SMALL[algorithm])
    before = toy_search.begun(tmp_path)
    oracle = toy_search.search(
        algorithm, tmp_path, **toy_search.SMALL[algorithm]
    )
    assert toy_search.begun(tmp_path) == before
    _check(algorithm, oracle, tmp_path)
