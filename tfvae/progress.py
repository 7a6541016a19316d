"""How far a run has come: a bar, or a line an epoch."""

import sys

import tf_keras
import tqdm

from tfvae.recorder import Logs, Recorder


class Progress(tf_keras.callbacks.Callback):
    """A bar where the output is a terminal, else a line an epoch."""

    SHOWN = ("loss", "elbo", "kl")

    def __init__(self, recorder: Recorder, *, num_epochs: int) -> None:
        super().__init__()
        self.recorder = recorder
        self.num_epochs = num_epochs
        self.bar: tqdm.tqdm | None = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            self.bar = tqdm.tqdm(
                total=self.num_epochs * self.recorder.num_examples,
                initial=self._images_seen(self.recorder.first_step),
                unit=" images", unit_scale=True, dynamic_ncols=True,
            )  # fmt: skip
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Moves the bar; the means are read only where it is drawn anew."""
        if self.bar is None:
            return
        step = int(self.model.train_step_count.numpy())
        epoch = (step - 1) // self.recorder.steps_per_epoch + 1
        self.bar.set_description(f"epoch {epoch}/{self.num_epochs}", False)
        if self.bar.update(self._images_seen(step) - self.bar.n):
            means = {mean.name: mean for mean in self.model.metrics}
            shown = {
                key: f"{float(means[key].result()):.2f}"
                for key in self.SHOWN
                if key in means and self.model.workers.num_workers == 1
            }
            self.bar.set_postfix(shown)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Prints the epoch's line."""
        if self.bar is not None:
            return
        assert logs is not None
        left = (self.num_epochs - epoch - 1) * logs["seconds"]
        shown = "  ".join(
            f"{key} {logs[key]:.2f}"
            for key in (*self.SHOWN, self.recorder.monitor)
            if key in logs
        )
        print(
            f"epoch {epoch + 1}/{self.num_epochs}  {shown}  "
            f"{logs['images_per_second']:,.0f} images/s  "
            f"{tqdm.tqdm.format_interval(left)} left",
            flush=True,
        )

    def _images_seen(self, step: int) -> int:
        recorder = self.recorder
        epochs, within = divmod(step, recorder.steps_per_epoch)
        share = within / recorder.steps_per_epoch
        return round((epochs + share) * recorder.num_examples)
