"""The epochs of a run: what is left of them, fed to Keras's fit."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tf_keras

from tfvae import board, callbacks, progress, resolve
from tfvae.callbacks import Recorder
from tfvae.config import Config
from tfvae.data import pipeline
from tfvae.data.split import Split, Splits
from tfvae.examples import load_examples
from tfvae.learner import Learner

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

    Raises:
      Interrupted: at SIGINT or SIGTERM; everything is saved.
      TrainingError: a quantity is no longer finite.
    """
    early = callbacks.StopEarly(recorder, config.early_stopping)
    if early.is_due():
        return
    validation = pipeline.eval_batches(
        splits.validation,
        config.batch_size,
        seed=config.seed,
        **resolve.view(config),
    )
    with callbacks.StopOnSignal(recorder) as on_signal:
        for segment in _segments(last_epoch or config.epochs, recorder):
            batches = pipeline.train_batches(
                splits.train,
                config.batch_size,
                seed=config.seed,
                num_epochs=config.epochs,
                **resolve.view(config),
                first_step=segment.first_step,
            )
            model.fit(
                batches,
                initial_epoch=segment.first_epoch,
                epochs=segment.last_epoch,
                steps_per_epoch=segment.steps_per_epoch,
                validation_data=validation,
                callbacks=[
                    callbacks.StopOnFault(recorder),
                    recorder,
                    early,
                    *watchers,
                    on_signal,
                ],
                verbose=0,
            )
            if early.is_due():
                return


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
    tensorboard = tf_keras.callbacks.TensorBoard(
        recorder.run_dir.file("tensorboard"), write_graph=False
    )
    with progress.Progress(recorder, num_epochs=config.epochs) as bar:
        pictures = _make_board(config, model, splits, recorder)
        yield [bar, tensorboard, pictures]


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


class _Segment(NamedTuple):
    """Epochs [first_epoch, last_epoch) of equally many steps."""

    first_epoch: int
    last_epoch: int
    steps_per_epoch: int
    first_step: int


def _segments(num_epochs: int, recorder: Recorder) -> Iterator[_Segment]:
    """Yields what is left: first the rest of a broken-off epoch, if any."""
    steps = recorder.steps_per_epoch
    epoch, within = divmod(recorder.first_step, steps)
    if within:
        yield _Segment(epoch, epoch + 1, steps - within, recorder.first_step)
        epoch += 1
    if epoch < num_epochs:
        yield _Segment(epoch, num_epochs, steps, epoch * steps)
