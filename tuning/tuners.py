"""keras-tuner's search algorithms over variational autoencoders of tf_keras.

keras-tuner imports Keras 3 and refuses models of tf_keras; a tuner that
overrides `run_trial` is its documented way out. All else is as keras-tuner's
users know it: `search`, `results_summary`, `search_space_summary`,
`get_best_hyperparameters`, `get_best_models`, callbacks, the project folder.
"""

import copy
import math
import os
import time
from collections.abc import Sequence
from typing import Any

import keras_tuner
import tf_keras

from tfvae import run_dir
from tfvae.errors import InputError, TrainingError
from tfvae.folder import write_whole
from tfvae.learner import Learner
from tuning import chief, oracles, workers
from tuning import objective as objective_lib
from tuning import results as results_lib
from tuning.hypermodel import RUN_NAME, VAEHyperModel
from tuning.results import COMPLETED, FAILED, FAILURE_NAME, Reporter, Result

Trial = Any  # keras_tuner.engine.trial.Trial

IDLE_SECONDS = 0.5


class TfKerasTuner(keras_tuner.Tuner):
    """keras-tuner's Tuner, whose trials are runs of tfvae.

    Args:
      hypermodel: what a trial is.
      objective: name of what trials are compared by; see `objective.check`.
      directory: of all that the search writes.
      project_name: folder in it, of keras-tuner's own files and the trials.
      overwrite: begin anew where the folder holds a search.
      worker_timeout: seconds without a sign of life after which a worker's
        trial is given to another.
      **settings: of the algorithm, as keras-tuner's class takes them.

    Raises:
      InputError: an objective that does not compare the space's trials.

    Attributes:
      reporter: told of trials, in place of keras-tuner's own display.
    """

    make_oracle: Any
    as_grid = False
    keep_checkpoints = False

    def __init__(
        self,
        hypermodel: VAEHyperModel,
        *,
        objective: str = "nll",
        directory: str,
        project_name: str = "search",
        overwrite: bool = False,
        worker_timeout: float = 60.0,
        **settings: Any,
    ) -> None:
        objective_lib.check(objective, hypermodel.base, hypermodel.space)
        direction = objective_lib.DIRECTIONS[objective]
        self.reporter: Reporter | None = None
        self._worker_timeout = worker_timeout
        self._was_idle = False
        super().__init__(
            oracle=self.make_oracle(
                objective=keras_tuner.Objective(objective, direction),
                hyperparameters=hypermodel.space.hyperparameters(
                    as_grid=self.as_grid
                ),
                seed=hypermodel.base.seed + 1,  # 0 would be a random one
                **settings,
            ),
            hypermodel=hypermodel,
            directory=directory,
            project_name=project_name,
            overwrite=overwrite,
        )

    def run_trial(
        self,
        trial: Trial,
        *args: Any,
        callbacks: Sequence[tf_keras.callbacks.Callback] = (),
        **kwargs: Any,
    ) -> dict[str, float]:
        """Trains and measures one trial.

        Args:
          trial: as the oracle made it.
          *args: none; see `keras_tuner.Tuner.run_trial`.
          callbacks: copied for each trial; TensorBoard's folder gets a folder
            of the trial in it, as keras-tuner has it.
          **kwargs: none.

        Returns:
          The objective's value, by its name.
        """
        values = trial.hyperparameters.values
        parent = values.get("tuner/trial_id")
        folder = self.get_trial_dir(trial.trial_id)
        try:
            figures = self.hypermodel.run(
                trial.hyperparameters,
                *args,
                folder=folder,
                last_epoch=values.get("tuner/epochs"),
                after=self.get_trial_dir(parent) if parent else "",
                keep_checkpoint=self.keep_checkpoints,
                callbacks=self._copies(callbacks, trial),
                **kwargs,
            )
        except (InputError, TrainingError) as error:
            text = " ".join(str(error).split())
            path = os.path.join(folder, FAILURE_NAME)
            write_whole(path, lambda file: file.write(text.encode()))
            raise keras_tuner.errors.FailedTrialError(text) from error
        name = self.oracle.objective.name
        return {name: figures[name]}

    def _copies(
        self, callbacks: Sequence[tf_keras.callbacks.Callback], trial: Trial
    ) -> list[tf_keras.callbacks.Callback]:
        copies = copy.deepcopy(list(callbacks))
        for callback in copies:
            if isinstance(callback, tf_keras.callbacks.TensorBoard):
                callback.log_dir = self._get_tensorboard_dir(
                    callback.log_dir, trial.trial_id, execution=0
                )
        return copies

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Runs the trials that are left; see `keras_tuner.Tuner.search`.

        In a chief it hands trials out to workers instead.
        """
        if workers.is_worker():
            with workers.heartbeat(self.project_dir):
                chief.connect(self.oracle)
                super().search(*fit_args, **fit_kwargs)
            return
        if self.reporter is not None:
            self.oracle.verbose = 0
        if workers.is_chief():
            self.save()
            watch = workers.Watch(self.project_dir, self._worker_timeout)
            chief.serve(self.oracle, watch, on_change=self._report_results)
        else:
            super().search(*fit_args, **fit_kwargs)

    def num_trials(self) -> int:
        """Returns how many trials the search will have at most."""
        most = self.oracle.max_trials
        dimensions = self.hypermodel.space.dimensions
        if not (self.as_grid or all(d.is_finite for d in dimensions)):
            return most
        combinations = math.prod(len(d.grid()) for d in dimensions)
        return min(combinations, most or combinations)

    def ended(self) -> list[Result]:
        """Returns the results of the trials that have ended."""
        return [r for r in self.results() if r.status in (COMPLETED, FAILED)]

    def results(self) -> list[Result]:
        """Returns the results of all trials, in the order they began."""
        oracle = self.oracle
        return [self._result(oracle.trials[i]) for i in oracle.start_order]

    def load_model(self, trial: Trial) -> Learner:
        """See `keras_tuner.Tuner.load_model`: with the best epoch's weights."""
        folder = os.path.join(self.get_trial_dir(trial.trial_id), RUN_NAME)
        with self.hypermodel.strategy.scope():
            return run_dir.load_run(folder).model

    def pre_create_trial(self) -> None:
        """Waits a little where the oracle had no trial to give."""
        if self._was_idle:
            time.sleep(IDLE_SECONDS)
        self._was_idle = True

    def on_trial_begin(self, trial: Trial) -> None:
        """See `keras_tuner.Tuner.on_trial_begin`."""
        super().on_trial_begin(trial)
        self._was_idle = False
        if self.reporter is not None:
            self.reporter.begin(trial)

    def on_trial_end(self, trial: Trial) -> None:
        """See `keras_tuner.Tuner.on_trial_end`."""
        super().on_trial_end(trial)
        if self.reporter is not None:
            self.reporter.end(self._result(trial))

    def save(self) -> None:
        """Writes the search's state; all of it is the oracle's."""
        if not self._is_worker():
            self.oracle.save()

    def reload(self) -> None:
        """Reads the search's state."""
        if not self._is_worker():
            self.oracle.reload()

    def _get_tuner_fname(self) -> str:
        """Where keras-tuner looks whether there is a search to go on with."""
        return os.path.join(self.project_dir, "oracle.json")

    def _populate_initial_space(self) -> None:
        """Does nothing: the space is known, no model is built to find it."""

    def _try_run_and_update_trial(
        self, trial: Trial, *fit_args: Any, **fit_kwargs: Any
    ) -> None:
        """Lets every error through but that of a trial that failed.

        keras-tuner takes any error for a bad trial and goes on.
        """
        try:
            self._run_and_update_trial(trial, *fit_args, **fit_kwargs)
            trial.status = COMPLETED
        except keras_tuner.errors.FailedTrialError as error:
            trial.status = FAILED
            trial.message = str(error)

    def _result(self, trial: Trial) -> Result:
        return results_lib.of_trial(
            trial,
            self.get_trial_dir(trial.trial_id),
            self.hypermodel.space,
            objective=self.oracle.objective.name,
        )

    def _report_results(self) -> None:
        """Tells the reporter of trials that workers have ended."""
        if self.reporter is not None:
            for trial_id in self.oracle.end_order:
                self.reporter.end(self._result(self.oracle.trials[trial_id]))


class RandomSearch(TfKerasTuner):
    """Draws settings at random; takes `max_trials`."""

    make_oracle = oracles.RandomSearchOracle


class BayesianOptimization(TfKerasTuner):
    """Draws where a Gaussian process hopes for the best; takes `max_trials`."""

    make_oracle = oracles.BayesianOptimizationOracle


class GridSearch(TfKerasTuner):
    """Goes through a grid of settings; takes `max_trials`, None for all."""

    make_oracle = oracles.GridSearchOracle
    as_grid = True


class Hyperband(TfKerasTuner):
    """Trains many settings for few epochs, and the best of them for more.

    A trial goes on where the one it grew from stopped, weights, optimizer and
    noise included, so that the last rung's trials are what one uninterrupted
    run would be. Takes `max_epochs`, `factor` and `hyperband_iterations`.
    """

    make_oracle = oracles.HyperbandOracle
    keep_checkpoints = True

    def num_trials(self) -> int:
        """See `TfKerasTuner.num_trials`."""
        all_of_rungs = self.oracle.num_trials()
        return min(all_of_rungs, self.oracle.max_trials or all_of_rungs)


ALGORITHMS: dict[str, type[TfKerasTuner]] = {
    "random": RandomSearch,
    "bayesian": BayesianOptimization,
    "hyperband": Hyperband,
    "grid": GridSearch,
}
