"""Profile(Callback): a trace of some steps, and where an epoch's time goes."""

from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.folder import Folder
from tfvae.profiling import clock, table, trace
from tfvae.profiling.summary import summarize

MOST_TRACED_STEPS = 200  # their trace has about 10 MB
LOGS, RESULT = "tensorboard", "profile.json"


class Profile(clock.Last):
    """Profiles training from outside; what is learned stays the same.

    The first epoch compiles, so it is looked at only where it is the only one,
    from its middle on. What follows it is traced, in whole executions, until
    they have 200 steps or the epoch ends; all the rest is timed by the wall
    clock.

    Train with `around(callbacks)` in place of the callbacks, then `write()`.

    Args:
      folder: of the run; the trace goes to its `tensorboard`.
      num_examples: in an epoch.
      steps_per_epoch: global batches in an epoch.
      num_epochs: of the run.
    """

    def __init__(
        self,
        folder: Folder,
        *,
        num_examples: int,
        steps_per_epoch: int,
        num_epochs: int,
    ) -> None:
        super().__init__(clock.Clock())
        self.folder = folder
        self.num_examples = num_examples
        self.steps_per_epoch = steps_per_epoch
        self.num_epochs = num_epochs
        self._num_begun = 0
        self._is_only_epoch = False

    def around(
        self, callbacks: list[tf_keras.callbacks.Callback]
    ) -> list[tf_keras.callbacks.Callback]:
        """Returns the callbacks between those that measure."""
        return [clock.First(self.clock), *callbacks, self]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Traces from the second epoch on."""
        self._num_begun += 1
        is_last = epoch + 1 >= self.num_epochs
        self._is_only_epoch = self._num_begun == 1 and is_last
        if self._num_begun == 2:
            self._start_trace()
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Begins or ends the trace where it is time to."""
        super().on_train_batch_end(batch, logs)
        step = int(self.model.train_step_count.numpy()) % self.steps_per_epoch
        is_enough = self.clock.account.steps >= MOST_TRACED_STEPS or not step
        is_late = self._is_only_epoch and 2 * step >= self.steps_per_epoch
        if self.clock.part == clock.TRACED and is_enough:
            tf.profiler.experimental.stop()
            self.clock.part = clock.TIMED
        elif self.clock.part == clock.COMPILING and is_late:
            self._start_trace()
        self.clock.lap()  # the profiler's own time is of no account

    def write(self) -> str:
        """Measures the machine's peak and writes profile.json.

        Returns:
          text: what it holds, in a few lines.
        """
        if not self.clock.accounts[clock.TRACED].steps:
            return (
                "nothing to profile: no execution came after the one that "
                "compiles; give more --epochs"
            )
        summary = summarize(
            self.model,
            self.clock.accounts,
            trace.read(self.folder.file(LOGS)),
            num_examples=self.num_examples,
            steps_per_epoch=self.steps_per_epoch,
        )
        self.folder.write_json(RESULT, summary)
        return table.text(summary, self.folder.file(LOGS))

    def _start_trace(self) -> None:
        tf.profiler.experimental.start(self.folder.file(LOGS))
        self.clock.part = clock.TRACED
