"""The epochs of a run: what is left of them, and who is told of each."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import board, callbacks, progress, resolve
from tfvae.config import Config
from tfvae.data import pipeline
from tfvae.data.resident import Resident, View
from tfvae.data.split import ArraySplit, Split, Splits, StreamSplit
from tfvae.examples import load_examples
from tfvae.learner import Learner
from tfvae.loop import Loop, ResidentLoop, ScannedLoop, StreamLoop
from tfvae.objectives.table import OBJECTIVES
from tfvae.pace import Pace
from tfvae.recorder import Recorder
from tfvae.replicas import WorkerShare
from tfvae.step_errors import told_plainly
from tfvae.watchers import Watchers

if TYPE_CHECKING:  # asked for, it is loaded by the program
    from tfvae.profiling.profile import Profile

# Of kl_schedule: whether the KL has its full weight all through an epoch.
WARMED_UP: dict[str, Callable[[int, int], bool]] = {
    "off": lambda epoch, _: True,
    "linear": lambda epoch, epochs: epoch > epochs,
    "cyclical": lambda epoch, epochs: 2 * ((epoch - 1) % epochs) >= epochs,
}


def fit(
    config: Config,
    model: Learner,
    splits: Splits,
    recorder: Recorder,
    watchers: Sequence[tf_keras.callbacks.Callback] = (),
    *,
    last_epoch: int | None = None,
    profile: "Profile | None" = None,
) -> None:
    """Runs the epochs that are left; a broken-off one is completed first.

    Args:
      config: resolved.
      model: built from it; holds the state that `recorder` has restored.
      splits: the data.
      recorder: of the run.
      watchers: are told of every batch and epoch, after it is recorded.
      last_epoch: where to stop, as if the rest were left for later; None: at
        the end.
      profile: looks on.

    Raises:
      Interrupted: at SIGINT or SIGTERM; everything is saved.
      TrainingError: a quantity is no longer finite.
    """
    early = callbacks.StopEarly(recorder, config.early_stopping)
    if early.is_due():
        return
    model.stop_training = False
    with callbacks.StopOnSignal(recorder) as on_signal:
        told: list[tf_keras.callbacks.Callback] = [
            callbacks.StopOnFault(recorder),
            recorder,
            early,
            *watchers,
            on_signal,
        ]
        if profile:
            told = profile.around(told)
        for callback in told:
            callback.set_model(model)
            callback.on_train_begin()
        at_epoch, at_step = recorder.place()
        for epoch in range(at_epoch, last_epoch or config.epochs):
            first = at_step if epoch == at_epoch else 0
            _run_epoch(config, model, splits, epoch, first, told)
            if model.stop_training:
                break
        for callback in told:
            callback.on_train_end()


def measure(
    config: Config,
    model: Learner,
    split: Split,
    told: Sequence[tf_keras.callbacks.Callback] = (),
) -> dict[str, float]:
    """Returns the means of the model's figures over a split, by name.

    Args:
      config: resolved.
      model: built from it.
      split: the data.
      told: of every batch.
    """
    model.reset_metrics()
    num_steps = pipeline.num_batches(split, config.batch_size)
    loop = loop_over(config, model, split, training=False)
    for first, num in loop.pace.executions(0, num_steps):
        with told_plainly():
            loop.run(0, first, num)
        for callback in told:
            callback.on_test_batch_end(first + num - 1)
    return {mean.name: float(mean.result()) for mean in model.metrics}


def loop_over(
    config: Config, model: Learner, split: Split, *, training: bool = True
) -> Loop:
    """Returns the model's loop over a split; the same at every call.

    Args:
      config: resolved.
      model: built from it.
      split: the data.
      training: whether steps learn, else they measure.
    """
    view = resolve.view(config)
    key = (id(split), training, config.batch_size, *view.values())
    if key not in model.loops:
        loop: Loop
        if isinstance(split, ArraySplit):
            loop = _make_resident(config, model, split, training)
        else:
            loop = _make_stream(config, model, split, training)
        model.loops[key] = loop
        loop.pace = Pace(int(config.steps_per_execution), model.workers)
    return model.loops[key]


@contextlib.contextmanager
def display(
    config: Config, model: Learner, splits: Splits, recorder: Recorder
) -> Iterator[list[tf_keras.callbacks.Callback]]:
    """Yields the callbacks that show a run: progress, TensorBoard, pictures.

    Args:
      config: resolved.
      model: built from it.
      splits: the data.
      recorder: of the run.
    """
    folder = recorder.run_dir.file("tensorboard")
    tensorboard = tf_keras.callbacks.TensorBoard(folder, write_graph=False)
    with progress.Progress(recorder, num_epochs=config.epochs) as bar:
        pictures = _make_board(config, model, splits, recorder)
        yield [bar, Watchers([tensorboard, pictures], folder)]


def is_warmed_up(config: Config, epoch: int) -> bool:
    """Whether all of an epoch (from 1) is trained on the loss in full.

    Before that neither the loss nor what is learned compares with later epochs.
    """
    name, _, epochs = config.kl_schedule.partition(":")
    capacity_epochs = int(config.capacity.partition(":")[2] or 0)
    return epoch > capacity_epochs and WARMED_UP[name](epoch, int(epochs or 0))


def first_examples(config: Config, split: Split, num: int) -> np.ndarray:
    """Returns `num` examples as a model sees them, in the first epoch's order.

    Args:
      config: resolved.
      split: the training data; where it is short, it is gone through again.
      num: how many.
    """
    batches = pipeline.train_batches(
        split,
        num,
        seed=config.seed,
        num_epochs=num,
        **resolve.view(config) | {"condition": "none"},
    )
    examples = batches.unbatch().take(num).as_numpy_iterator()
    return np.stack(list(examples))


def _make_board(
    config: Config, model: Learner, splits: Splits, recorder: Recorder
) -> board.Board:
    """Returns what shows the run's pictures and codes in TensorBoard."""
    shown = load_examples(
        config,
        splits.validation,
        num_examples=board.num_examples(splits.spec.event_shape),
        seed=config.seed,
    )
    return board.Board(
        model,
        recorder.run_dir,
        shown,
        num_epochs=config.epochs,
        seed=config.seed,
    )


def _run_epoch(
    config: Config,
    model: Learner,
    splits: Splits,
    epoch: int,
    first: int,
    told: Sequence[tf_keras.callbacks.Callback],
) -> None:
    """Runs the steps of an epoch from step `first` on, and its validation."""
    loop = loop_over(config, model, splits.train)
    num_steps = resolve.steps_per_epoch(config, splits.train.num_examples)
    model.reset_metrics()
    for callback in told:
        callback.on_epoch_begin(epoch)
    for start, num in loop.pace.executions(first, num_steps):
        with told_plainly():
            loop.run(epoch, start, num)
        for callback in told:
            callback.on_train_batch_end(start + num - 1)
    means = {mean.name: mean for mean in model.metrics}
    logs = {name: float(means[name].result()) for name in model.terms_named}
    for callback in told:
        callback.on_test_begin()
    validated = measure(config, model, splits.validation, told)
    logs |= {f"val_{name}": value for name, value in validated.items()}
    for callback in told:
        callback.on_epoch_end(epoch, logs)


def _make_resident(
    config: Config, model: Learner, split: ArraySplit, training: bool
) -> Loop:
    data = Resident(
        split,
        config.batch_size,
        View(seed=config.seed, **resolve.view(config)),
        training=training,
        strategy=model.distribute_strategy,
    )
    if not training:
        # One trace serves validation and test set.
        tester = model.loops.setdefault("test", ResidentLoop(model, data))
        return tester.over(data)
    gathers = OBJECTIVES[config.objective].gathers
    if config.jit_compile == "on" and not gathers:
        return ScannedLoop(model, data, int(config.steps_per_execution))
    return ResidentLoop(model, data)


def _make_stream(
    config: Config, model: Learner, split: StreamSplit, training: bool
) -> Loop:
    settings = {"seed": config.seed, **resolve.view(config)}

    def batches_from(step: int, share: WorkerShare) -> tf.data.Dataset:
        own = dataclasses.replace(split, share=share)
        if training:
            return pipeline.train_batches(
                own,
                config.batch_size,
                num_epochs=config.epochs,
                first_step=step,
                **settings,
            )
        return pipeline.eval_batches(own, config.batch_size, **settings)

    return StreamLoop(
        model,
        batches_from,
        num_steps=pipeline.num_batches(split, config.batch_size),
        training=training,
    )
