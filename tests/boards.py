"""A board over a model of which all is known, and what it wrote, read back."""

import pathlib
import types
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from google.protobuf import text_format
from tensorboard.plugins import projector
from tensorflow_probability import distributions as tfd

from tfvae.board import Board
from tfvae.condition import Condition
from tfvae.examples import Examples
from tfvae.learner import Learner
from tfvae.run_dir import RunDir
from tfvae.vae import VAE

HEIGHT, WIDTH = 5, 3
SEED = 7


class Known(VAE):
    """A VAE of images whose functions are known; it learns nothing."""

    def __init__(self, condition: Condition | None = None) -> None:
        tf_keras.Model.__init__(self)
        self.condition = condition or Condition()
        self.traced: list[str] = []

    @property
    def prior(self) -> tfd.Distribution:
        return tfd.MultivariateNormalDiag(tf.zeros([2]))

    def code(self, x: Any, condition: Any = None) -> tf.Tensor:
        self.traced.append("code")
        z = tf.stack([x[:, 0, 0, 0], x[:, 1, 2, 0] / 4], axis=1)
        return z * (1 - 2 * _told(condition, x))[:, tf.newaxis]

    def reconstruct(self, x: Any, condition: Any = None) -> tf.Tensor:
        self.traced.append("reconstruct")
        return (1 - x) / tf.reshape(1 + _told(condition, x), [-1, 1, 1, 1])

    def decode(self, z: Any, condition: Any = None) -> Any:
        self.traced.append("decode")
        mean = tf.sigmoid(z[:, 0] - z[:, 1] + _told(condition, z))
        mean = tf.reshape(mean, [-1, 1, 1, 1]) * tf.ones([1, HEIGHT, WIDTH, 1])
        return types.SimpleNamespace(mean=lambda: mean)


def _told(condition: dict[str, tf.Tensor], batch: tf.Tensor) -> tf.Tensor:
    """Returns a number for each example: its label, or the seen share, or 0."""
    if "label" in condition:
        return tf.cast(condition["label"], tf.float32)
    if "mask" in condition:
        return tf.reduce_mean(condition["mask"], [1, 2, 3])
    return tf.zeros(tf.shape(batch)[:1])


def images(n: int, channels: int = 1) -> np.ndarray:
    """Returns [n, HEIGHT, WIDTH, channels]."""
    draw = np.random.default_rng(0)
    return draw.random([n, HEIGHT, WIDTH, channels]).astype(np.float32)


def show(
    path: pathlib.Path,
    model: Learner,
    examples: Examples,
    *,
    epochs: tuple[int, ...] = (0,),
    seed: int = SEED,
) -> "Shown":
    """Ends these epochs, of four, and returns what a board made of them."""
    board = Board(model, RunDir(str(path)), examples, num_epochs=4, seed=seed)
    board.set_model(model)
    model.stop_training = False
    for epoch in epochs:
        board.on_epoch_end(epoch)
    return Shown(path)


class Shown:
    """What lies in a run's folder for TensorBoard."""

    def __init__(self, path: pathlib.Path) -> None:
        self.folder = path / "tensorboard" / "pictures"

    def files(self) -> set[str]:
        """Returns the names of all files; of events without their time."""
        names = (path.name for path in self.folder.iterdir())
        return {"events" if n.startswith("events") else n for n in names}

    def pictures(self) -> dict[tuple[str, int], np.ndarray]:
        """Returns {(name, step): pixels} of every image, from 0 to 255."""
        found = {}
        for file in self.folder.glob("events.*"):
            for event in tf.compat.v1.train.summary_iterator(str(file)):
                for value in event.summary.value:
                    png = tf.make_ndarray(value.tensor)[2]
                    assert (value.tag, event.step) not in found
                    found[value.tag, event.step] = (
                        tf.io.decode_png(png).numpy().astype(float)
                    )
        return found

    def codes(self, latent_dim: int = 2) -> np.ndarray:
        """Returns [n, latent_dim]; what fills them up to three is checked."""
        file = self.folder / "codes.tsv"
        columns = np.loadtxt(file, np.float32, delimiter="\t")
        assert columns.shape[1] == max(latent_dim, 3)
        assert not columns[:, latent_dim:].any()
        return columns[:, :latent_dim]

    def labels(self) -> list[int]:
        """Returns a label for each code."""
        lines = (self.folder / "metadata.tsv").read_text().splitlines()
        return [int(line) for line in lines]

    def embedding(self) -> Any:
        """Returns the one entry of the projector's settings."""
        text = (self.folder / "projector_config.pbtxt").read_text()
        config = text_format.Parse(text, projector.ProjectorConfig())
        (embedding,) = config.embeddings
        return embedding


def assert_tiled(canvas: np.ndarray, rows: list[list[Any]]) -> None:
    """Compares a picture with its images, a grey pixel apart; None: grey."""
    height, width = HEIGHT + 1, WIDTH + 1
    size = (len(rows) * height + 1, len(rows[0]) * width + 1)
    assert canvas.shape[:2] == size
    expected = np.full(canvas.shape, 127.5)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            if image is not None:
                top, left = 1 + i * height, 1 + j * width
                place = expected[top : top + HEIGHT, left : left + WIDTH]
                place[:] = 255 * np.asarray(image)
    np.testing.assert_allclose(canvas, expected, atol=0.51)  # whole levels
