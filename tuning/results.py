"""What a search leaves behind: a result a trial, and the table of them."""

import csv
import dataclasses
import io
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tfvae.config import Config
from tfvae.folder import write_whole

if TYPE_CHECKING:  # it loads keras-tuner
    from tuning.space import Space

COMPLETED, FAILED, RUNNING = "COMPLETED", "FAILED", "RUNNING"
FIGURES_NAME, FAILURE_NAME = "figures.json", "failure.txt"
# Of a completed trial, on the validation set: nats, but mse over pixels.
FIGURES = (
    "nll", "nll_stderr", "elbo", "rate", "distortion_nats", "mse", "C_at_end",
    "C_star", "best_epoch", "epochs", "seed", "num_parameters", "seconds",
    "train_seconds",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Result:
    """One trial: a row of trials.csv.

    Attributes:
      trial: its id, "07".
      status: COMPLETED, FAILED or RUNNING.
      values: the settings that were drawn, by name.
      objective: value of what is optimised; None unless completed.
      figures: FIGURES of a completed trial, else empty. C_star is None where
        the likelihood has no closed form.
      message: why it failed.
    """

    trial: str
    status: str
    values: dict[str, Any]
    objective: float | None
    figures: dict[str, Any]
    message: str = ""


class Reporter(Protocol):
    """Is told of trials."""

    def begin(self, trial: Any) -> None:
        """A trial of keras-tuner begins."""

    def end(self, result: Result) -> None:
        """A trial has ended."""


def of_trial(
    trial: Any, folder: str, space: "Space", *, objective: str
) -> Result:
    """Returns the result of one of keras-tuner's trials.

    Args:
      trial: of keras-tuner; a worker's has no message.
      folder: where the trial left its figures, or why it failed.
      space: that it was drawn from.
      objective: name of what is optimised.
    """
    figures, message = {}, trial.message or ""
    if trial.status == COMPLETED:
        figures = json.loads(_text(os.path.join(folder, FIGURES_NAME)))
    failure = os.path.join(folder, FAILURE_NAME)
    if trial.status == FAILED and os.path.exists(failure):
        message = _text(failure)
    return Result(
        trial=trial.trial_id,
        status=trial.status,
        values=space.drawn(trial.hyperparameters.values),
        objective=figures.get(objective),
        figures=figures,
        message=message,
    )


def ranked(results: Sequence[Result], *, direction: str) -> list[Result]:
    """Returns the completed trials, best first.

    Args:
      results: of any status.
      direction: "min" or "max", of the objective.
    """
    sign = {"min": 1, "max": -1}[direction]
    return sorted(
        (result for result in results if result.status == COMPLETED),
        key=lambda result: sign * result.objective,  # type: ignore[operator]
    )


def write_csv(path: str, results: Sequence[Result], *, base: Config) -> None:
    """Writes trials.csv whole: a row a trial, in the order given.

    Args:
      path: of the file.
      results: of trials that share a space.
      base: what is not searched; latent_dim and C are told all the same.
    """
    searched = (name for result in results for name in result.values)
    names = list(dict.fromkeys(["latent_dim", "C", *searched]))
    figures = [name for name in FIGURES if name not in names]
    header = ["trial", "status", *names, "objective", *figures, "message"]
    text = io.StringIO()
    table = csv.DictWriter(text, header, restval="", lineterminator="\n")
    table.writeheader()
    for result in results:
        row = {
            "latent_dim": base.latent_dim,
            "C": result.figures.get("C_at_end", base.C),
            "trial": result.trial,
            "status": result.status,
            "objective": result.objective,
            "message": result.message,
        }
        shown = {name: result.figures.get(name) for name in figures}
        table.writerow(row | result.values | shown)
    write_whole(path, lambda file: file.write(text.getvalue().encode()))


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
