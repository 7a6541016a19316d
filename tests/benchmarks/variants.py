"""tfvae against itself: precision, XLA, replicas, on the peers' networks.

Images a second are of training, from the second epoch on; the elbo is that of
the test images after the last epoch. `mirrored` splits the CPU into two logical
devices, which share its cores: it shows what summing gradients costs, not what
two devices give.
"""

import json
import pathlib
import statistics
import subprocess
import sys
from typing import Any

from tests.benchmarks import contestants, rounds
from tests.benchmarks.rounds import Comparison, Settings
from tfvae.callbacks import throughput

EPOCHS = {"mlp": 8, "conv": 3}
NUM_TRAINED = 60_000
VARIANTS = {
    "default": (),
    "bfloat16": ("--precision=bfloat16",),
    "XLA on": ("--jit_compile=on",),
    "XLA off": ("--jit_compile=off",),
    "mirrored": (
        "--strategy=mirrored", "--num_virtual_devices=2", "--jit_compile=off",
    ),
}  # fmt: skip


def compare(settings: Settings) -> Comparison:
    """Trains both networks in every variant."""
    data = contestants.data_file(settings)
    runs = {
        f"{network}, {variant}": (network, flags)
        for network in EPOCHS
        for variant, flags in VARIANTS.items()
    }

    def measure(name: str, number: int) -> dict[str, float]:
        network, flags = runs[name]
        folder = settings.folder / f"variants-{number}" / name
        epochs = settings.epochs or EPOCHS[network]
        return _train(folder, data, network, epochs, flags)

    found = rounds.interleave(runs, measure, settings.rounds)
    rows = []
    for name, results in found.items():
        speeds = [result["images_per_second"] for result in results]
        network = name.partition(",")[0]
        base = [r["images_per_second"] for r in found[f"{network}, default"]]
        ratio = statistics.median(speeds) / statistics.median(base)
        elbo = statistics.median(result["elbo"] for result in results)
        rows.append(
            (name, rounds.spread(speeds, ",.0f"), f"{ratio:.2f}", f"{elbo:.2f}")
        )
    head = ("run", "images/s", "of the default", "test elbo")
    figures: dict[str, Any] = dict(found)
    return Comparison(rounds.table("tfvae's own settings", head, rows), figures)


def _train(
    folder: pathlib.Path,
    data: str,
    network: str,
    epochs: int,
    flags: tuple[str, ...],
) -> dict[str, float]:
    command = [
        sys.executable, "-m", "tfvae.train", "--overwrite",
        f"--epochs={epochs}", f"--dataset=npz:{data}", f"--run_dir={folder}",
        *contestants.TASK_FLAGS, *contestants.OWN_FLAGS[network], *flags,
    ]  # fmt: skip
    return run(command, folder)


def run(command: list[str], folder: pathlib.Path) -> dict[str, float]:
    """Trains in a folder; returns images a second and the last elbo."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return {
        "images_per_second": throughput(rows, NUM_TRAINED),
        "elbo": rows[-1]["val_elbo"],
    }
