"""MNIST as one file that tfvae and all peers read.

python -m tests.benchmarks.mnist FILE.npz [DATA_DIR]
"""

import os
import sys

import numpy as np


def write(path: str, data_dir: str = "") -> None:
    """Writes the archive that `--dataset=npz:PATH` takes.

    All 60,000 images are trained on; the test images stand as validation set
    too, so that every epoch is measured on them.
    """
    import tensorflow_datasets as tfds

    train, test = (
        np.concatenate(
            [
                batch["image"]
                for batch in tfds.load(
                    "mnist", split=split, data_dir=data_dir or None
                ).batch(10_000).as_numpy_iterator()
            ]
        )
        for split in ("train", "test")
    )  # fmt: skip
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    part = f"{path}.part.npz"
    np.savez(part, x_train=train, x_validation=test, x_test=test)
    os.replace(part, path)


if __name__ == "__main__":
    write(*sys.argv[1:])
