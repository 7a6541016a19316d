"""How long a run takes to begin, and a short one to end.

python -m tests.benchmarks.startup FOLDER [DATA_DIR [ROUNDS]]

Each moment is measured from the start of a process, beside that at which
`python -c "import tensorflow"` has ended, all in turn.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
from typing import Any
from unittest import mock

from tests.benchmarks import rounds as rounds_lib

IMPORT = "import tensorflow"
LIMITS = {"--help": 0.5, "digits: to the prompt": 20.0}  # seconds
DATASETS = ("digits", "mnist")
MOMENTS = {
    "ready": "data loaded, model built",
    "stepped": "and the first steps traced, compiled and run",
}


def measure(
    folder: str, *, data_dir: str, rounds: int
) -> dict[str, list[float]]:
    """Measures every moment once a round.

    Args:
      folder: for the runs.
      data_dir: where TFDS keeps MNIST; empty: its own.
      rounds: how many.

    Returns:
      {name: [rounds]}, seconds since the start of the process.
    """
    root = pathlib.Path(folder)
    programs = {
        IMPORT: ["-c", IMPORT],
        "--help": ["-m", "tfvae.train", "--help"],
        **{
            dataset: ["-m", __spec__.name, "stamp", f"--dataset={dataset}",
                      f"--data_dir={data_dir}", f"--run_dir={root / dataset}"]
            for dataset in DATASETS
        },
        "digits: to the prompt": [
            "-m", "tfvae.train", f"--run_dir={root / 'whole'}"
        ],
    }  # fmt: skip

    def once(name: str, _: int) -> dict[str, float]:
        for run in (*DATASETS, "whole"):
            shutil.rmtree(root / run, ignore_errors=True)
        return _seconds(name, programs[name])

    found = rounds_lib.interleave(programs, once, rounds)
    return {
        name: [result[name] for result in results]
        for results in found.values()
        for name in results[0]
    }


def table(figures: dict[str, list[float]]) -> str:
    """Returns the figures of `measure` in Markdown."""
    imported = statistics.median(figures[IMPORT])
    rows = []
    for name, seconds in figures.items():
        limit = f"{LIMITS[name]:g}" if name in LIMITS else ""
        ratio = statistics.median(seconds) / imported
        spread = rounds_lib.spread(seconds, ".2f")
        rows.append((name, spread, limit, f"{ratio:.2f}"))
    head = ("from the command to", "seconds", "limit", f"of `{IMPORT}`")
    return rounds_lib.table("Start-up", head, rows)


def _seconds(name: str, program: list[str]) -> dict[str, float]:
    """Runs a program; returns what was measured of it, by name."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    start = time.time()
    ended = subprocess.run(
        [sys.executable, *program],
        check=True, text=True, stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    seconds = time.time() - start
    if name not in DATASETS:
        return {name: seconds}
    stamps = json.loads(ended.stdout.splitlines()[-1])
    return {
        f"{name}: {words}": stamps[moment] - start
        for moment, words in MOMENTS.items()
    }


def stamp(arguments: list[str]) -> None:
    """Trains until the first steps are done; prints when as JSON, and ends."""
    from tfvae import train

    build = train._build

    def timed(*given: Any) -> Any:
        model, recorder = build(*given)
        stamps = {"ready": time.time()}

        def end(*_: Any) -> None:
            print(json.dumps(stamps | {"stepped": time.time()}), flush=True)
            os._exit(0)

        mock.patch.object(recorder, "on_train_batch_end", end).start()
        return model, recorder

    with mock.patch.object(train, "_build", timed):
        train.main(["train", *arguments])


def main(folder: str, data_dir: str = "", rounds: str = "5") -> None:
    """Prints the table, and writes FOLDER/startup.json."""
    figures = measure(folder, data_dir=data_dir, rounds=int(rounds))
    path = pathlib.Path(folder) / "startup.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print(table(figures))


if __name__ == "__main__":
    if sys.argv[1:2] == ["stamp"]:
        stamp(sys.argv[2:])
    else:
        main(*sys.argv[1:])
