"""What happens between epochs: rows, weights, checkpoints, stopping."""

import math
import signal
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae import build
from tfvae.errors import TrainingError
from tfvae.learner import Learner
from tfvae.run_dir import Row, RunDir

Logs = dict[str, Any]


class Interrupted(Exception):
    """Training stopped at a signal, with everything saved.

    Attributes:
      signal_number: of the signal.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number


class Recorder(tf_keras.callbacks.Callback):
    """Keeps the run folder up to date, so that a run can go on from it.

    At the end of an epoch it writes, in this order, the weights, the row of
    metrics and the checkpoint. What is newer than the checkpoint is written
    again, with the same content, by a run that is resumed.

    Args:
      model: compiled.
      run_dir: folder of the run.
      num_examples: in an epoch.
      steps_per_epoch: global batches in an epoch.
      counts: whether an epoch (from 1) can be the best; where none can, all
        can.
      save_seconds: the least time between two checkpoints, the last weights
        with them; a kill loses as much.
    """

    def __init__(
        self,
        model: Learner,
        run_dir: RunDir,
        *,
        num_examples: int,
        steps_per_epoch: int,
        counts: Callable[[int], bool] = lambda epoch: True,
        save_seconds: float = 0.0,
    ) -> None:
        super().__init__()
        self.run_dir = run_dir
        self.counts = counts
        self.save_seconds = save_seconds
        self.monitor = f"val_{model.monitor}"
        self.num_examples = num_examples
        self.steps_per_epoch = steps_per_epoch
        self.epoch_seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.manager = run_dir.checkpoint_manager(
            model, epoch_seconds=self.epoch_seconds
        )
        self._restored_means: list[Any] = []
        if self.manager.latest_checkpoint:
            status = self.manager.restore_or_initialize()
            assert status == self.manager.latest_checkpoint
            if int(model.train_step_count.numpy()) % steps_per_epoch:
                self._restored_means = [
                    [v.numpy() for v in mean.variables]
                    for mean in model.metrics
                ]
        self.first_step = int(model.train_step_count.numpy())
        self.rows = run_dir.read_rows(
            num_epochs=self.first_step // steps_per_epoch
        )
        self._started = 0.0
        self._saved_step = self.first_step
        self._saved_at = time.perf_counter()

    def best_epoch(self) -> int:
        """Returns the epoch (from 1) of the best validation; 0: none yet."""
        rows = self._counting_rows() or self.rows
        if not rows:
            return 0
        return int(max(rows, key=lambda row: row[self.monitor])["epoch"])

    def epochs_since_best(self) -> int:
        """Returns how many epochs that count have not been better."""
        best = self.best_epoch()
        return sum(row["epoch"] > best for row in self._counting_rows())

    def _counting_rows(self) -> list[Row]:
        return [row for row in self.rows if self.counts(int(row["epoch"]))]

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Takes up the means of an epoch that was interrupted."""
        for mean, values in zip(
            self.model.metrics if self._restored_means else [],
            self._restored_means,
            strict=True,
        ):
            for variable, value in zip(mean.variables, values, strict=True):
                variable.assign(value)
        if not self._restored_means:
            self.epoch_seconds.assign(0.0)
        self._restored_means = []
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Measures time up to the last batch."""
        now = time.perf_counter()
        self.epoch_seconds.assign_add(now - self._started)
        self._started = now

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Writes weights, row and checkpoint."""
        assert logs is not None
        seconds = float(self.epoch_seconds.numpy())
        logs |= {
            "C": self.model.likelihood.current_C(),
            "learning_rate": build.learning_rate(self.model),
            "seconds": seconds,
            "images_per_second": self.num_examples / seconds,
        }
        row = {key: float(value) for key, value in logs.items()}
        broken = [key for key, value in row.items() if not math.isfinite(value)]
        if broken:
            raise TrainingError(
                f"{broken[0]} is not finite after epoch {epoch + 1}; "
                f"{_kept_weights(self)}; try a lower --learning_rate."
            )
        self.rows.append({"epoch": epoch + 1} | row)
        if self.best_epoch() == epoch + 1:
            self.run_dir.save_weights(self.model, "best")
        is_due = time.perf_counter() - self._saved_at >= self.save_seconds
        if is_due:
            self.run_dir.save_weights(self.model, "last")
        self.run_dir.write_rows(self.rows)
        if is_due:
            self.save()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Saves what is not saved yet."""
        self.save_rest()

    def save_rest(self) -> None:
        """Writes the last weights and a checkpoint, unless they are written."""
        if self._saved_step < int(self.model.train_step_count.numpy()):
            self.run_dir.save_weights(self.model, "last")
            self.save()

    def save(self) -> None:
        """Writes a checkpoint of the step just done."""
        self._saved_step = int(self.model.train_step_count.numpy())
        self.manager.save(self._saved_step)
        self._saved_at = time.perf_counter()


class StopEarly(tf_keras.callbacks.Callback):
    """Stops after `patience` epochs without a better one; 0: never."""

    def __init__(self, recorder: Recorder, patience: int) -> None:
        super().__init__()
        self.recorder = recorder
        self.patience = patience

    def is_due(self) -> bool:
        """Whether the rows so far call for a stop."""
        return 0 < self.patience <= self.recorder.epochs_since_best()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Stops training where it is due."""
        self.model.stop_training = self.model.stop_training or self.is_due()


class StopOnFault(tf_keras.callbacks.Callback):
    """Raises TrainingError once a quantity is no longer finite."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Looks at what the steps just run have noted."""
        fault = self.model.faults.found()
        if fault is None:
            return
        quantity, step = fault
        epoch = step // self.recorder.steps_per_epoch + 1
        raise TrainingError(
            f"{quantity} is not finite at step {step} (epoch {epoch}); "
            f"{_kept_weights(self.recorder)}; try a lower --learning_rate."
        )


class StopOnSignal(tf_keras.callbacks.Callback):
    """On SIGINT or SIGTERM saves what was learned and raises Interrupted.

    Used as a context: the signals are caught inside it. A second signal is
    not waited for: it acts as it would without this callback.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder
        self.received = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        for number in self.SIGNALS:
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Saves and stops, unless the epoch is about to be saved anyway."""
        count = int(self.model.train_step_count.numpy())
        if self.received and count % self.recorder.steps_per_epoch:
            self.recorder.save()
            raise Interrupted(self.received)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Stops once the epoch is saved."""
        if self.received:
            self.recorder.save_rest()
            raise Interrupted(self.received)

    def _receive(self, number: int, frame: Any) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _kept_weights(recorder: Recorder) -> str:
    """Returns which weights a run that fails leaves behind, in words."""
    if not recorder.rows:
        return "no epoch was finished"
    folder = recorder.run_dir.file("weights")
    return f"the weights of epoch {len(recorder.rows)} are in {folder}"


def throughput(rows: list[Row], num_examples: int) -> float:
    """Returns images/s over all epochs but the first, which compiles."""
    timed = rows[1:] or rows
    return num_examples * len(timed) / sum(row["seconds"] for row in timed)
