"""How far a search has come: a line a trial, and a bar on a terminal."""

import sys
import time
from collections.abc import Callable
from typing import Any

import tf_keras
import tqdm

from tfvae import settings
from tuning.results import COMPLETED, Result

SHOWN_DIGITS = 4


class Progress:
    """Tells of trials as they end, with the time that is left.

    Used as a context.

    Args:
      objective: name of what trials are compared by.
      direction: "min" or "max".
      num_trials: that the search will have; None: not known.
      num_epochs: of a trial.
      known: trials that had ended before.
      on_result: told of each further trial that ends.
    """

    def __init__(
        self,
        *,
        objective: str,
        direction: str,
        num_trials: int | None,
        num_epochs: int,
        known: list[Result],
        on_result: Callable[[Result], Any],
    ) -> None:
        self._objective = objective
        self._sign = {"min": 1, "max": -1}[direction]
        self._num_trials = num_trials
        self._num_epochs = num_epochs
        self._on_result = on_result
        self._ended = {result.trial: result for result in known}
        self._num_known = len(self._ended)
        self._started = time.perf_counter()
        self._bar: tqdm.tqdm | None = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            self._bar = tqdm.tqdm(
                total=self._num_trials, initial=len(self._ended),
                unit=" trials", dynamic_ncols=True,
            )  # fmt: skip
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def callback(self) -> tf_keras.callbacks.Callback:
        """Returns the Keras callback that moves the bar within a trial."""

        def show(epoch: int, logs: Any) -> None:
            if self._bar is not None:
                text = f"epoch {epoch + 1}/{self._num_epochs}"
                self._bar.set_postfix_str(text)

        return tf_keras.callbacks.LambdaCallback(on_epoch_end=show)

    def begin(self, trial: Any) -> None:
        """A trial begins."""
        if self._bar is not None:
            self._bar.set_description(f"trial {trial.trial_id}")

    def end(self, result: Result) -> None:
        """A trial has ended; a trial that is known already is left out."""
        if result.trial in self._ended:
            return
        self._ended[result.trial] = result
        self._on_result(result)
        line = self._line(result)
        if self._bar is None:
            print(line, flush=True)
        else:
            self._bar.write(line)
            self._bar.update()

    def _line(self, result: Result) -> str:
        total = "" if self._num_trials is None else f"/{self._num_trials}"
        drawn = "  ".join(
            f"{name} {_shown(value)}" for name, value in result.values.items()
        )
        if result.status == COMPLETED:
            told = f"{self._objective} {_shown(result.objective)}"
            best = self._best()
            told += f" (best {_shown(best.objective)}, trial {best.trial})"
            told += f"  {result.figures['seconds']:.1f} s"
        else:
            told = f"failed: {result.message}"
        head = f"trial {result.trial} ({len(self._ended)}{total})"
        return f"{head}  {drawn}  {told}{self._left()}"

    def _best(self) -> Result:
        completed = [
            result
            for result in self._ended.values()
            if result.status == COMPLETED
        ]
        return min(completed, key=lambda r: self._sign * (r.objective or 0.0))

    def _left(self) -> str:
        if self._num_trials is None:
            return ""
        num_done = len(self._ended) - self._num_known
        seconds = (time.perf_counter() - self._started) / num_done
        left = seconds * (self._num_trials - len(self._ended))
        return f"  {tqdm.tqdm.format_interval(left)} left"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.{SHOWN_DIGITS}g}"
    return settings.to_text(value)
