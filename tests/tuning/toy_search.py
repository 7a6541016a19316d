"""A search whose trials are a formula: quick, and killed where one likes."""

import json
import math
import os
import pathlib
import sys
import time
from typing import Any

import keras_tuner
import pytest
from keras_tuner.engine.trial import Trial

from tuning import chief, oracles, workers

MAX_TRIALS = 6
# Settings of short searches.
SMALL: dict[str, dict[str, Any]] = {
    "random": {},
    "bayesian": {"max_trials": 5, "num_initial_points": 3},
    "hyperband": {"max_epochs": 2},
    "grid": {},
}


def space(as_grid: bool = False) -> keras_tuner.HyperParameters:
    """Returns an integer, a log scale and a choice; 2 * 3 values of a grid."""
    hyperparameters = keras_tuner.HyperParameters()
    if as_grid:
        hyperparameters.Int("latent_dim", 1, 3)
    else:
        hyperparameters.Int("latent_dim", 1, 64, sampling="log")
        hyperparameters.Float("C", 0.05, 5000.0, sampling="log")
    hyperparameters.Choice("architecture", ["mlp", "conv"])
    return hyperparameters


def formula(values: dict[str, Any]) -> float:
    """Returns the objective: lowest at latent_dim 8 and C 50."""
    score = (math.log(values["latent_dim"] / 8)) ** 2
    score += (math.log(values.get("C", 50) / 50)) ** 2
    return (
        score
        + (values["architecture"] == "mlp")
        + values.get("tuner/epochs", 0)
    )


def make_oracle(
    algorithm: str, home: Any = oracles, **settings: Any
) -> keras_tuner.Oracle:
    """Returns an oracle over `space`.

    Args:
      algorithm: "random", "bayesian", "hyperband" or "grid".
      home: where the classes are: ours, or keras_tuner.oracles.
      **settings: in place of those here.
    """
    name, own = {
        "random": ("RandomSearchOracle", {"max_trials": MAX_TRIALS}),
        "bayesian": (
            "BayesianOptimizationOracle",
            {"max_trials": MAX_TRIALS, "num_initial_points": 4},
        ),
        "hyperband": ("HyperbandOracle", {"max_epochs": 4, "factor": 2}),
        "grid": ("GridSearchOracle", {}),
    }[algorithm]
    common = {
        "objective": keras_tuner.Objective("nll", "min"),
        "hyperparameters": space(as_grid=algorithm == "grid"),
        "seed": 3,
    }
    return getattr(home, name)(**{**common, **own, **settings})


class ToyTuner(keras_tuner.Tuner):
    """Its trials cost nothing; writes down which of them were begun."""

    seconds = 0.0

    def __init__(self, oracle: keras_tuner.Oracle, directory: str) -> None:
        super().__init__(oracle, directory=directory, project_name="search")

    def pre_create_trial(self) -> None:
        """Waits a little, in case there is no trial to be had now."""
        if self._is_worker():
            time.sleep(0.02)

    def run_trial(
        self, trial: Any, *args: Any, **kwargs: Any
    ) -> dict[str, float]:
        """Returns the formula's value."""
        with open(os.path.join(self.directory, "begun.jsonl"), "a") as file:
            record = [trial.trial_id, self.tuner_id, trial_status(trial, self)]
            file.write(json.dumps(record) + "\n")
        time.sleep(self.seconds)
        return {"nll": formula(trial.hyperparameters.values)}

    def save(self) -> None:
        """Leaves the state to the oracle."""
        if not self._is_worker():
            self.oracle.save()

    def reload(self) -> None:
        """Leaves the state to the oracle."""
        if not self._is_worker():
            self.oracle.reload()

    def _get_tuner_fname(self) -> str:
        return os.path.join(self.project_dir, "oracle.json")


def trial_status(trial: Any, tuner: keras_tuner.Tuner) -> str:
    """Returns the status that stands on disk."""
    folder = pathlib.Path(tuner.get_trial_dir(trial.trial_id))
    return json.loads((folder / "trial.json").read_text())["status"]


def begun(directory: pathlib.Path) -> list[list[str]]:
    """Returns (trial, tuner, status on disk) of each trial that was begun."""
    lines = (directory / "begun.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def search(
    algorithm: str, directory: pathlib.Path, **settings: Any
) -> keras_tuner.Oracle:
    """Searches, or goes on with a search, to its end; returns the oracle."""
    tuner = ToyTuner(make_oracle(algorithm, **settings), str(directory))
    tuner.search(verbose=0)
    return tuner.oracle


def values_of(oracle: keras_tuner.Oracle) -> list[dict[str, Any]]:
    """Returns what was drawn, trial by trial in the order of their ids."""
    return [
        oracle.trials[i].hyperparameters.values for i in sorted(oracle.trials)
    ]


def main(
    role: str, address: str, worker_id: str, directory: str, seconds: float
) -> None:
    """Takes part in a search of many processes.

    Args:
      role: "chief" or "worker".
      address: of the chief.
      worker_id: a worker begins when there is a file of this name.
      directory: of the search.
      seconds: that each trial takes.
    """
    workers.set_environment(role, address, worker_id)
    tuner = ToyTuner(make_oracle("random"), directory)
    tuner.seconds = seconds
    if workers.is_chief():
        tuner.oracle.verbose = 0
        tuner.save()
        watch = workers.Watch(tuner.project_dir, timeout_seconds=1.0)
        chief.serve(tuner.oracle, watch, poll_seconds=0.1)
        return
    with workers.Heartbeat(tuner.project_dir, worker_id, 0.1):
        chief.connect(tuner.oracle, silence_seconds=30.0)
        while not os.path.exists(os.path.join(directory, worker_id)):
            time.sleep(0.02)
        tuner.search()


if __name__ == "__main__":
    main(*sys.argv[1:5], seconds=float(sys.argv[5]))


def oracle_in(
    directory: pathlib.Path, algorithm: str = "random", **settings: Any
) -> keras_tuner.Oracle:
    """Returns an oracle whose files are in a folder."""
    oracle = make_oracle(algorithm, **settings)
    oracle.verbose = 0
    oracle._set_project_dir(str(directory), "search")
    return oracle


def reloaded(
    directory: pathlib.Path, algorithm: str = "random", **settings: Any
) -> keras_tuner.Oracle:
    """Returns an oracle that has read what another left in a folder."""
    oracle = oracle_in(directory, algorithm, **settings)
    oracle.reload()
    return oracle


def end(
    oracle: keras_tuner.Oracle,
    trial: Trial,
    status: str = "COMPLETED",
    value: float = 1.5,
    message: str | None = None,
) -> None:
    """Ends a trial as a worker does: by a copy that came by gRPC."""
    if status == "COMPLETED":
        oracle.update_trial(trial.trial_id, {"nll": value})
    copy = Trial.from_proto(trial.to_proto())
    copy.status, copy.message = status, message
    oracle.end_trial(copy)


class Killed(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


class Scythe:
    """Kills before a rename; a write is not seen before it is renamed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writes, self.kill_at = 0, 0
        replace = os.replace

        def replace_or_die(source: str, target: str) -> None:
            self.writes += 1
            if self.writes == self.kill_at:
                raise Killed
            replace(source, target)

        monkeypatch.setattr(os, "replace", replace_or_die)

    def set(self, kill_at: int) -> None:
        self.writes, self.kill_at = 0, kill_at
