"""What TensorBoard is given to show: images, codes, labels, thumbnails."""

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tests import boards, models
from tests.boards import HEIGHT, SEED, WIDTH, Known, Shown, assert_tiled
from tfvae import board, noise
from tfvae.condition import Label, Mask
from tfvae.distributions.likelihoods import Gaussian
from tfvae.examples import Examples
from tfvae.run_dir import RunDir


@pytest.mark.parametrize(
    ("num_epochs", "epochs"),
    [
        (1, {0}),
        (2, {0, 1}),
        (10, set(range(10))),
        (11, set(range(11)) - {5}),
        (30, {0, 3, 6, 10, 13, 16, 19, 23, 26, 29}),
        (1000, set(range(0, 1000, 111))),
    ],
)
def test_first_and_last_epoch_and_eight_between_are_shown(
    num_epochs: int, epochs: set[int]
) -> None:
    assert board.shown_epochs(num_epochs) == epochs


@pytest.mark.parametrize(
    ("event_shape", "most"),
    [
        ((7,), 1000),
        ((105, 105, 3), 507),
        ((256, 256, 3), 85),  # 2^24 / (3 * 2^16)
        ((2048, 2048, 3), 32),
    ],
)
def test_large_examples_are_fewer(
    event_shape: tuple[int, ...], most: int
) -> None:
    assert board.num_examples(event_shape) == most


def test_steps_are_epochs_and_an_early_end_is_shown(
    tmp_path: pathlib.Path,
) -> None:
    model, examples = Known(), Examples(boards.images(3), None, {})
    made = board.Board(
        model, RunDir(str(tmp_path)), examples, num_epochs=30, seed=SEED
    )
    made.set_model(model)
    for epoch in range(9):
        model.stop_training = epoch == 8
        made.on_epoch_end(epoch)
    assert set(Shown(tmp_path).pictures()) == {
        (name, step)
        for name in ("reconstructions", "samples")
        for step in (0, 3, 6, 8)
    }


@pytest.mark.parametrize(
    ("channels", "visible"), [(1, 1), (2, 1), (3, 3), (4, 3)]
)
def test_originals_stand_above_their_reconstructions(
    tmp_path: pathlib.Path, channels: int, visible: int
) -> None:
    # 11 examples: a full row of 8, and one of 3 that is filled up.
    x = boards.images(11, channels)
    shown = boards.show(tmp_path, Known(), Examples(x, np.arange(11), {}))
    pictured, filling = x[shown.labels(), ..., :visible], [None] * 5
    canvas = shown.pictures()["reconstructions", 0]
    assert canvas.shape[2] == visible
    assert_tiled(
        canvas,
        [
            [*pictured[:8]],
            [*(1 - pictured[:8])],
            [*pictured[8:], *filling],
            [*(1 - pictured[8:]), *filling],
        ],
    )


def test_at_most_32_are_pictured_and_all_are_coded(
    tmp_path: pathlib.Path,
) -> None:
    # More than two batches of codes, each with its own label.
    x = boards.images(507)
    shown = boards.show(tmp_path, Known(), Examples(x, np.arange(507), {}))
    labels = shown.labels()
    rows = x[labels[:32]].reshape(4, 8, HEIGHT, WIDTH, 1)
    assert_tiled(
        shown.pictures()["reconstructions", 0],
        [[*images] for row in rows for images in (row, 1 - row)],
    )
    assert sorted(labels) == list(range(507))
    codes = np.stack([x[labels, 0, 0, 0], x[labels, 1, 2, 0] / 4], axis=1)
    np.testing.assert_array_equal(shown.codes(), codes)


def test_examples_are_in_an_order_set_by_the_seed(
    tmp_path: pathlib.Path,
) -> None:
    orders = []
    for index, seed in enumerate((0, 0, 1)):
        examples = Examples(boards.images(40), np.arange(40), {})
        shown = boards.show(tmp_path / f"{index}", Known(), examples, seed=seed)
        orders.append(shown.labels())
    assert orders[0] == orders[1] != orders[2]
    assert max(orders[0][:8]) - min(orders[0][:8]) > 20  # not the first eight


def _draws(num: int) -> np.ndarray:
    """Returns z_1 - z_2 of draws from N(0, I): [num]."""
    z = tfd.MultivariateNormalDiag(tf.zeros([2])).sample(
        num, seed=tf.constant([SEED, noise.SAMPLE])
    )
    return z.numpy() @ [1.0, -1.0]


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def test_samples_are_of_the_same_draws_at_every_step(
    tmp_path: pathlib.Path,
) -> None:
    examples = Examples(boards.images(3), None, {})
    shown = boards.show(tmp_path, Known(), examples, epochs=(0, 1))
    pictures = shown.pictures()
    means = _sigmoid(_draws(64)).reshape(8, 8)
    assert_tiled(pictures["samples", 0], means.tolist())
    np.testing.assert_array_equal(
        pictures["samples", 0], pictures["samples", 1]
    )
    assert len(np.unique(pictures["samples", 0])) > 30


@pytest.mark.parametrize(("num_classes", "rows"), [(5, 5), (40, 16)])
def test_samples_of_a_class_are_a_row(
    tmp_path: pathlib.Path, num_classes: int, rows: int
) -> None:
    # More examples than a batch of codes: a class goes with its own.
    x, y = boards.images(257), np.arange(257) ** 2 % 5
    model = Known(Label(x.shape[1:], num_classes))
    examples = Examples(x, np.arange(257), {"label": y})
    shown = boards.show(tmp_path, model, examples)
    pictures, order = shown.pictures(), shown.labels()
    means = _sigmoid(_draws(8) + np.arange(rows)[:, np.newaxis])
    assert_tiled(pictures["samples", 0], means.tolist())
    codes = (1 - 2 * y) * x[:, 0, 0, 0]
    np.testing.assert_allclose(shown.codes()[:, 0], codes[order], rtol=1e-6)
    reconstructed = (1 - x) / (1 + y[:, None, None, None])
    expected = []
    for start in range(0, 32, 8):
        ids = order[start : start + 8]
        expected += [[*x[ids]], [*reconstructed[ids]]]
    assert_tiled(pictures["reconstructions", 0], expected)


def test_seen_part_stands_below_and_beside(tmp_path: pathlib.Path) -> None:
    x, draw = boards.images(10), np.random.default_rng(1)
    mask = (draw.random([10, HEIGHT, WIDTH, 1]) < 0.6).astype(np.float32)
    given = {"image": np.where(mask > 0.5, x, 0.0), "mask": mask}
    model = Known(Mask(x.shape[1:]))
    shown = boards.show(tmp_path, model, Examples(x, np.arange(10), given))
    pictures, order = shown.pictures(), shown.labels()
    share = mask.mean(axis=(1, 2, 3))
    triples = (
        x[order],
        np.where(mask > 0.5, x, 0.5)[order],
        ((1 - x) / (1 + share[:, None, None, None]))[order],
    )
    assert_tiled(
        pictures["reconstructions", 0],
        [[*images[:8]] for images in triples]
        + [[*images[8:], *[None] * 6] for images in triples],
    )
    means = _sigmoid(_draws(8) + share[order][:8, np.newaxis])
    assert_tiled(
        pictures["samples", 0],
        [[triples[1][i], *means[i]] for i in range(8)],
    )


def test_what_is_shown_is_traced_once(tmp_path: pathlib.Path) -> None:
    model, examples = Known(), Examples(boards.images(300), None, {})
    boards.show(tmp_path, model, examples, epochs=(0, 1, 2, 3))
    assert sorted(model.traced) == ["code", "decode", "reconstruct"]


def test_sprite_holds_the_examples_in_a_square(tmp_path: pathlib.Path) -> None:
    # 11 fit into 3 rows of 4, but the projector would take them for 4 of 4.
    x = boards.images(11, 3)
    shown = boards.show(tmp_path, Known(), Examples(x, np.arange(11), {}))
    png = (shown.folder / "sprite.png").read_bytes()
    pixels = tf.io.decode_png(png).numpy()
    assert pixels.shape == (4 * HEIGHT, 4 * WIDTH, 3)
    cells = pixels.reshape(4, HEIGHT, 4, WIDTH, 3).transpose(0, 2, 1, 3, 4)
    cells = cells.reshape(16, HEIGHT, WIDTH, 3)[:11]
    np.testing.assert_allclose(cells, 255 * x[shown.labels()], atol=0.51)
    embedding = shown.embedding()
    assert embedding.sprite.image_path == "sprite.png"
    assert list(embedding.sprite.single_image_dim) == [WIDTH, HEIGHT]
    assert embedding.tensor_path == "codes.tsv"
    assert embedding.metadata_path == "metadata.tsv"


@pytest.mark.parametrize(
    ("shape", "size"),
    [((128, 64), (64, 32)), ((64, 60), (64, 60)), ((2, 1000), (1, 64))],
)
def test_large_images_become_thumbnails(
    shape: tuple[int, int], size: tuple[int, int]
) -> None:
    x = np.random.default_rng(0).random([3, *shape, 2]).astype(np.float32)
    made = board.thumbnails(x)
    assert made.shape == (3, *size, 2)
    if shape == (128, 64):  # means of 2 x 2 pixels
        expected = x.reshape(3, 64, 2, 32, 2, 2).mean(axis=(2, 4))
        np.testing.assert_allclose(made, expected, rtol=1e-5)


def test_largest_sprite_is_one_that_tensorboard_takes() -> None:
    images = np.zeros([board.MOST_EXAMPLES, board.THUMBNAIL, 2, 1])
    assert board.sprite(images).shape == (32 * 64, 32 * 2, 1)  # < 8192


def test_vectors_have_codes_but_no_pictures(tmp_path: pathlib.Path) -> None:
    model = models.linear_vae(6, Gaussian())
    x = np.random.default_rng(0).normal(size=[9, 6]).astype(np.float32)
    shown = boards.show(tmp_path, model, Examples(x, np.arange(9), {}))
    assert shown.pictures() == {}
    assert shown.files() == {
        "events", "codes.tsv", "metadata.tsv", "projector_config.pbtxt",
        "checkpoint", "ckpt-0.index", "ckpt-0.data-00000-of-00001",
    }  # fmt: skip
    assert not shown.embedding().sprite.image_path
    loc, _ = models.encode(model, x[shown.labels()])
    np.testing.assert_allclose(shown.codes(), loc, rtol=1e-5, atol=1e-6)


def test_without_labels_there_are_none(tmp_path: pathlib.Path) -> None:
    examples = Examples(boards.images(3), None, {})
    shown = boards.show(tmp_path, Known(), examples)
    assert "metadata.tsv" not in shown.files()
    assert not shown.embedding().metadata_path


def test_files_appear_by_rename_and_the_checkpoint_last(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    write, save = RunDir.write, tf.train.CheckpointManager.save

    def record_write(self: RunDir, name: str, function: Any) -> None:
        order.append(name.removeprefix("tensorboard/pictures/"))
        write(self, name, function)

    def record_save(self: Any, number: int) -> None:
        order.append(f"checkpoint {number}")
        save(self, number)

    monkeypatch.setattr(RunDir, "write", record_write)
    monkeypatch.setattr(tf.train.CheckpointManager, "save", record_save)
    examples = Examples(boards.images(3), np.arange(3), {})
    boards.show(tmp_path, Known(), examples, epochs=(0, 2))
    codes = ["codes.tsv", "projector_config.pbtxt"]
    assert order == [
        "metadata.tsv", "sprite.png", *codes, "checkpoint 0", *codes,
        "checkpoint 2",
    ]  # fmt: skip


def test_resumed_run_goes_on_at_its_step(tmp_path: pathlib.Path) -> None:
    examples = Examples(boards.images(3), np.arange(3), {})
    for epochs in ((0, 1), (2, 3)):
        shown = boards.show(tmp_path, Known(), examples, epochs=epochs)
    assert {step for _, step in shown.pictures()} == {0, 1, 2, 3}
    assert shown.embedding().tensor_name == "codes, step 3"
    assert shown.files() == {
        "events", "codes.tsv", "metadata.tsv", "sprite.png",
        "projector_config.pbtxt", "checkpoint", "ckpt-3.index",
        "ckpt-3.data-00000-of-00001",
    }  # fmt: skip
