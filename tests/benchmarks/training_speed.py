"""tfvae against its peers: the same networks, data, loss and optimizer.

Images a second are those of training, from the second epoch on. The time to
quality runs from the start of the process to the first end of an epoch at which
the elbo of the test images, by one draw, is at least -105 nats: start-up,
compilation and the measurement of each epoch are in it, for all alike (for
tfvae the test images are the validation set that it measures anyway, and it is
the time at which metrics.jsonl says so). tfvae's process goes on after that:
it measures its best epoch, draws figures and writes the run folder.

What differs: tfvae's decoder starts at the mean of the training images, and its
conv decoder mirrors the dense layer of 16 (2 to 16 to 3136; 0.7% more FLOP) and
has seed 1: with relu behind so few units two of seeds 0 to 2 learn nothing but
the mean image, at the same speed; PyTorch and JAX by hand leave out the last 96
images of an epoch and do not count them.
"""

import dataclasses
import functools
import json
import statistics
import subprocess
import sys
from typing import Any

from tests.benchmarks import contestants, flops, matrix_peak
from tests.benchmarks.contestants import OWN, Run
from tests.benchmarks.rounds import (
    Comparison,
    Settings,
    interleave,
    say,
    spread,
    table,
)

TARGET_ELBO = -105.0  # nats
EPOCHS = {"mlp": 8, "conv": 4}  # mlp: as many as all take to the target


def compare(network: str, settings: Settings) -> Comparison:
    """Trains every contestant in turn and sets them side by side."""
    names = contestants.choose(settings)
    data = contestants.data_file(settings)
    epochs = settings.epochs or EPOCHS[network]
    peak = measure_peak()

    def measure(name: str, number: int) -> Run:
        folder = settings.folder / f"{network}-{number}" / name
        return contestants.train(
            name, network, epochs=epochs, data=data, folder=folder
        )

    runs = interleave(names, measure, settings.rounds)
    texts = [speed_table(network, runs, peak)]
    if network == "mlp":
        texts.append(quality_table(runs))
    figures = {
        "peak": peak,
        "flop_per_image": flops.per_image(network),
        "runs": {
            name: [dataclasses.asdict(run) for run in own]
            for name, own in runs.items()
        },
    }
    return Comparison("\n\n".join(texts), figures)


def measure_peak() -> dict[str, Any]:
    """Returns library, size and flops of the fastest matrix product."""
    found = []
    for library in matrix_peak.LIBRARIES:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.matrix_peak", library],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            say(f"matrix peak: without {library}")
        else:
            found.append(json.loads(done.stdout.splitlines()[-1]))
    return max(found, key=lambda peak: peak["flops"])


def speed_table(
    network: str, runs: dict[str, list[Run]], peak: dict[str, Any]
) -> str:
    """Returns images a second, fastest first."""
    speeds = {
        name: [run.images_per_second for run in own]
        for name, own in runs.items()
    }
    middle = {name: statistics.median(own) for name, own in speeds.items()}
    flop = flops.per_image(network)
    rows = []
    for name in sorted(runs, key=middle.__getitem__, reverse=True):
        ratio = f"{middle[name] / middle[OWN]:.2f}" if OWN in runs else ""
        last = [run.rows[-1] for run in runs[name]]
        rows.append(
            [
                name,
                spread(speeds[name], ",.0f"),
                ratio,
                f"{middle[name] * flop / peak['flops']:.0%}",
                f"{statistics.median(row['loss'] for row in last):.2f}",
                f"{statistics.median(row['elbo'] for row in last):.2f}",
            ]
        )
    unneeded = flops.first_input_gradient(network) / flop
    title = (
        f"**{network}**, {flop / 1e6:.2f} MFLOP an image ({unneeded:.0%} of it "
        "the gradient to x, which nobody needs); matrix peak "
        f"{peak['flops'] / 1e9:.0f} GFLOP/s ({peak['library']}, "
        f"{peak['size']} x {peak['size']})"
    )
    head = [
        "", "images/s", f"of {OWN}'s", "of the peak", "loss", "test elbo",
    ]  # fmt: skip
    return table(title, head, rows)


def quality_table(runs: dict[str, list[Run]]) -> str:
    """Returns seconds to the target, soonest first; never: too few epochs."""
    rows = []
    for name, own in runs.items():
        times = [run.seconds_to(TARGET_ELBO) for run in own]
        reached = [seconds for seconds in times if seconds is not None]
        whole = statistics.median(run.seconds for run in own)
        first = statistics.median(run.rows[0]["since_start"] for run in own)
        if len(reached) < len(times):
            rows.append((float("inf"), name, "never", first, whole))
        else:
            middle = statistics.median(reached)
            rows.append((middle, name, spread(reached, ".1f"), first, whole))
    title = f"**Time to quality**: mlp, test elbo of {TARGET_ELBO:g} nats"
    head = ["", "seconds", "to the end of epoch 1", "whole command"]
    cells = [
        [name, told, f"{first:.1f}", f"{whole:.1f}"]
        for _, name, told, first, whole in sorted(rows)
    ]
    return table(title, head, cells)


mlp = functools.partial(compare, "mlp")
conv = functools.partial(compare, "conv")
