"""A short run of python -m tfvae.train, in process, on the embedded digits."""

import pathlib

from tfvae import train as program

NUM_TRAIN = 1439  # of 1,797 digits less two parts of 179
# 4 steps an epoch, the last of them short.
TINY = (
    "--epochs=3", "--batch_size=400", "--hidden_units=8", "--latent_dim=2",
    "--steps_per_execution=1",
)  # fmt: skip


def train(run_dir: pathlib.Path | str, *flags: str) -> int:
    """Returns the exit status of a run in a folder."""
    return program.main(["train.py", f"--run_dir={run_dir}", *flags])
