"""Four logical CPUs before TensorFlow starts; where real data lie."""

import os
import pathlib
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf
import tf_keras

from tfvae import strategy

# A shell that runs the tests in the background has them ignore SIGINT, and so
# would the programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
strategy.split_cpu(4)
tf.config.experimental.enable_op_determinism()

SHARED_DATA = pathlib.Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Makes every test draw the same, whatever ran before it."""
    tf_keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """Folder with real data sets; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the data sets in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def tfds_dir(shared_data: pathlib.Path) -> str:
    """Folder of prepared TFDS sets."""
    return str(shared_data / "tfds")


def replicas(num_replicas: int) -> tf.distribute.Strategy:
    """Returns a strategy over that many logical CPUs; 1: the default one."""
    if num_replicas == 1:
        return tf.distribute.get_strategy()
    # Two strategies of one process must not share the keys of their sums.
    tf.distribute.MirroredStrategy._collective_key_base += 100_000
    return tf.distribute.MirroredStrategy(
        [f"CPU:{index}" for index in range(num_replicas)]
    )
