"""The task that every peer is given, how it is started, and what it tells.

python -m tests.benchmarks.peers.NAME mlp|conv --data=FILE.npz [--epochs=4]

MNIST's 60,000 training images as uint8, batches of 128 in a new order each
epoch, Adam at 1e-3, loss = mean over examples of -log p(x|z) + KL by one draw,
p(x|z) Bernoulli on grey values. After each epoch the elbo of the 10,000 test
images is measured, which does not count as training.

A peer prints one JSON object an epoch: epoch, loss, elbo (nats), images (that
it trained on), seconds (of training), at (of the system's monotonic clock,
after the measurement).
"""

import argparse
import dataclasses
import json
import os
import time

import numpy as np

BATCH_SIZE, EVAL_BATCH_SIZE = 128, 1000
LEARNING_RATE = 1e-3
LATENT_DIM = {"mlp": 16, "conv": 2}
HIDDEN_UNITS = (512, 512)
FILTERS = (32, 64)
CODE_UNITS = 16  # of the dense layer behind the convolutions
SIDE, SMALLEST_SIDE = 28, 7
NUM_PIXELS = SIDE * SIDE
NUM_FEATURES = SMALLEST_SIDE**2 * FILTERS[-1]


@dataclasses.dataclass(frozen=True)
class Task:
    """What a peer is asked for.

    Attributes:
      network: mlp or conv.
      epochs: how many.
      train: [60000, 28, 28, 1] uint8.
      test: [10000, 28, 28, 1] uint8.
      compiled: whether the peer's compiler is asked for, where it has one that
        is not its default.
    """

    network: str
    epochs: int
    train: np.ndarray
    test: np.ndarray
    compiled: bool

    @property
    def latent_dim(self) -> int:
        """Dimensions of z."""
        return LATENT_DIM[self.network]


def read_task() -> Task:
    """Returns what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("network", choices=sorted(LATENT_DIM))
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--compiled", action="store_true")
    line = parser.parse_args()
    with np.load(line.data) as arrays:
        train, test = arrays["x_train"], arrays["x_test"]
    return Task(line.network, line.epochs, train, test, line.compiled)


def num_cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def tell(
    epoch: int, *, loss: float, elbo: float, images: int, seconds: float
) -> None:
    """Prints an epoch (from 1), once its test elbo is known."""
    row = {
        "epoch": epoch,
        "loss": float(loss),
        "elbo": float(elbo),
        "images": images,
        "seconds": seconds,
        "at": time.monotonic(),
    }
    print(json.dumps(row), flush=True)
