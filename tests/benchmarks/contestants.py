"""Who takes part in the comparisons of training, and how each is started.

A run is a process of its own; all of them read the same file, and each uses the
cores that this process may use: TensorFlow, JAX and numpy follow the affinity
that they inherit, PyTorch is told how many there are.
"""

import dataclasses
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.benchmarks.rounds import Settings, say
from tfvae.errors import FailedError

POLL_SECONDS = 0.01
OWN = "tfvae"
OWN_FLAGS = {
    "mlp": ("--architecture=mlp", "--hidden_units=512,512", "--latent_dim=16"),
    "conv": (
        "--architecture=conv", "--filters=32,64", "--hidden_units=16",
        "--latent_dim=2", "--seed=1",
    ),
}  # fmt: skip
# The peers' activation and constant step size, in place of tfvae's own.
TASK_FLAGS = (
    "--likelihood=bernoulli", "--activation=relu",
    "--learning_rate_schedule=constant",
)  # fmt: skip
OWN_DEFAULTS = "tfvae_defaults"
OWN_TASKS = {OWN: TASK_FLAGS, OWN_DEFAULTS: TASK_FLAGS[:1]}


@dataclasses.dataclass(frozen=True)
class Peer:
    """A peer's program.

    Attributes:
      module: below tests.benchmarks.peers.
      package: that must be installed.
      flags: beside the task's own.
    """

    module: str
    package: str
    flags: tuple[str, ...] = ()


PEERS = {
    "keras3": Peer("keras3", "keras"),
    "keras3_xla": Peer("keras3", "keras", ("--compiled",)),
    "torch_eager": Peer("torch_loop", "torch"),
    "torch_compiled": Peer("torch_loop", "torch", ("--compiled",)),
    "pythae": Peer("pythae_vae", "pythae"),
    "jax_scan": Peer("jax_scan", "jax"),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """What one process did.

    Attributes:
      rows: of each epoch: loss and elbo (of the test images) in nats, images,
        seconds (of training), since_start (seconds from the start of the
        process until all of this was known).
      seconds: from the start of the process to its end.
    """

    rows: list[dict[str, float]]
    seconds: float

    @property
    def images_per_second(self) -> float:
        """From the second epoch on; the first one compiles."""
        later = self.rows[1:]
        images = sum(row["images"] for row in later)
        return images / sum(row["seconds"] for row in later)

    def seconds_to(self, elbo: float) -> float | None:
        """Returns when the test elbo was first that high, or None."""
        times = (r["since_start"] for r in self.rows if r["elbo"] >= elbo)
        return next(times, None)


def choose(settings: Settings) -> list[str]:
    """Returns the contestants that are asked for and installed."""
    asked = settings.contestants or [*OWN_TASKS, *PEERS]
    chosen = []
    for name in asked:
        package = OWN if name in OWN_TASKS else PEERS[name].package
        if importlib.util.find_spec(package):
            chosen.append(name)
        else:
            say(f"{name} is left out: {package} is not installed")
    return chosen


def data_file(settings: Settings) -> str:
    """Returns the file that all read, written where it is not there yet."""
    path = settings.folder / "mnist.npz"
    if not path.exists():
        command = ["tests.benchmarks.mnist", str(path), settings.data_dir]
        _execute(command, settings.folder)
    return str(path)


def train(
    name: str, network: str, *, epochs: int, data: str, folder: pathlib.Path
) -> Run:
    """Runs one contestant.

    Args:
      name: of the contestant.
      network: mlp or conv.
      epochs: how many.
      data: file that `data_file` names.
      folder: for its log, and for tfvae's run; emptied first.

    Raises:
      FailedError: its process failed; names the log.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if name in OWN_TASKS:
        flags = (*OWN_TASKS[name], *OWN_FLAGS[network])
        return _train_tfvae(flags, epochs, data, folder)
    peer = PEERS[name]
    command = [
        f"tests.benchmarks.peers.{peer.module}", network, f"--data={data}",
        f"--epochs={epochs}", *peer.flags,
    ]  # fmt: skip
    started, seconds = _execute(command, folder)
    rows = _read_rows(folder / "stdout")
    for row in rows:
        row["since_start"] = row.pop("at") - started
    return Run(rows, seconds)


def _train_tfvae(
    flags: Sequence[str], epochs: int, data: str, folder: pathlib.Path
) -> Run:
    """Runs tfvae's own command; the file's validation set is the test set."""
    metrics = folder / "run" / "metrics.jsonl"
    command = [
        "tfvae.train", f"--dataset=npz:{data}", f"--run_dir={metrics.parent}",
        f"--epochs={epochs}", *flags,
    ]  # fmt: skip
    seen: list[float] = []  # when each row was there

    def watch() -> None:
        now = time.monotonic()
        if metrics.exists():
            seen.extend([now] * (len(_read_rows(metrics)) - len(seen)))

    started, seconds = _execute(command, folder, watch)
    watch()
    rows = [
        {
            "epoch": row["epoch"],
            "loss": row["loss"],
            "elbo": row["val_elbo"],
            "images": row["images_per_second"] * row["seconds"],
            "seconds": row["seconds"],
            "since_start": at - started,
        }
        for row, at in zip(_read_rows(metrics), seen, strict=True)
    ]
    return Run(rows, seconds)


def _execute(
    command: Sequence[str],
    folder: pathlib.Path,
    watch: Callable[[], None] = lambda: None,
) -> tuple[float, float]:
    """Returns when a module was started, and how many seconds it took."""
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    with (
        open(folder / "stdout", "w") as stdout,
        open(folder / "stderr", "w") as stderr,
    ):
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=stdout, stderr=stderr, env=quiet,
        )  # fmt: skip
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            watch()
        seconds = time.monotonic() - started
    if process.returncode:
        raise FailedError(f"{command[0]} failed; see {folder}/stderr.")
    return started, seconds


def _read_rows(path: pathlib.Path) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]
