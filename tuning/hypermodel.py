"""One trial: a config trained in a run folder of its own, and its figures."""

import functools
import itertools
import json
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner
import tensorflow as tf
import tf_keras

from tfvae import (
    build,
    checkpoints,
    resolve,
    settings,
    strategy,
    summary,
    training,
)
from tfvae.config import Config
from tfvae.data.load import load_data
from tfvae.data.split import Splits
from tfvae.errors import InputError, TrainingError
from tfvae.examples import Examples
from tfvae.folder import write_whole
from tfvae.learner import Learner
from tfvae.recorder import Recorder
from tfvae.run_dir import RunDir
from tuning import objective
from tuning.models import ModelStore
from tuning.objective import Protocol
from tuning.results import FIGURES_NAME
from tuning.space import Space

Figures = dict[str, Any]

RUN_NAME = "run"
MOST_CHECKED = 1000  # combinations that are tried before the first trial
SAVE_SECONDS = 30.0  # a kill loses as much of a trial


class VAEHyperModel(keras_tuner.HyperModel):
    """The models of a space, and how one of them becomes a trial.

    The data are loaded, and the folders of trials written, when they are first
    needed.

    Args:
      base: all settings that are not searched.
      space: the rest.
      protocol: how a trained model is measured.
      strategy: models are built and trained under it; default: one device.
    """

    def __init__(
        self,
        base: Config,
        space: Space,
        *,
        protocol: Protocol | None = None,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        super().__init__(name="vae")
        self.base = base
        self.space = space
        self.protocol = protocol or Protocol(seed=base.seed)
        self._strategy = strategy

    @functools.cached_property
    def splits(self) -> Splits:
        """The data that all trials share."""
        return load_data(self.base)

    @functools.cached_property
    def strategy(self) -> tf.distribute.Strategy:
        """Under which models are built and trained."""
        return self._strategy or strategy.make_strategy("one_device")

    @functools.cached_property
    def store(self) -> ModelStore:
        """Models that trials of equal shapes share."""
        return ModelStore(self.splits, self.strategy)

    @functools.cached_property
    def validation(self) -> Examples:
        """The examples that trials are measured on."""
        return objective.load_validation(self.base, self.splits, self.protocol)

    def config(self, hp: keras_tuner.HyperParameters) -> Config:
        """Returns the resolved config of what was drawn.

        Raises:
          InputError: settings that do not fit the data or each other.
        """
        return self._resolved(hp.values)

    def _resolved(self, values: Mapping[str, Any]) -> Config:
        return resolve.resolve(
            self.space.config(self.base, values),
            self.splits.spec,
            num_examples=self.splits.train.num_examples,
            num_replicas=self.strategy.num_replicas_in_sync,
        )

    def check(self) -> None:
        """Refuses a space with a value that fits in no combination.

        Raises:
          InputError: names the value and what it does not fit.
        """
        space = self.space
        ends = [dimension.values for dimension in space.dimensions]
        fits: set[tuple[str, Any]] = set()
        misfits: dict[tuple[str, Any], InputError] = {}
        for values in itertools.islice(itertools.product(*ends), MOST_CHECKED):
            drawn = dict(zip(space.names, values, strict=True))
            try:
                self._resolved(drawn)
                fits |= set(drawn.items())
            except InputError as error:
                misfits |= dict.fromkeys(drawn.items(), error)
        for (name, value), reason in misfits.items():
            if (name, value) not in fits:
                text = settings.to_text(value)
                raise InputError(f"`space`: {name}={text}: {reason}")

    def build(self, hp: keras_tuner.HyperParameters) -> Learner:
        """Returns the untrained, compiled model of what was drawn."""
        return self.store.model_for(self.config(hp))

    def run(
        self,
        hp: keras_tuner.HyperParameters,
        *,
        folder: str,
        last_epoch: int | None = None,
        after: str = "",
        keep_checkpoint: bool = False,
        callbacks: Sequence[tf_keras.callbacks.Callback] = (),
    ) -> Figures:
        """Trains and measures one trial, from where its folder stands.

        Args:
          hp: what was drawn.
          folder: of the trial.
          last_epoch: where to stop; None: at the config's last epoch.
          after: folder of the trial whose training this one goes on with.
          keep_checkpoint: so that another trial can go on with this one.
          callbacks: tf_keras callbacks, which are told of batches and epochs.

        Returns:
          What `objective.measure` returns, and the trial's own: best_epoch,
          epochs, seed, num_parameters, seconds (all of the trial) and
          train_seconds (its epochs, with validation).

        Raises:
          InputError: settings that do not fit the data or each other.
          TrainingError: training diverged.
        """
        started = time.perf_counter()
        config = self.config(hp)
        run_dir = self._prepare(config, folder, after)
        path = os.path.join(folder, FIGURES_NAME)
        if os.path.exists(path):  # measured, but killed before it was told
            with open(path, encoding="utf-8") as file:
                return json.load(file)
        model = self.store.model_for(config)
        recorder = self._recorder(config, model, run_dir)
        before = time.perf_counter()
        training.fit(
            config, model, self.splits, recorder, callbacks,
            last_epoch=last_epoch,
        )  # fmt: skip
        train_seconds = time.perf_counter() - before
        figures = self._measured(config, model, recorder)
        figures |= {
            "train_seconds": train_seconds,
            "seconds": time.perf_counter() - started,
        }
        text = json.dumps(figures, indent=2) + "\n"
        write_whole(path, lambda file: file.write(text.encode()))
        if not keep_checkpoint:
            checkpoints.forget(run_dir)  # a kill must leave no half of one
            shutil.rmtree(run_dir.file("checkpoints"), ignore_errors=True)
        return figures

    def _measured(
        self, config: Config, model: Learner, recorder: Recorder
    ) -> Figures:
        best = recorder.best_epoch()
        recorder.run_dir.load_weights(model, "best")
        figures: Figures = objective.measure(
            model,
            recorder.rows[best - 1],
            self.validation,
            self.protocol,
            self.store.estimator_for(config),
        )
        _check_finite(figures)
        return figures | {
            "best_epoch": best,
            "epochs": len(recorder.rows),
            "seed": config.seed,
            "num_parameters": build.num_parameters(model),
        }

    def _prepare(self, config: Config, folder: str, after: str) -> RunDir:
        """Returns the trial's run folder, which holds this trial or none."""
        run_dir = RunDir(os.path.join(folder, RUN_NAME))
        if run_dir.holds_run():
            held = Config(**run_dir.read_settings())
            if not config.differences(held):
                return run_dir
        # What is there is of another trial, of which no record was kept.
        path = os.path.join(folder, FIGURES_NAME)
        if os.path.exists(path):
            os.remove(path)
        shutil.rmtree(run_dir.path, ignore_errors=True)
        if after:
            beside = run_dir.path + ".partial"
            shutil.rmtree(beside, ignore_errors=True)
            shutil.copytree(os.path.join(after, RUN_NAME), beside)
            os.rename(beside, run_dir.path)
            return run_dir
        run_dir.prepare()
        sizes = summary.sizes(self.splits)
        run_dir.write_config(config, self.splits.spec, **sizes)
        return run_dir

    def _recorder(
        self, config: Config, model: Learner, run_dir: RunDir
    ) -> Recorder:
        num_examples = self.splits.train.num_examples
        with self.strategy.scope():
            return Recorder(
                model,
                run_dir,
                num_examples=num_examples,
                steps_per_epoch=resolve.steps_per_epoch(config, num_examples),
                counts=functools.partial(training.is_warmed_up, config),
                save_seconds=SAVE_SECONDS,
            )


def _check_finite(figures: Figures) -> None:
    for name, value in figures.items():
        if value is not None and not math.isfinite(value):
            raise TrainingError(f"{name} of the trained model is not finite.")
