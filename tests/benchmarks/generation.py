"""Generation and evaluation of MNIST models: speed, and peak memory.

python -m tests.benchmarks.generation FOLDER [DATA_DIR]

Trains an mlp and a convolutional model for one epoch below FOLDER, then times
in one process, the contestants in turn: 30,000 samples by `parts.sample`, by a
loop over `VAE.decode` as it is, batch by batch, and by the same loop under XLA;
and, of 1,000 test images, the bound by 100 draws each, in decoded x a second.
Peak memory is that of `python -m tfvae.generate sample --out=F.npz`.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.data.load import load_data
from tfvae.examples import load_examples
from tfvae.generation import codes, parts
from tfvae.metrics import decoding, likelihood
from tfvae.run_dir import Run, load_run
from tfvae.vae import VAE

NETWORKS = {
    "mlp": ["--architecture=mlp", "--hidden_units=512,512"],
    "conv": ["--architecture=conv", "--filters=32,64", "--hidden_units=16"],
}
NUM_TIMED = 30_000
NUM_EXAMPLES, NUM_DRAWS = 1000, 100
NUMS = (1000, 100_000, 400_000)

Row = dict[str, Any]


def measure(folder: str, *, data_dir: str, rounds: int) -> dict[str, Any]:
    """Returns speeds, medians of the rounds, and peak memory.

    Args:
      folder: for runs and archives.
      data_dir: where TFDS keeps MNIST.
      rounds: of all contestants, one after another.

    Returns:
      {"speed": [{"network", "what", "per_second", "ratio"}, ...],
       "memory": [{"network", "num", "peak_mib", "seconds"}, ...]}; ratio: to
      the loop over `VAE.decode` of the same network.
    """
    speed, memory = [], []
    for network, flags in NETWORKS.items():
        run_dir = os.path.join(folder, network)
        _program(
            "tfvae.train", f"--run_dir={run_dir}", "--dataset=mnist",
            f"--data_dir={data_dir}", "--likelihood=bernoulli", "--epochs=1",
            *flags,
        )  # fmt: skip
        memory += [_memory(run_dir, network, num) for num in NUMS]
        speed += _speed(load_run(run_dir), network, rounds)
    return {"speed": speed, "memory": memory}


def tables(measured: dict[str, Any]) -> str:
    """Returns what `measure` gives as Markdown."""
    lines = ["| network | what | x/s | ratio |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {row['network']} | {row['what']} | {row['per_second']:,.0f} | "
        f"{row['ratio']:.2f} |"
        for row in measured["speed"]
    ]
    lines += ["", "| network | samples | peak MiB | seconds |",
              "| --- | --- | --- | --- |"]  # fmt: skip
    lines += [
        f"| {row['network']} | {row['num']:,} | {row['peak_mib']:,.0f} | "
        f"{row['seconds']:.0f} |"
        for row in measured["memory"]
    ]
    return "\n".join(lines)


def _speed(run: Run, network: str, rounds: int) -> list[Row]:
    model = run.model
    assert isinstance(model, VAE)
    test = load_data(run.config).test
    x = load_examples(run.config, test, num_examples=NUM_EXAMPLES).x
    estimate = likelihood.estimator(model)

    def bound() -> int:
        estimate(x, num_samples=NUM_DRAWS)
        return len(x) * NUM_DRAWS

    def made_in_parts() -> int:
        made = parts.sample(model, NUM_TIMED, seed=0)
        return sum(len(part) for part in made.arrays["x"])

    contestants: dict[str, Callable[[], int]] = {
        "loop over VAE.decode": _loop(model, lambda z: model.decode(z).mean()),
        "the same, under XLA": _loop(
            model,
            tf.function(lambda z: model.decode(z).mean(), jit_compile=True),
        ),
        "parts.sample": made_in_parts,
        f"bound by {NUM_DRAWS} draws": bound,
    }
    seen: dict[str, list[float]] = {what: [] for what in contestants}
    for _ in range(rounds + 1):
        for what, contestant in contestants.items():
            start = time.perf_counter()
            num = contestant()
            seen[what].append(num / (time.perf_counter() - start))
    # The first round compiles.
    medians = {what: statistics.median(s[1:]) for what, s in seen.items()}
    least = medians["loop over VAE.decode"]
    return [
        {"network": network, "what": what, "per_second": per_second,
         "ratio": per_second / least}
        for what, per_second in medians.items()
    ]  # fmt: skip


def _loop(model: VAE, decode: Callable[[tf.Tensor], tf.Tensor]) -> Any:
    z = codes.prior_draws(model, NUM_TIMED, mode="sample", seed=0)

    def run() -> int:
        made = [
            decode(tf.constant(z[i : i + decoding.BATCH])).numpy()
            for i in range(0, len(z), decoding.BATCH)
        ]
        return len(np.concatenate(made))

    return run


def _memory(run_dir: str, network: str, num: int) -> Row:
    """Returns peak memory and seconds of the command, its start included."""
    out = os.path.join(run_dir, "samples.npz")
    start = time.perf_counter()
    peak = _program(
        "tfvae.generate", "sample", f"--run_dir={run_dir}", f"--out={out}",
        f"--num={num}",
    )  # fmt: skip
    seconds = time.perf_counter() - start
    os.remove(out)
    return {
        "network": network, "num": num, "peak_mib": peak, "seconds": seconds,
    }  # fmt: skip


def _program(*arguments: str) -> float:
    """Runs a program of ours and returns its peak resident memory, MiB."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_maxrss / 2**10


if __name__ == "__main__":
    print(
        tables(measure(sys.argv[1], data_dir="".join(sys.argv[2:]), rounds=5))
    )
