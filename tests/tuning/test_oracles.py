"""A search that is killed anywhere ends as if it had not been."""

import errno
import functools
import os
import pathlib
import tempfile
import warnings
from typing import Any

import keras_tuner
import numpy as np
import pytest
import toy_search
from keras_tuner.engine.trial import Trial
from keras_tuner.src.engine import oracle as engine
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor, kernels

from tfvae.errors import InputError
from tuning import oracles

SMALL: dict[str, dict[str, Any]] = {
    "random": {},
    "bayesian": {"max_trials": 5, "num_initial_points": 3},
    "hyperband": {"max_epochs": 2},
    "grid": {},
}
ALGORITHMS = list(SMALL)
NUM_TRIALS = {"random": 6, "bayesian": 5, "hyperband": 5, "grid": 6}


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


@pytest.fixture
def scythe(monkeypatch: pytest.MonkeyPatch) -> Scythe:
    """Counts renames."""
    return Scythe(monkeypatch)


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
    oracle = toy_search.make_oracle(algorithm, home=home, **SMALL[algorithm])
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
    tmp_path: pathlib.Path, scythe: Scythe, algorithm: str
) -> None:
    settings = SMALL[algorithm]
    toy_search.search(algorithm, tmp_path / "whole", **settings)
    num_writes = scythe.writes
    assert num_writes >= 5 * NUM_TRIALS[algorithm]
    for kill_at in range(1, num_writes + 1):
        directory = tmp_path / str(kill_at)
        directory.mkdir()
        scythe.set(kill_at)
        with pytest.raises(Killed):
            toy_search.search(algorithm, directory, **settings)
        scythe.set(0)
        oracle = toy_search.search(algorithm, directory, **settings)
        _check(algorithm, oracle, directory)


@pytest.mark.usefixtures("quick_fit")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_search_killed_again_and_again_ends(
    tmp_path: pathlib.Path, scythe: Scythe, algorithm: str
) -> None:
    for _ in range(50):
        scythe.set(4)
        try:
            oracle = toy_search.search(algorithm, tmp_path, **SMALL[algorithm])
            break
        except Killed:
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
    toy_search.search(algorithm, tmp_path, **SMALL[algorithm])
    before = toy_search.begun(tmp_path)
    oracle = toy_search.search(algorithm, tmp_path, **SMALL[algorithm])
    assert toy_search.begun(tmp_path) == before
    _check(algorithm, oracle, tmp_path)


def _oracle(
    directory: pathlib.Path, algorithm: str = "random", **settings: Any
):
    oracle = toy_search.make_oracle(algorithm, **settings)
    oracle.verbose = 0
    oracle._set_project_dir(str(directory), "search")
    return oracle


def _reloaded(
    directory: pathlib.Path, algorithm: str = "random", **settings: Any
):
    oracle = _oracle(directory, algorithm, **settings)
    oracle.reload()
    return oracle


def _end(
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


def test_folder_of_a_trial_that_was_never_written_is_no_trial(
    tmp_path: pathlib.Path,
) -> None:
    oracle = _oracle(tmp_path)
    oracle.create_trial("a")
    (tmp_path / "search" / "trial_1").mkdir()
    (tmp_path / "search" / "trial_7").mkdir()
    assert list(_reloaded(tmp_path).trials) == ["0"]


def test_missing_file_of_a_trial_is_named(tmp_path: pathlib.Path) -> None:
    trial = _oracle(tmp_path).create_trial("a")
    (tmp_path / "search" / f"trial_{trial.trial_id}" / "trial.json").unlink()
    with pytest.raises(InputError, match=r"trial_0/trial\.json is missing; re"):
        _reloaded(tmp_path)


def test_state_is_whole_while_it_is_written(
    tmp_path: pathlib.Path, scythe: Scythe
) -> None:
    oracle = _oracle(tmp_path)
    oracle.create_trial("a")
    files = sorted((tmp_path / "search").rglob("*.json"))
    before = [path.read_text() for path in files]
    assert [path.name for path in files] == ["oracle.json", "trial.json"]
    for path in files:
        path.chmod(0o400)  # renamed over, never opened for writing
    scythe.set(0)
    _end(oracle, oracle.trials["0"])
    after = [path.read_text() for path in files]
    assert all(a != b for a, b in zip(after, before, strict=True))
    assert scythe.writes == 3
    assert all(path.stat().st_mode & 0o200 for path in files)


def test_broken_off_trial_is_run_again_first_and_reports_anew(
    tmp_path: pathlib.Path,
) -> None:
    oracle = _oracle(tmp_path)
    first, second = oracle.create_trial("a"), oracle.create_trial("b")
    oracle.update_trial(first.trial_id, {"nll": 9.0})
    again = _reloaded(tmp_path)
    assert again.trials["0"].metrics.exists("nll")
    trials = [again.create_trial(name) for name in "cd"]
    assert [trial.trial_id for trial in trials] == ["0", "1"]
    assert trials[0].hyperparameters.values == first.hyperparameters.values
    assert trials[1].hyperparameters.values == second.hyperparameters.values
    assert not trials[0].metrics.exists("nll")
    assert again.create_trial("e").trial_id == "2"


def test_failed_trial_is_not_run_again(
    tmp_path: pathlib.Path, scythe: Scythe
) -> None:
    oracle = _oracle(tmp_path)
    trial = oracle.create_trial("a")
    scythe.set(2)  # trial.json is written, oracle.json is not
    with pytest.raises(Killed):
        _end(oracle, trial, "FAILED")
    scythe.set(0)
    again = _reloaded(tmp_path)
    assert again.end_order == ["0"]
    assert again.create_trial("a").trial_id == "1"


def test_trial_whose_end_could_not_be_written_is_run_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = _oracle(tmp_path)
    trial = oracle.create_trial("a")
    oracle.update_trial(trial.trial_id, {"nll": 1.0})
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _raise_disk_full)
        with pytest.raises(OSError, match="No space left"):
            _end(oracle, trial, "FAILED")
    oracle.save()
    again = _reloaded(tmp_path)
    assert again.end_order == []
    assert again.create_trial("b").trial_id == "0"


def _raise_disk_full(source: str, target: str) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_lost_worker_s_trial_goes_to_another_one(
    tmp_path: pathlib.Path,
) -> None:
    oracle = _oracle(tmp_path, max_trials=2)
    trial, other = oracle.create_trial("a"), oracle.create_trial("b")
    assert oracle.workers() == {"a": "0", "b": "1"}
    assert oracle.release("a").trial_id == trial.trial_id
    assert oracle.workers() == {"b": "1"}
    assert oracle.release("a") is None
    _end(oracle, other)
    taken = oracle.create_trial("b")
    assert taken.trial_id == trial.trial_id
    assert taken.hyperparameters.values == trial.hyperparameters.values
    _end(oracle, taken)
    assert oracle.create_trial("b").status == "STOPPED"
    assert oracle.workers() == {}
    assert oracle.is_over


def test_trial_that_loses_three_workers_has_failed(
    tmp_path: pathlib.Path,
) -> None:
    oracle = _oracle(tmp_path)
    for name in "ab":
        assert oracle.create_trial(name).trial_id == "0"
        assert oracle.release(name).status == "RUNNING"
    oracle = _reloaded(tmp_path)  # counts go on after a restart
    assert oracle.create_trial("c").trial_id == "0"
    assert oracle.release("c").status == "FAILED"
    assert oracle.trials["0"].message == "lost its worker 3 times"
    assert oracle.end_order == ["0"]
    assert oracle.create_trial("d").trial_id == "1"
    assert _reloaded(tmp_path).trials["0"].status == "FAILED"


@pytest.mark.parametrize("first", ["lost", "other"])
def test_first_end_of_a_trial_counts(
    tmp_path: pathlib.Path, first: str
) -> None:
    oracle = _oracle(tmp_path)
    trial = oracle.create_trial("lost")
    oracle.release("lost")
    assert oracle.create_trial("other").trial_id == trial.trial_id
    _end(oracle, trial, value=2.5)
    path = tmp_path / "search" / "trial_0" / "trial.json"
    before = path.read_text()
    later = "other" if first == "lost" else "lost"
    _end(oracle, trial, "COMPLETED" if later == "lost" else "FAILED", value=7.5)
    assert oracle.trials["0"].score == 2.5
    assert oracle.trials["0"].status == "COMPLETED"
    assert oracle.end_order == ["0"]
    assert path.read_text() == before
    assert oracle.create_trial(later).trial_id == "1"


def test_trial_that_waits_may_be_ended_by_the_worker_that_had_it(
    tmp_path: pathlib.Path,
) -> None:
    oracle = _oracle(tmp_path)
    trial = oracle.create_trial("lost")
    oracle.release("lost")
    _end(oracle, trial)
    assert oracle.end_order == ["0"]
    assert oracle.create_trial("other").trial_id == "1"


def test_end_without_a_value_leaves_the_trial_to_the_one_that_has_it_now(
    tmp_path: pathlib.Path,
) -> None:
    oracle = _oracle(tmp_path)
    trial = oracle.create_trial("lost")
    oracle.update_trial(trial.trial_id, {"nll": 1.0})
    oracle.release("lost")
    oracle.create_trial("other")
    copy = Trial.from_proto(trial.to_proto())
    copy.status = "COMPLETED"
    oracle.end_trial(copy)
    assert oracle.workers() == {"other": "0"}
    assert oracle.trials["0"].status == "RUNNING"


def test_settings_keep_their_order_through_grpc(
    tmp_path: pathlib.Path,
) -> None:
    oracle = _oracle(tmp_path)
    trial = oracle.create_trial("a")
    before = list(trial.hyperparameters.values.items())
    copy = Trial.from_proto(trial.to_proto())
    assert next(hp.name for hp in copy.hyperparameters.space) == "C"
    _end(oracle, trial)
    assert list(oracle.trials["0"].hyperparameters.values.items()) == before
    space = [hp.name for hp in oracle.trials["0"].hyperparameters.space]
    assert space == ["latent_dim", "C", "architecture"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_worker_waits_while_others_are_busy(
    tmp_path: pathlib.Path, algorithm: str
) -> None:
    oracle = _oracle(tmp_path, algorithm, **SMALL[algorithm])
    busy = oracle.create_trial("busy")
    for _ in range(20):
        trial = oracle.create_trial("idle")
        if trial.status != "RUNNING":
            break
        _end(oracle, trial)
    assert trial.status == "IDLE"
    assert oracle.workers() == {"busy": busy.trial_id, "idle": ""}
    oracle.release("busy")
    assert oracle.create_trial("idle").trial_id == busy.trial_id


def test_reload_leaves_trials_to_workers_that_are_still_busy(
    tmp_path: pathlib.Path,
) -> None:
    oracle = _oracle(tmp_path)
    for name in "abc":
        oracle.create_trial(name)
    oracle.save()
    _end(oracle, oracle.trials["2"])
    again = _reloaded(tmp_path)
    again.verbose = 1  # keras-tuner then says how long the trial took
    again.reclaim(["a", "c", "late"])
    assert again.workers() == {"a": "0", "c": "", "late": ""}
    assert again.create_trial("late").trial_id == "1"
    assert again.create_trial("a").trial_id == "0"  # it was restarted too
    _end(again, again.trials["0"])
    assert again.end_order == ["2", "0"]


def test_trial_to_be_run_again_is_running_for_the_worker_that_keeps_it(
    tmp_path: pathlib.Path, scythe: Scythe
) -> None:
    oracle = _oracle(tmp_path, max_retries_per_trial=1)
    trial = oracle.create_trial("a")
    _end(oracle, trial, "INVALID")
    again = _reloaded(tmp_path, max_retries_per_trial=1)
    again.reclaim(["a"])
    taken = again.create_trial("a")
    assert (taken.trial_id, taken.status) == ("0", "RUNNING")


def test_invalid_trial_is_tried_again_and_may_be_ended_by_an_earlier_run(
    tmp_path: pathlib.Path,
) -> None:
    oracle = _oracle(tmp_path, max_retries_per_trial=1)
    trial = oracle.create_trial("a")
    _end(oracle, trial, "INVALID")
    assert oracle.end_order == []
    _end(oracle, trial)
    assert oracle.end_order == ["0"]
    assert oracle.create_trial("a").trial_id == "1"


def test_search_is_given_up_after_failures_in_a_row(
    tmp_path: pathlib.Path,
) -> None:
    limit = {"max_consecutive_failed_trials": 3}
    oracle = _oracle(tmp_path, **limit)
    statuses = ["FAILED", "FAILED", "COMPLETED", "FAILED", "FAILED"]
    for status in statuses:
        _end(oracle, oracle.create_trial("a"), status)
        assert oracle.given_up == ""
    last = oracle.create_trial("a")
    _end(oracle, last, "FAILED", message="Traceback\n  kl is not finite\n")
    reason = "3 trials in a row failed, the last one, trial 5: kl is not finite"
    assert oracle.given_up == reason
    assert oracle.is_over
    stopped = oracle.create_trial("b")
    assert stopped.status == "STOPPED"
    stopped.to_proto()
    assert oracle.workers() == {"a": ""}
    again = _reloaded(tmp_path, **limit)
    assert again.given_up == reason
    assert again.create_trial("a").status == "STOPPED"
    more = _reloaded(tmp_path, max_consecutive_failed_trials=4, max_trials=7)
    assert more.given_up == ""
    assert more.create_trial("a").trial_id == "6"


def test_failures_without_a_message_and_a_busy_worker(
    tmp_path: pathlib.Path,
) -> None:
    oracle = _oracle(tmp_path, max_consecutive_failed_trials=1)
    first = oracle.create_trial("a")
    oracle.create_trial("b")
    assert not oracle.is_over
    _end(oracle, first, "FAILED")
    assert oracle.given_up == (
        "1 trials in a row failed, the last one, trial 0, without a message"
    )
    assert oracle.create_trial("b").status == "STOPPED"  # it was restarted
    assert oracle.workers() == {"a": ""}
    assert oracle.is_over


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_ten_failures_in_a_row_are_the_limit(algorithm: str) -> None:
    oracle = toy_search.make_oracle(algorithm)
    assert oracle.max_consecutive_failed_trials == 10


def test_error_in_a_call_does_not_leave_the_oracle_locked(
    tmp_path: pathlib.Path,
) -> None:
    oracle = _oracle(tmp_path)
    with pytest.raises(KeyError):
        oracle.update_trial("no such trial", {"nll": 1.0})
    assert not engine.LOCKS[oracle].locked()
    assert engine.THREADS[oracle] is None


def test_bayesian_proposes_nothing_twice(tmp_path: pathlib.Path) -> None:
    space = keras_tuner.HyperParameters()
    space.Int("latent_dim", 1, 5)
    oracle = _oracle(
        tmp_path, "bayesian", hyperparameters=space, num_initial_points=2,
        max_trials=5,
    )  # fmt: skip
    drawn = []
    while (trial := oracle.create_trial("a")).status == "RUNNING":
        drawn.append(trial.hyperparameters.values["latent_dim"])
        _end(oracle, trial, value=float(drawn[-1]))
    assert sorted(drawn) == sorted(set(drawn))
    assert len(drawn) >= 4


@pytest.mark.parametrize("direction", ["min", "max"])
def test_bayesian_compares_ranks_and_predicts_ongoing_trials_from_them(
    tmp_path: pathlib.Path, direction: str
) -> None:
    oracle = _oracle(
        tmp_path, "bayesian", max_trials=9, num_initial_points=9,
        objective=keras_tuner.Objective("nll", direction),
    )  # fmt: skip
    for score in (-612.0, 35000.0, -590.0, -621.0):
        _end(oracle, oracle.create_trial("a"), value=score)
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
    oracle = _oracle(tmp_path, "bayesian")
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
    oracle = _oracle(tmp_path, "grid")
    trials = [oracle.create_trial(name) for name in "abcdef"]
    drawn = [tuple(t.hyperparameters.values.values()) for t in trials]
    assert drawn == [
        (latent_dim, architecture)
        for latent_dim in (1, 2, 3)
        for architecture in ("mlp", "conv")
    ]
    assert oracle.create_trial("g").status == "IDLE"
