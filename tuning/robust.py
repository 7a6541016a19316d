"""What an oracle needs so that its state survives a kill at any moment.

A trial's own file says how the trial stands; oracle.json says in which order
trials began and where the algorithm is. The space must be declared up front.
"""

import collections
import contextlib
import json
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src.engine import oracle as locks
from keras_tuner.src.engine.metrics_tracking import MetricsTracker

from tfvae.errors import InputError
from tfvae.folder import write_whole

ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)
MOST_FAILURES_IN_A_ROW = 10
MOST_LOSSES = 3


@contextlib.contextmanager
def locked(oracle: keras_tuner.Oracle) -> Iterator[None]:
    """Holds an oracle's lock; other threads' calls to it wait.

    It is the lock of keras_tuner.synchronized, which does not let it go where
    an error is raised.
    """
    thread = threading.current_thread().name
    if locks.THREADS[oracle] == thread:
        yield
        return
    with locks.LOCKS[oracle]:
        locks.THREADS[oracle] = thread
        try:
            yield
        finally:
            locks.THREADS[oracle] = None


class Robust(keras_tuner.Oracle):
    """What is added to each of keras-tuner's oracles; stands before it.

    A kill loses only what was under way, a lost worker only its trial, and
    trials that fail one after the other end the search without an error.

    Args:
      *args: of the oracle.
      max_consecutive_failed_trials: so many in a row, and the search is given
        up.
      **kwargs: of the oracle.
    """

    trials: dict[str, Trial]
    ongoing_trials: dict[str, Trial]
    start_order: list[str]
    end_order: list[str]

    def __init__(
        self,
        *args: Any,
        max_consecutive_failed_trials: int = MOST_FAILURES_IN_A_ROW,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            *args,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
            **kwargs,
        )
        self._losses: collections.Counter[str] = collections.Counter()
        self._before_reload: dict[str, str] = {}

    @property
    def given_up(self) -> str:
        """Why the search was given up, in one line; "" where it was not."""
        failed: list[Trial] = []
        for trial in (self.trials[trial_id] for trial_id in self.end_order):
            has_failed = trial.status == TrialStatus.FAILED
            failed = [*failed, trial] if has_failed else []
            if len(failed) == self.max_consecutive_failed_trials:
                return _reason(failed)
        return ""

    @property
    def is_over(self) -> bool:
        """Whether all trials asked for have ended, or the search is given up.

        A space that is exhausted before shows when a tuner is told STOPPED.
        """
        with locked(self):
            enough = self.max_trials and len(self.end_order) >= self.max_trials
            return bool(enough or self.given_up)

    def _check_consecutive_failures(self) -> None:
        """Raises nothing; see `given_up`."""

    def create_trial(self, tuner_id: str) -> Trial:
        """See `Oracle.create_trial`.

        A tuner that would be told STOPPED while others are busy is told IDLE,
        so that it can take up the trial of one that is lost.
        """
        with locked(self):
            if self.given_up:
                self._forget(tuner_id)
                return Trial(
                    self.get_space(), trial_id="", status=TrialStatus.STOPPED
                )
            trial = super().create_trial(tuner_id)
            if trial.status == TrialStatus.STOPPED and self.ongoing_trials:
                self.tuner_ids.add(tuner_id)
                trial.status = TrialStatus.IDLE
            # What an earlier, broken off run of this trial reported.
            trial.metrics = MetricsTracker()
            return trial

    def update_trial(
        self, trial_id: str, metrics: dict[str, float], step: int = 0
    ) -> Trial:
        """See `Oracle.update_trial`; a trial that has ended stays as it is."""
        with locked(self):
            if trial_id in self.end_order:
                return self.trials[trial_id]
            return super().update_trial(trial_id, metrics, step=step)

    def end_trial(self, trial: Trial) -> None:
        """See `Oracle.end_trial`.

        A trial is deterministic: where two workers ran it, because the chief
        took one for lost, the first end counts and the second is ignored.
        """
        with locked(self):
            if trial.trial_id in self.end_order:
                return
            known = self.trials[trial.trial_id]
            completed = trial.status == TrialStatus.COMPLETED
            if completed and not known.metrics.exists(self.objective.name):
                return  # Another worker begins it anew.
            # gRPC brings the settings back in another order.
            trial.hyperparameters = known.hyperparameters
            super().end_trial(trial)
            self._settle()

    def release(self, tuner_id: str) -> Trial | None:
        """Forgets a tuner that is lost; its trial waits for another one.

        Returns:
          trial: which it was busy with, or None. Its status is FAILED where it
          lost its tuner `MOST_LOSSES` times.
        """
        with locked(self):
            trial = self._forget(tuner_id)
            if trial is None:
                return None
            self._losses[trial.trial_id] += 1
            if self._losses[trial.trial_id] >= MOST_LOSSES:
                message = f"lost its worker {MOST_LOSSES} times"
                failed = Trial(
                    trial.hyperparameters,
                    trial_id=trial.trial_id,
                    status=TrialStatus.FAILED,
                    message=message,
                )
                self.end_trial(failed)
            self.save()
            return trial

    def reclaim(self, tuner_ids: Iterable[str]) -> None:
        """After `reload`: leaves trials to the tuners still busy with them.

        Args:
          tuner_ids: tuners that have outlived the oracle's process.
        """
        with locked(self):
            for tuner_id in tuner_ids:
                self.tuner_ids.add(tuner_id)
                trial_id = self._before_reload.get(tuner_id)
                if trial_id in self._retry_queue:
                    trial = self.trials[trial_id]
                    trial.status = TrialStatus.RUNNING
                    self.ongoing_trials[tuner_id] = trial
                    self._settle()
                    self._display.on_trial_begin(trial)

    def workers(self) -> dict[str, str]:
        """Returns the trial of each tuner that takes part; "": it has none."""
        with locked(self):
            ongoing = {
                tuner_id: trial.trial_id
                for tuner_id, trial in self.ongoing_trials.items()
            }
            return {**dict.fromkeys(self.tuner_ids, ""), **ongoing}

    def get_state(self) -> dict[str, Any]:
        """See `Oracle.get_state`."""
        return {**super().get_state(), "losses": self._losses}

    def set_state(self, state: dict[str, Any]) -> None:
        """See `Oracle.set_state`."""
        super().set_state(state)
        self._losses = collections.Counter(state["losses"])
        self._before_reload = state["ongoing_trials"]

    def save(self) -> None:
        """Writes oracle.json, whole or not at all."""
        _write_json(self._get_oracle_fname(), self.get_state())

    def reload(self) -> None:
        """See `Oracle.reload`.

        A trial that was created, but that oracle.json does not tell of, was
        given to nobody: it is created again.
        """
        state = _read_json(self._get_oracle_fname())
        self.trials = {
            trial_id: Trial.from_state(_read_json(self._trial_file(trial_id)))
            for trial_id in state["start_order"]
        }
        self.set_state(state)
        self.ongoing_trials = {}
        self._settle()

    def _settle(self) -> None:
        """Each trial has ended, or is under way, or waits for its turn."""
        ended = [i for i, trial in self.trials.items() if trial.status in ENDED]
        ongoing = {trial.trial_id for trial in self.ongoing_trials.values()}
        in_order = [i for i in self.end_order if i in ended]
        self.end_order = in_order + [i for i in ended if i not in in_order]
        # keras-tuner takes the last one first.
        self._retry_queue = [
            i for i in reversed(self.start_order) if i not in {*ended, *ongoing}
        ]

    def _forget(self, tuner_id: str) -> Trial | None:
        self.tuner_ids.discard(tuner_id)
        trial = self.ongoing_trials.pop(tuner_id, None)
        self._settle()
        return trial

    def _save_trial(self, trial: Trial) -> None:
        _write_json(self._trial_file(trial.trial_id), trial.get_state())

    def _trial_file(self, trial_id: str) -> str:
        return os.path.join(
            self._project_dir, f"trial_{trial_id}", "trial.json"
        )


def _reason(failed: list[Trial]) -> str:
    last = failed[-1]
    message = (last.message or "").strip().splitlines()
    why = f": {message[-1].strip()}" if message else ""
    return (
        f"{len(failed)} trials in a row failed, the last one, trial "
        f"{last.trial_id}{why or ', without a message'}"
    )


def _write_json(path: str, value: dict[str, Any]) -> None:
    text = json.dumps(value)
    write_whole(path, lambda file: file.write(text.encode()))


def _read_json(path: str) -> Any:
    """Reads a file of the state.

    Raises:
      InputError: it is missing.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError as error:
        raise InputError(
            f"the search cannot go on: {path} is missing; restore it or start "
            "anew in another folder."
        ) from error
