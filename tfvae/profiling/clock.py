"""Wall clock of training: how long its steps take, and what is between them."""

import collections
import time
from typing import Any

import tensorflow as tf
import tf_keras

# Parts of a run.
COMPILING, TRACED, TIMED = "compiling", "traced", "timed"


class Account:
    """What came together in one part of a run.

    Attributes:
      steps: that were run.
      epochs: that ended.
      stepping: seconds in executions of steps.
      between: seconds of callbacks after executions.
      validation: seconds from the last execution of an epoch to its callbacks.
      closing: seconds of callbacks at the end of epochs, saving among them.
    """

    def __init__(self) -> None:
        self.steps = self.epochs = 0
        self.stepping = self.between = self.validation = self.closing = 0.0


class Clock:
    """Ascribes time to the parts of a run.

    Attributes:
      part: of the run, under way.
    """

    def __init__(self) -> None:
        self.part = COMPILING
        self.accounts: dict[str, Account] = collections.defaultdict(Account)
        self._since = time.perf_counter()

    @property
    def account(self) -> Account:
        """Of the part under way."""
        return self.accounts[self.part]

    def lap(self) -> float:
        """Returns seconds since the last call."""
        before, self._since = self._since, time.perf_counter()
        return self._since - before


class First(tf_keras.callbacks.Callback):
    """Is told before all other callbacks: what was, was the loop's own time.

    Args:
      clock: that takes note of it.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self._step = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Takes note of the first step."""
        self._step = int(self.model.train_step_count.numpy())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends an execution of steps, once the devices are done with it."""
        tf.test.experimental.sync_devices()
        self.clock.account.stepping += self.clock.lap()
        step = int(self.model.train_step_count.numpy())
        self.clock.account.steps += step - self._step
        self._step = step

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Ends the validation."""
        self.clock.account.validation += self.clock.lap()


class Last(tf_keras.callbacks.Callback):
    """Is told after all other callbacks: what was, was theirs.

    Args:
      clock: that takes note of it.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begins to count."""
        self.clock.lap()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends the callbacks of an execution."""
        self.clock.account.between += self.clock.lap()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Ends the callbacks of an epoch."""
        self.clock.account.closing += self.clock.lap()
        self.clock.account.epochs += 1
