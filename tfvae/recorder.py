"""Keeps a run folder up to date while a model trains."""

import json
import math
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae import build, weights
from tfvae.errors import TrainingError
from tfvae.learner import Learner
from tfvae.run_dir import Row, RunDir

Logs = dict[str, Any]


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
        self.set_model(model)
        self.run_dir = run_dir
        self.counts = counts
        self.save_seconds = save_seconds
        self.monitor = f"val_{model.monitor}"
        self.num_examples = num_examples
        self.steps_per_epoch = steps_per_epoch
        self.workers = model.workers
        self.epoch_seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        # Of training: validation uses the model's own. And plain: those of a
        # strategy are sums over replicas, read by all workers at once.
        self._means = [tf_keras.metrics.Mean(m.name) for m in model.metrics]
        self.checkpoints = run_dir.checkpoints(
            model, means=self._means, epoch_seconds=self.epoch_seconds
        )
        self.rows: list[Row] = []
        self._restore()
        self.first_step = self._saved_step = self._count(model)
        self._takes_up_means = self.place()[1] > 0
        self._started = 0.0
        self._saved_at = time.perf_counter()

    def place(self) -> tuple[int, int]:
        """Returns (epoch, step within it), from 0, at which to go on.

        The step is beyond the last where the epoch is yet to be validated.
        """
        epoch, step = divmod(self.first_step, self.steps_per_epoch)
        if len(self.rows) < epoch:
            return epoch - 1, self.steps_per_epoch
        return epoch, step

    def _restore(self) -> None:
        """Takes up the newest checkpoint; the chief alone reads the folder."""
        newest, content = None, b""
        if self.workers.is_chief:
            newest = self.checkpoints.newest_whole()
            for fault in self.checkpoints.faults:
                print(fault, flush=True)
        if not self.workers.largest(int(newest is not None)):
            return
        if newest is not None:
            self.checkpoints.restore(newest)
            if self.workers.num_workers > 1:
                content = self.checkpoints.packed(newest)
        content = self.workers.share(content)
        if newest is None:
            self.checkpoints.restore_packed(content)
        rows: list[Row] = []
        if newest is not None:
            epoch = newest // self.steps_per_epoch
            rows = self.run_dir.read_rows(num_epochs=epoch)
        self.rows = json.loads(self.workers.share(json.dumps(rows).encode()))

    def load_best(self) -> None:
        """Gives the model the best epoch's weights, on all workers."""
        content = b""
        if self.workers.is_chief:
            self.run_dir.load_weights(self.model, "best")
            content = self.run_dir.read("weights", "best.npz")
        content = self.workers.share(content)
        if not self.workers.is_chief:
            weights.assign(self.model, content)

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
        if self._takes_up_means:
            _copy(self._means, self.model.metrics)
        else:
            self.epoch_seconds.assign(0.0)
        self._takes_up_means = False
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Measures time up to the last batch."""
        now = time.perf_counter()
        self.epoch_seconds.assign_add(now - self._started)
        self._started = now

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Keeps the means of training, which validation overwrites."""
        _copy(self.model.metrics, self._means)

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
                f"{self.kept_weights()}; try a lower --learning_rate."
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
        if self._saved_step < self._count(self.model):
            self.run_dir.save_weights(self.model, "last")
            self.save()

    def save(self) -> None:
        """Writes a checkpoint of the step just done."""
        self._saved_step = self._count(self.model)
        self.checkpoints.save(self._saved_step)
        self._saved_at = time.perf_counter()

    def save_within_epoch(self) -> None:
        """Writes a checkpoint from which the epoch's training goes on."""
        _copy(self.model.metrics, self._means)
        self.save()

    def kept_weights(self) -> str:
        """Returns which weights a run that fails leaves behind, in words."""
        if not self.rows:
            return "no epoch was finished"
        folder = self.run_dir.file("weights")
        return f"the weights of epoch {len(self.rows)} are in {folder}"

    def _count(self, model: Learner) -> int:
        return int(model.train_step_count.numpy())


def _copy(
    source: list[tf_keras.metrics.Metric], target: list[tf_keras.metrics.Metric]
) -> None:
    for one, other in zip(source, target, strict=True):
        for variable, value in zip(other.variables, one.variables, strict=True):
            variable.assign(value.numpy())
