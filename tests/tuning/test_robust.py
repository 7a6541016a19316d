"""What every oracle is given: files that are whole, workers that are lost."""

import errno
import os
import pathlib

import pytest
import toy_search
from keras_tuner.engine.trial import Trial
from keras_tuner.src.engine import oracle as engine

from tfvae.errors import InputError

ALGORITHMS = ["random", "bayesian", "hyperband", "grid"]


@pytest.fixture
def scythe(monkeypatch: pytest.MonkeyPatch) -> toy_search.Scythe:
    """Counts renames."""
    return toy_search.Scythe(monkeypatch)


def test_folder_of_a_trial_that_was_never_written_is_no_trial(
    tmp_path: pathlib.Path,
) -> None:
    oracle = toy_search.oracle_in(tmp_path)
    oracle.create_trial("a")
    (tmp_path / "search" / "trial_1").mkdir()
    (tmp_path / "search" / "trial_7").mkdir()
    assert list(toy_search.reloaded(tmp_path).trials) == ["0"]


def test_missing_file_of_a_trial_is_named(tmp_path: pathlib.Path) -> None:
    trial = toy_search.oracle_in(tmp_path).create_trial("a")
    (tmp_path / "search" / f"trial_{trial.trial_id}" / "trial.json").unlink()
    with pytest.raises(InputError, match=r"trial_0/trial\.json is missing; re"):
        toy_search.reloaded(tmp_path)


def test_state_is_whole_while_it_is_written(
    tmp_path: pathlib.Path, scythe: toy_search.Scythe
) -> None:
    oracle = toy_search.oracle_in(tmp_path)
    oracle.create_trial("a")
    files = sorted((tmp_path / "search").rglob("*.json"))
    before = [path.read_text() for path in files]
    assert [path.name for path in files] == ["oracle.json", "trial.json"]
    for path in files:
        path.chmod(0o400)  # renamed over, never opened for writing
    scythe.set(0)
    toy_search.end(oracle, oracle.trials["0"])
    after = [path.read_text() for path in files]
    assert all(a != b for a, b in zip(after, before, strict=True))
    assert scythe.writes == 3
    assert all(path.stat().st_mode & 0o200 for path in files)


def test_broken_off_trial_is_run_again_first_and_reports_anew(
    tmp_path: pathlib.Path,
) -> None:
    oracle = toy_search.oracle_in(tmp_path)
    first, second = oracle.create_trial("a"), oracle.create_trial("b")
    oracle.update_trial(first.trial_id, {"nll": 9.0})
    again = toy_search.reloaded(tmp_path)
    assert again.trials["0"].metrics.exists("nll")
    trials = [again.create_trial(name) for name in "cd"]
    assert [trial.trial_id for trial in trials] == ["0", "1"]
    assert trials[0].hyperparameters.values == first.hyperparameters.values
    assert trials[1].hyperparameters.values == second.hyperparameters.values
    assert not trials[0].metrics.exists("nll")
    assert again.create_trial("e").trial_id == "2"


def test_failed_trial_is_not_run_again(
    tmp_path: pathlib.Path, scythe: toy_search.Scythe
) -> None:
    oracle = toy_search.oracle_in(tmp_path)
    trial = oracle.create_trial("a")
    scythe.set(2)  # trial.json is written, oracle.json is not
    with pytest.raises(toy_search.Killed):
        toy_search.end(oracle, trial, "FAILED")
    scythe.set(0)
    again = toy_search.reloaded(tmp_path)
    assert again.end_order == ["0"]
    assert again.create_trial("a").trial_id == "1"


def test_trial_whose_end_could_not_be_written_is_run_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = toy_search.oracle_in(tmp_path)
    trial = oracle.create_trial("a")
    oracle.update_trial(trial.trial_id, {"nll": 1.0})
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _raise_disk_full)
        with pytest.raises(OSError, match="No space left"):
            toy_search.end(oracle, trial, "FAILED")
    oracle.save()
    again = toy_search.reloaded(tmp_path)
    assert again.end_order == []
    assert again.create_trial("b").trial_id == "0"


def _raise_disk_full(source: str, target: str) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_lost_worker_s_trial_goes_to_another_one(
    tmp_path: pathlib.Path,
) -> None:
    oracle = toy_search.oracle_in(tmp_path, max_trials=2)
    trial, other = oracle.create_trial("a"), oracle.create_trial("b")
    assert oracle.workers() == {"a": "0", "b": "1"}
    assert oracle.release("a").trial_id == trial.trial_id
    assert oracle.workers() == {"b": "1"}
    assert oracle.release("a") is None
    toy_search.end(oracle, other)
    taken = oracle.create_trial("b")
    assert taken.trial_id == trial.trial_id
    assert taken.hyperparameters.values == trial.hyperparameters.values
    toy_search.end(oracle, taken)
    assert oracle.create_trial("b").status == "STOPPED"
    assert oracle.workers() == {}
    assert oracle.is_over


def test_trial_that_loses_three_workers_has_failed(
    tmp_path: pathlib.Path,
) -> None:
    oracle = toy_search.oracle_in(tmp_path)
    for name in "ab":
        assert oracle.create_trial(name).trial_id == "0"
        assert oracle.release(name).status == "RUNNING"
    oracle = toy_search.reloaded(tmp_path)  # counts go on after a restart
    assert oracle.create_trial("c").trial_id == "0"
    assert oracle.release("c").status == "FAILED"
    assert oracle.trials["0"].message == "lost its worker 3 times"
    assert oracle.end_order == ["0"]
    assert oracle.create_trial("d").trial_id == "1"
    assert toy_search.reloaded(tmp_path).trials["0"].status == "FAILED"


@pytest.mark.parametrize("first", ["lost", "other"])
def test_first_end_of_a_trial_counts(
    tmp_path: pathlib.Path, first: str
) -> None:
    oracle = toy_search.oracle_in(tmp_path)
    trial = oracle.create_trial("lost")
    oracle.release("lost")
    assert oracle.create_trial("other").trial_id == trial.trial_id
    toy_search.end(oracle, trial, value=2.5)
    path = tmp_path / "search" / "trial_0" / "trial.json"
    before = path.read_text()
    later = "other" if first == "lost" else "lost"
    toy_search.end(
        oracle, trial, "COMPLETED" if later == "lost" else "FAILED", value=7.5
    )
    assert oracle.trials["0"].score == 2.5
    assert oracle.trials["0"].status == "COMPLETED"
    assert oracle.end_order == ["0"]
    assert path.read_text() == before
    assert oracle.create_trial(later).trial_id == "1"


def test_trial_that_waits_may_be_ended_by_the_worker_that_had_it(
    tmp_path: pathlib.Path,
) -> None:
    oracle = toy_search.oracle_in(tmp_path)
    trial = oracle.create_trial("lost")
    oracle.release("lost")
    toy_search.end(oracle, trial)
    assert oracle.end_order == ["0"]
    assert oracle.create_trial("other").trial_id == "1"


def test_end_without_a_value_leaves_the_trial_to_the_one_that_has_it_now(
    tmp_path: pathlib.Path,
) -> None:
    oracle = toy_search.oracle_in(tmp_path)
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
    oracle = toy_search.oracle_in(tmp_path)
    trial = oracle.create_trial("a")
    before = list(trial.hyperparameters.values.items())
    copy = Trial.from_proto(trial.to_proto())
    assert next(hp.name for hp in copy.hyperparameters.space) == "C"
    toy_search.end(oracle, trial)
    assert list(oracle.trials["0"].hyperparameters.values.items()) == before
    space = [hp.name for hp in oracle.trials["0"].hyperparameters.space]
    assert space == ["latent_dim", "C", "architecture"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_worker_waits_while_others_are_busy(
    tmp_path: pathlib.Path, algorithm: str
) -> None:
    oracle = toy_search.oracle_in(
        tmp_path, algorithm, **toy_search.SMALL[algorithm]
    )
    busy = oracle.create_trial("busy")
    for _ in range(20):
        trial = oracle.create_trial("idle")
        if trial.status != "RUNNING":
            break
        toy_search.end(oracle, trial)
    assert trial.status == "IDLE"
    assert oracle.workers() == {"busy": busy.trial_id, "idle": ""}
    oracle.release("busy")
    assert oracle.create_trial("idle").trial_id == busy.trial_id


def test_reload_leaves_trials_to_workers_that_are_still_busy(
    tmp_path: pathlib.Path,
) -> None:
    oracle = toy_search.oracle_in(tmp_path)
    for name in "abc":
        oracle.create_trial(name)
    oracle.save()
    toy_search.end(oracle, oracle.trials["2"])
    again = toy_search.reloaded(tmp_path)
    again.verbose = 1  # keras-tuner then says how long the trial took
    again.reclaim(["a", "c", "late"])
    assert again.workers() == {"a": "0", "c": "", "late": ""}
    assert again.create_trial("late").trial_id == "1"
    assert again.create_trial("a").trial_id == "0"  # it was restarted too
    toy_search.end(again, again.trials["0"])
    assert again.end_order == ["2", "0"]


def test_trial_to_be_run_again_is_running_for_the_worker_that_keeps_it(
    tmp_path: pathlib.Path, scythe: toy_search.Scythe
) -> None:
    oracle = toy_search.oracle_in(tmp_path, max_retries_per_trial=1)
    trial = oracle.create_trial("a")
    toy_search.end(oracle, trial, "INVALID")
    again = toy_search.reloaded(tmp_path, max_retries_per_trial=1)
    again.reclaim(["a"])
    taken = again.create_trial("a")
    assert (taken.trial_id, taken.status) == ("0", "RUNNING")


def test_invalid_trial_is_tried_again_and_may_be_ended_by_an_earlier_run(
    tmp_path: pathlib.Path,
) -> None:
    oracle = toy_search.oracle_in(tmp_path, max_retries_per_trial=1)
    trial = oracle.create_trial("a")
    toy_search.end(oracle, trial, "INVALID")
    assert oracle.end_order == []
    toy_search.end(oracle, trial)
    assert oracle.end_order == ["0"]
    assert oracle.create_trial("a").trial_id == "1"


def test_error_in_a_call_does_not_leave_the_oracle_locked(
    tmp_path: pathlib.Path,
) -> None:
    oracle = toy_search.oracle_in(tmp_path)
    with pytest.raises(KeyError):
        oracle.update_trial("no such trial", {"nll": 1.0})
    assert not engine.LOCKS[oracle].locked()
    assert engine.THREADS[oracle] is None
