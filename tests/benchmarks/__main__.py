"""All comparisons of speed: python -m tests.benchmarks --help.

Prints Markdown tables and writes FOLDER/benchmarks.json. Nothing else should
run; to use two cores, start it as `taskset -c 0,1 python -m tests.benchmarks`.
"""

import argparse
import json
import os
import pathlib
import platform

from tests.benchmarks.comparisons import COMPARISONS
from tests.benchmarks.contestants import OWN_TASKS, PEERS
from tests.benchmarks.rounds import Settings, say
from tfvae import program
from tfvae.errors import InputError

LEAST_EPOCHS = 2


def main(argv: list[str]) -> int:
    """Runs the comparisons that are asked for."""
    line = _parse(argv[1:])
    settings = Settings(
        folder=pathlib.Path(line.folder),
        data_dir=line.data_dir,
        rounds=line.rounds,
        epochs=line.epochs,
        contestants=line.contestants,
    )
    if line.rounds < 1 or line.epochs in range(LEAST_EPOCHS):
        raise InputError(
            f"`rounds` must be at least 1 and `epochs` at least {LEAST_EPOCHS} "
            f"(the first one compiles); got {line.rounds} and {line.epochs}."
        )
    settings.folder.mkdir(parents=True, exist_ok=True)
    cores = len(os.sched_getaffinity(0))
    figures = {"cores": cores, "machine": platform.platform()}
    for name in line.only or COMPARISONS:
        say(f"{name}, {cores} cores")
        comparison = COMPARISONS[name](settings)
        print(comparison.text, end="\n\n", flush=True)
        figures[name] = comparison.figures
        path = settings.folder / "benchmarks.json"
        path.write_text(json.dumps(figures, indent=2) + "\n")
    return program.DONE


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Compares tfvae's speed with that of its peers.",
    )
    parser.add_argument("--folder", default="benchmarks")
    parser.add_argument("--data_dir", default="", help="of TFDS")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="of each measurement")
    parser.add_argument(
        "--only", nargs="+", choices=list(COMPARISONS), help="comparisons"
    )
    parser.add_argument(
        "--contestants", nargs="+", choices=[*OWN_TASKS, *PEERS], default=[]
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    program.run_main(main)
