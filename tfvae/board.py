"""What TensorBoard shows of a run beside its curves: pictures and codes.

They are a run of their own, "pictures", next to Keras's "train" and
"validation": TensorBoard expects one writer to a folder of events.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras
from google.protobuf import text_format
from tensorboard.plugins import projector

from tfvae import noise
from tfvae.condition import Values
from tfvae.examples import Examples
from tfvae.learner import Learner
from tfvae.run_dir import RunDir
from tfvae.vae import VAE

FOLDER = "tensorboard/pictures"
MOST_SHOWN = 10  # of more images of one name, TensorBoard leaves some out
MOST_EXAMPLES, MOST_NUMBERS = 1000, 2**24  # 64 MiB as float32
BATCH = 250
PICTURED, COLUMNS, SAMPLE_ROWS, MOST_CLASSES = 32, 8, 8, 16
THUMBNAIL = 64  # pixels; 32 of them stay far below TensorBoard's limit of 8192
EMPTY = 0.5  # mid grey, where there is no image


class Board(tf_keras.callbacks.Callback):
    """Shows in TensorBoard what a model makes of held-out examples.

    At the end of the first epoch, the last, and some in between, it writes the
    images `reconstructions` and `samples` (of a VAE), and for the embedding
    projector the codes g(x), with labels and thumbnails. Vectors have no
    images. A step is an epoch, counted from 0, as of Keras's own callback.
    Nothing is drawn from a global state, so training is as it is without.

    Args:
      model: in training.
      run_dir: folder of the run.
      examples: held out, at most `num_examples` of them.
      num_epochs: of the run.
      seed: of the order of the examples, and of the samples.
    """

    def __init__(
        self,
        model: Learner,
        run_dir: RunDir,
        examples: Examples,
        *,
        num_epochs: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.run_dir, self.epochs = run_dir, shown_epochs(num_epochs)
        # The first are pictured, and some sets are sorted by class.
        order = np.random.default_rng(seed).permutation(len(examples.x))
        self.examples = examples.take(order)
        self.thumbnails: np.ndarray | None = None
        self.pictures: list[_Picture] = []
        if examples.x.ndim == 4:
            self.thumbnails = thumbnails(self.examples.x)
            pictured = examples.take(order[:PICTURED])
            self.pictures.append(_reconstructions(model, pictured))
            if isinstance(model, VAE):
                self.pictures.append(_samples(model, pictured, seed=seed))
        self._code = _compiled(model.code, examples.x, examples.condition)
        self._writer: tf.summary.SummaryWriter | None = None
        self._marks = tf.train.CheckpointManager(
            tf.train.Checkpoint(), run_dir.file(FOLDER), max_to_keep=1
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Shows the epoch if it is one of the chosen, or turns out the last."""
        if epoch not in self.epochs and not self.model.stop_training:
            return
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(
                self.run_dir.file(FOLDER)
            )
            self._write_examples()
        with self._writer.as_default(), tf.summary.record_if(True):
            for picture in self.pictures:
                tf.summary.image(
                    picture.name,
                    _pixels(tile(picture.grid()))[np.newaxis],
                    step=epoch,
                    description=picture.description,
                )
        self._write_codes(epoch)

    def _write_examples(self) -> None:
        if self.examples.labels is not None:
            lines = "".join(f"{label}\n" for label in self.examples.labels)
            self._write("metadata.tsv", lines.encode())
        if self.thumbnails is not None:
            png = tf.io.encode_png(_pixels(sprite(self.thumbnails))).numpy()
            self._write("sprite.png", png)

    def _write_codes(self, epoch: int) -> None:
        x, condition = self.examples.x, self.examples.condition
        parts = [
            slice(start, start + BATCH) for start in range(0, len(x), BATCH)
        ]
        codes = np.concatenate([
            self._code(x[part], {k: v[part] for k, v in condition.items()})
            for part in parts
        ])  # fmt: skip
        # The projector fails at fewer than three dimensions.
        codes = np.pad(codes, [(0, 0), (0, max(0, 3 - codes.shape[1]))])
        lines = ("\t".join(f"{value:.9g}" for value in code) for code in codes)
        self._write("codes.tsv", "".join(f"{i}\n" for i in lines).encode())
        config = text_format.MessageToString(self._config(epoch))
        self._write("projector_config.pbtxt", config.encode())
        # TensorBoard reads these files again only at a new checkpoint.
        self._marks.save(epoch)

    def _config(self, epoch: int) -> projector.ProjectorConfig:
        config = projector.ProjectorConfig()
        # What it has read it keeps by name, so each epoch needs a new one.
        codes = config.embeddings.add(
            tensor_name=f"codes, step {epoch}", tensor_path="codes.tsv"
        )
        if self.examples.labels is not None:
            codes.metadata_path = "metadata.tsv"
        if self.thumbnails is not None:
            _, height, width, _ = self.thumbnails.shape
            codes.sprite.image_path = "sprite.png"
            codes.sprite.single_image_dim.extend([width, height])
        return config

    def _write(self, name: str, content: bytes) -> None:
        self.run_dir.write(f"{FOLDER}/{name}", lambda file: file.write(content))


def num_examples(event_shape: tuple[int, ...]) -> int:
    """Returns how many examples of that shape a `Board` should be given."""
    fitting = MOST_NUMBERS // math.prod(event_shape)
    return min(MOST_EXAMPLES, max(PICTURED, fitting))


def shown_epochs(num_epochs: int) -> set[int]:
    """Returns which epochs, from 0, are shown: evenly, both ends included."""
    evenly = np.linspace(0, num_epochs - 1, min(num_epochs, MOST_SHOWN))
    return {round(epoch) for epoch in evenly}


def tile(grid: np.ndarray, *, gap: int = 1) -> np.ndarray:
    """Lays images out in one.

    Args:
      grid: [rows, columns, height, width, channels].
      gap: pixels around each image.

    Returns:
      canvas: [rows * (height + gap) + gap, columns * (width + gap) + gap,
      channels], mid grey in the gaps.
    """
    none, before, after = (0, 0), (gap, 0), (0, gap)
    grid = np.pad(
        grid, [none, none, before, before, none], constant_values=EMPTY
    )
    rows, columns, height, width, channels = grid.shape
    canvas = grid.transpose(0, 2, 1, 3, 4)
    canvas = canvas.reshape(rows * height, columns * width, channels)
    return np.pad(canvas, [after, after, none], constant_values=EMPTY)


def sprite(images: np.ndarray) -> np.ndarray:
    """Lays images [n, height, width, channels] out, edge to edge, row by row.

    As many rows as columns: TensorBoard looks for image i in row i // rows.
    """
    columns = math.ceil(math.sqrt(len(images)))
    grid = _in_rows(images, columns)
    missing = (0, columns - len(grid))
    return tile(np.pad(grid, [missing] + [(0, 0)] * 4), gap=0)


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Returns images [n, height, width, channels] of `THUMBNAIL` at most."""
    height, width = images.shape[1:3]
    scale = THUMBNAIL / max(height, width)
    if scale >= 1:
        return images
    size = [max(1, round(scale * side)) for side in (height, width)]
    return tf.image.resize(images, size, method="area").numpy()


class _Picture(NamedTuple):
    """An image of TensorBoard; `grid` returns what it is tiled of by now."""

    name: str
    description: str
    grid: Callable[[], np.ndarray]


class _Layout(NamedTuple):
    """How a condition is shown.

    Attributes:
      samples: what this picture holds, in words.
      rows: from (model, examples) to the condition of each row of samples.
      reconstructions: what this picture holds, in words.
      seen: from the condition of images to what of them is seen, if it counts.
    """

    samples: str
    rows: Callable[[Any, Examples], Values]
    reconstructions: str = "Held-out examples; below each its reconstruction."
    seen: Callable[[Values], list[np.ndarray]] = lambda condition: []


LAYOUTS = {
    "none": _Layout(
        "Means of p(x|z), z ~ p(z): the same draws at each step.",
        lambda model, examples: {},
    ),
    "label": _Layout(
        "Means of p(x|z, y): a class y a row, a draw z ~ p(z) a column, the "
        "same at each step.",
        lambda model, examples: {
            "label": np.arange(min(model.condition.num_classes, MOST_CLASSES))
        },
    ),
    "mask": _Layout(
        "Seen parts of held-out examples, and means of p(x|z, seen part): a "
        "draw z ~ p(z) a column, the same at each step.",
        lambda model, examples: examples.take(slice(SAMPLE_ROWS)).condition,
        "Held-out examples; below each its seen part and its reconstruction.",
        lambda condition: [
            np.where(condition["mask"] > 0.5, condition["image"], EMPTY)
        ],
    ),
}


def _reconstructions(model: Learner, examples: Examples) -> _Picture:
    layout = LAYOUTS[model.condition.name]
    x, condition = examples.x, examples.condition
    reconstruct = _compiled(model.reconstruct, x, condition)

    def grid() -> np.ndarray:
        shown = [x, *layout.seen(condition), reconstruct(x, condition).numpy()]
        rows = np.stack([_in_rows(images, COLUMNS) for images in shown], axis=1)
        return rows.reshape(-1, *rows.shape[2:])

    return _Picture("reconstructions", layout.reconstructions, grid)


def _samples(model: VAE, examples: Examples, *, seed: int) -> _Picture:
    layout = LAYOUTS[model.condition.name]
    rows = layout.rows(model, examples)
    condition = {k: np.repeat(v, COLUMNS, axis=0) for k, v in rows.items()}
    num_rows = len(next(iter(rows.values()), [SAMPLE_ROWS]))
    num_draws = COLUMNS if rows else COLUMNS * SAMPLE_ROWS

    def decode(condition: Values) -> tf.Tensor:
        draw_seed = noise.tfp_seed(seed, noise.SAMPLE)
        z = model.prior.sample(num_draws, seed=draw_seed)  # p(z)
        return model.decode(tf.tile(z, [num_rows, 1]), condition).mean()

    samples = _compiled(decode, condition)

    def grid() -> np.ndarray:
        seen = [images[:, np.newaxis] for images in layout.seen(rows)]
        drawn = _in_rows(samples(condition).numpy(), COLUMNS)
        return np.concatenate([*seen, drawn], axis=1)

    return _Picture("samples", layout.samples, grid)


def _compiled(function: Callable[..., Any], *given: Any) -> Any:
    """Returns the function, traced once, for batches of any size."""
    signature = tf.nest.map_structure(
        lambda value: tf.TensorSpec([None, *value.shape[1:]], value.dtype),
        given,
    )
    return tf.function(function, input_signature=signature)


def _in_rows(images: np.ndarray, columns: int) -> np.ndarray:
    """Returns images [n, ...] as [rows, columns, ...], filled up in grey."""
    filling = np.full([-len(images) % columns, *images.shape[1:]], EMPTY)
    return np.concatenate([images, filling]).reshape(
        -1, columns, *images.shape[1:]
    )


def _pixels(canvas: np.ndarray) -> np.ndarray:
    """Returns [height, width, channels] as bytes, in colour where it can be."""
    canvas = canvas[..., : 3 if canvas.shape[-1] >= 3 else 1]
    return np.round(255 * np.clip(canvas, 0, 1)).astype(np.uint8)
