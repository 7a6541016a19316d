"""README's table: the normalised bound over C, which is the observation noise.

python -m tests.benchmarks.observation_noise FOLDER [train's flags]

Trains one run a value of C, below FOLDER, and prints a row each: figures of the
validation set at the last weights, and D / (2 SE), SE being the squared error
of one draw of z summed over D dimensions, of the training set.
"""

import os
import subprocess
import sys

import numpy as np
import tensorflow as tf

from tfvae.data import pipeline
from tfvae.data.load import load_data
from tfvae.metrics.latent import active_units
from tfvae.run_dir import Run, load_run

GRID = ("0.05", "0.5", "5", "50", "500", "5000", "optimal", "learned")


def main(folder: str, flags: list[str]) -> None:
    """Trains and prints the table."""
    print("| C | C at the end | D / (2 SE) | KL | active units | elbo |")
    print("| --- | --- | --- | --- | --- | --- |")
    for word in GRID:
        run_dir = os.path.join(folder, f"C-{word}")
        subprocess.run(
            [
                sys.executable, "-m", "tfvae.train", f"--run_dir={run_dir}",
                f"--C={word}", *flags,
            ],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        print(row(word, load_run(run_dir, which="last")), flush=True)


def row(word: str, run: Run) -> str:
    """Returns a run's row of the table."""
    config, model = run.config, run.model
    splits = load_data(config)
    train = pipeline.eval_batches(
        splits.train, config.batch_size, seed=config.seed
    )
    errors, codes = [], []
    for index, x in enumerate(train.as_numpy_iterator()):
        qz = model.encode(x)
        mean = model.decode(qz.sample(seed=tf.constant([1, index]))).mean()
        errors.append(np.square(x - mean).reshape(len(x), -1).sum(axis=1))
        codes.append(qz.mean().numpy())
    squared_error = np.concatenate(errors).mean()
    best_C = splits.spec.num_dims / (2 * squared_error)
    units = active_units(np.concatenate(codes)).sum()
    last = run.run_dir.read_rows()[-1]
    return (
        f"| {word} | {model.likelihood.current_C():.4g} | {best_C:.4g} | "
        f"{last['val_kl']:.2f} | {units} of {model.latent_dim} | "
        f"{last['val_elbo']:.2f} |"
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
