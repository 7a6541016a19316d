"""Two workers on this machine's cores against one process on all of them.

The dense network of the peers' comparison, global batch 1,024, so that a worker
of two has batches of 512. What two workers cost is the exchange of gradients
and an optimizer that runs twice; what they would give on two machines is not
measured here.
"""

import pathlib
import statistics
import sys
from typing import Any

from tests.benchmarks import contestants, rounds, variants
from tests.benchmarks.rounds import Comparison, Settings

EPOCHS = 8
BATCH_SIZE = 1024
ALONE = "one process"
RUNS = {
    ALONE: ("tfvae.train",),
    "one process, no XLA": ("tfvae.train", "--jit_compile=off"),
    "2 workers": ("tfvae.launch", "--workers=2", "--"),
}


def compare(settings: Settings) -> Comparison:
    """Trains in every way, in turn."""
    data = contestants.data_file(settings)

    def measure(name: str, number: int) -> dict[str, float]:
        folder = settings.folder / f"workers-{number}" / name
        return _train(folder, data, settings.epochs or EPOCHS, RUNS[name])

    found = rounds.interleave(RUNS, measure, settings.rounds)
    alone = [result["images_per_second"] for result in found[ALONE]]
    rows = []
    for name, results in found.items():
        speeds = [result["images_per_second"] for result in results]
        ratio = statistics.median(speeds) / statistics.median(alone)
        elbo = statistics.median(result["elbo"] for result in results)
        rows.append(
            (name, rounds.spread(speeds, ",.0f"), f"{ratio:.2f}", f"{elbo:.2f}")
        )
    head = ("run", "images/s", f"of {ALONE}", "validation elbo")
    figures: dict[str, Any] = dict(found)
    return Comparison(rounds.table("two workers", head, rows), figures)


def _train(
    folder: pathlib.Path, data: str, epochs: int, program: tuple[str, ...]
) -> dict[str, float]:
    command = [
        sys.executable, "-m", *program, "--overwrite", f"--epochs={epochs}",
        f"--batch_size={BATCH_SIZE}", f"--dataset=npz:{data}",
        f"--run_dir={folder}", *contestants.TASK_FLAGS,
        *contestants.OWN_FLAGS["mlp"],
    ]  # fmt: skip
    return variants.run(command, folder)
