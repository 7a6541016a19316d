"""What a search leaves behind: a result a trial, and the table of them."""

import csv
import dataclasses
import io
from collections.abc import Sequence
from typing import Any

from tfvae import atomic

COMPLETED, FAILED, RUNNING = "COMPLETED", "FAILED", "RUNNING"
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


def write_csv(path: str, results: Sequence[Result]) -> None:
    """Writes trials.csv whole: a row a trial, in the order given.

    Args:
      path: of the file.
      results: of trials that share a space.
    """
    names = list(dict.fromkeys(n for r in results for n in r.values))
    figures = [name for name in FIGURES if name not in names]
    header = ["trial", "status", *names, "objective", *figures, "message"]
    text = io.StringIO()
    table = csv.DictWriter(text, header, restval="", lineterminator="\n")
    table.writeheader()
    for result in results:
        row = {
            "trial": result.trial,
            "status": result.status,
            "objective": result.objective,
            "message": result.message,
        }
        shown = {name: result.figures.get(name) for name in figures}
        table.writerow(row | result.values | shown)
    atomic.write_whole(path, lambda file: file.write(text.getvalue().encode()))
