"""What a search finds, and what it costs beside training.

python -m tests.benchmarks.search quality FOLDER   # by hand, 15 minutes
python -m tests.benchmarks.search cost FOLDER [--num=N]

`quality`: digits, 20 trials of 30 epochs by Bayesian optimisation against the
full grid of 6 by 6: the best nll of both, and the best C beside its C*.

`cost`: trials of few epochs at N different latent sizes, 50 in all: each
trial's seconds beyond its epochs, and the process's memory.
"""

import csv
import gc
import os
import pathlib
import subprocess
import sys
import time

from tfvae.config import Config
from tuning import tuners
from tuning.hypermodel import VAEHyperModel
from tuning.results import Result
from tuning.space import make_space

NUM_TRIALS = 50
COST_EPOCHS = 5
PAGE = os.sysconf("SC_PAGE_SIZE")


def main(what: str, folder: str, *more: str) -> None:
    """Runs one of the two and prints its table."""
    {"quality": quality, "cost": cost}[what](folder, *more)


def quality(folder: str) -> None:
    """Compares Bayesian optimisation with the full grid."""
    print("| algorithm | trials | seconds | best nll | latent_dim | C | C* |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for algorithm in ("bayesian", "grid"):
        directory = os.path.join(folder, algorithm)
        started = time.perf_counter()
        subprocess.run(
            [
                sys.executable, "-m", "tuning.search", "--epochs=30",
                f"--directory={directory}", f"--algorithm={algorithm}",
            ],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        table = pathlib.Path(directory, "trials.csv").read_text().splitlines()
        rows = list(csv.DictReader(table))
        best = min(rows, key=lambda row: float(row["nll"]))
        cells = [float(best[n]) for n in ("nll", "latent_dim", "C", "C_star")]
        told = " | ".join(f"{cell:.4g}" for cell in cells)
        print(f"| {algorithm} | {len(rows)} | {seconds:.0f} | {told} |")


class Meter:
    """A reporter that measures the process as trials end."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.megabytes: list[float] = []
        self.peaks: list[float] = []
        self._ended_at = time.perf_counter()

    def begin(self, trial: object) -> None:
        """See `tuners.Reporter`."""

    def end(self, result: Result) -> None:
        """Notes what lies between two trials beside the epochs, and memory."""
        now = time.perf_counter()
        epochs = result.figures["train_seconds"]
        self.seconds.append(now - self._ended_at - epochs)
        self._ended_at = now
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        self.megabytes.append(pages * PAGE / 2**20)
        status = pathlib.Path("/proc/self/status").read_text()
        peak = status.split("VmHWM:")[1].split()[0]
        self.peaks.append(int(peak) / 2**10)


def cost(folder: str, num: str = "--num=50") -> None:
    """Measures time and memory of a search by grid."""
    sizes = int(num.removeprefix("--num="))
    space = {
        "latent_dim": {"choice": list(range(2, 2 + sizes))},
        "C": {"float": [1, 100], "log": True, "num": NUM_TRIALS // sizes},
    }
    if sizes == NUM_TRIALS:
        del space["C"]
    tuner = tuners.GridSearch(
        VAEHyperModel(Config(epochs=COST_EPOCHS), make_space(space)),
        directory=folder,
        overwrite=True,
        max_trials=None,
    )
    tuner.hypermodel.check()
    gc.collect()
    gc.freeze()  # as the program does
    meter = Meter()
    tuner.reporter = meter
    tuner.search()
    print("| trial | beyond its epochs, s | RSS, MB | peak, MB |")
    print("| --- | --- | --- | --- |")
    for trial in (1, 2, 3, 5, 10, 20, 30, 40, NUM_TRIALS):
        row = (meter.seconds, meter.megabytes, meter.peaks)
        print(
            f"| {trial} | "
            + " | ".join(f"{values[trial - 1]:.2f}" for values in row)
            + " |"
        )
    later = sorted(meter.seconds[1:])
    print(f"after the first: median {later[len(later) // 2]:.2f} s, ", end="")
    print(f"largest {later[-1]:.2f} s beyond the epochs; ", end="")
    print(f"peak at 50 over peak at 5: {meter.peaks[49] / meter.peaks[4]:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
