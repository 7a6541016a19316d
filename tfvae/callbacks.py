"""What ends training: faults, signals, epochs that get no better."""

import signal
from typing import Any

import tf_keras

from tfvae.errors import TrainingError
from tfvae.recorder import Logs, Recorder
from tfvae.run_dir import Row


class Interrupted(Exception):
    """Training stopped at a signal, with everything saved.

    Attributes:
      signal_number: of the signal.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number


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
            f"{self.recorder.kept_weights()}; try a lower --learning_rate."
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
        """Saves and stops, unless the epoch's training is done anyway."""
        count = int(self.model.train_step_count.numpy())
        if self._is_told() and count % self.recorder.steps_per_epoch:
            self.recorder.save_within_epoch()
            raise Interrupted(self.received)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Saves what was trained, and stops; validation is begun again."""
        if self._is_told():
            self.recorder.save()
            raise Interrupted(self.received)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Stops once the epoch is saved."""
        if self._is_told():
            self.recorder.save_rest()
            raise Interrupted(self.received)

    def _is_told(self) -> bool:
        """Whether this worker or another was sent a signal."""
        told = self.recorder.workers.largest(self.received)
        if told:  # else one may have come while the others were asked
            self.received = told
        return bool(told)

    def _receive(self, number: int, frame: Any) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def throughput(rows: list[Row], num_examples: int) -> float:
    """Returns images/s over all epochs but the first, which compiles."""
    timed = rows[1:] or rows
    return num_examples * len(timed) / sum(row["seconds"] for row in timed)
