"""Pixels and points land where they belong."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from tfvae import plots

GAP = 0.5


def _images(n: int, height: int, width: int, channels: int) -> np.ndarray:
    """Images of which no two pixels are equal, within [0, 1]."""
    size = n * height * width * channels
    values = np.linspace(0.01, 0.49, size)
    return values.reshape(n, height, width, channels)


def _assert_png(figure: Figure) -> None:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    assert file.getvalue()[:8] == b"\x89PNG\r\n\x1a\n"


def test_tile_of_two_by_two_by_hand() -> None:
    images = np.array([0.1, 0.2, 0.3]).reshape(3, 1, 1, 1)
    expected = np.array(
        [
            [GAP, GAP, GAP, GAP, GAP],
            [GAP, 0.1, GAP, 0.2, GAP],
            [GAP, GAP, GAP, GAP, GAP],
            [GAP, 0.3, GAP, GAP, GAP],
            [GAP, GAP, GAP, GAP, GAP],
        ]
    )
    canvas = plots.tile(images, 2)
    np.testing.assert_array_equal(canvas, np.stack([expected] * 3, axis=-1))


@pytest.mark.parametrize("gap", [0, 1, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_tile_puts_every_pixel_in_its_place(channels: int, gap: int) -> None:
    images = _images(5, 3, 4, channels)
    canvas = plots.tile(images, 2, gap=gap)
    assert canvas.shape == (3 * (3 + gap) + gap, 2 * (4 + gap) + gap, 3)
    seen = np.zeros(canvas.shape[:2], bool)
    for index in range(5):
        row, column = divmod(index, 2)
        for i in range(3):
            for j in range(4):
                at = (gap + row * (3 + gap) + i, gap + column * (4 + gap) + j)
                np.testing.assert_array_equal(
                    canvas[at], np.broadcast_to(images[index, i, j], 3)
                )
                seen[at] = True
    assert (canvas[~seen] == GAP).all()
    assert seen.sum() == 5 * 3 * 4


@pytest.mark.parametrize(
    ("channels", "shown"), [(2, [0, 0, 0]), (4, [0, 1, 2])]
)
def test_tile_shows_the_channels_that_a_screen_has(
    channels: int, shown: list[int]
) -> None:
    images = _images(1, 2, 3, channels)
    canvas = plots.tile(images, 1, gap=0)
    np.testing.assert_array_equal(canvas, images[0][..., shown])


def test_tile_clips_to_what_can_be_shown() -> None:
    images = np.array([-0.5, 1.5]).reshape(2, 1, 1, 1)
    canvas = plots.tile(images, 2, gap=0)
    np.testing.assert_array_equal(canvas[0, :, 0], [0, 1])


def test_reconstruction_lies_below_its_original() -> None:
    x, reconstructed = _images(5, 3, 2, 1), 1 - _images(5, 3, 2, 1)
    figure = plots.reconstructions(x, reconstructed, 3)
    (image,) = figure.axes[0].get_images()
    canvas = np.asarray(image.get_array())[..., 0]
    pairs = [(0, 0), (0, 3), (0, 6), (8, 0), (8, 3)]
    for index, (top, left) in enumerate(pairs):
        above = canvas[top + 1 : top + 4, left + 1 : left + 3]
        below = canvas[top + 5 : top + 8, left + 1 : left + 3]
        np.testing.assert_allclose(above, x[index, ..., 0])
        np.testing.assert_allclose(below, reconstructed[index, ..., 0])
    _assert_png(figure)


@pytest.mark.parametrize(
    "shape", [(7, 33, 17, 1), (3, 1, 60, 3), (1, 60, 1, 1)]
)
def test_image_grid_keeps_the_sides_in_proportion(
    shape: tuple[int, ...],
) -> None:
    figure = plots.image_grid(_images(*shape), 3, "a title")
    assert figure.axes[0].get_title() == "a title"
    assert figure.axes[0].get_aspect() == 1  # square pixels
    assert max(figure.get_size_inches()) < 9
    _assert_png(figure)


def test_scatter_shows_each_cloud_on_its_own_axes() -> None:
    draw = np.random.default_rng(0)
    clouds = {name: draw.normal(size=[5, 2]) for name in ("data", "samples")}
    figure = plots.scatter(clouds, "means")
    assert [axes.get_title() for axes in figure.axes] == ["data", "samples"]
    for axes, points in zip(figure.axes, clouds.values(), strict=True):
        (drawn,) = axes.collections
        np.testing.assert_array_equal(drawn.get_offsets(), points)
    _assert_png(figure)


@pytest.mark.parametrize("largest", [2, 15, 25])
def test_latent_map_colours_by_label(largest: int) -> None:
    draw = np.random.default_rng(0)
    z = draw.normal(size=[9, 2])
    y = np.array([0, 1, largest] * 3)
    figure = plots.latent_map(z, y)
    (axes,) = figure.axes
    groups = axes.collections
    assert [group.get_label() for group in groups] == ["0", "1", str(largest)]
    for group, label in zip(groups, (0, 1, largest), strict=True):
        np.testing.assert_array_equal(group.get_offsets(), z[y == label])
    colours = {tuple(group.get_facecolor()[0]) for group in groups}
    assert len(colours) == 3
    assert (axes.get_legend() is not None) == (largest < 20)
    _assert_png(figure)


def test_latent_map_without_labels_is_one_cloud() -> None:
    z = np.random.default_rng(0).normal(size=[4, 2])
    figure = plots.latent_map(z, None)
    (cloud,) = figure.axes[0].collections
    np.testing.assert_array_equal(cloud.get_offsets(), z)
    assert figure.axes[0].get_legend() is None


@pytest.mark.parametrize("num_epochs", [1, 3])
def test_curves_show_training_and_validation(num_epochs: int) -> None:
    names = ("elbo", "log_likelihood", "kl", "C", "val_elbo",
             "val_log_likelihood", "val_kl")  # fmt: skip
    rows = [
        {"epoch": epoch, **{n: 10 * epoch + i for i, n in enumerate(names)}}
        for epoch in range(1, num_epochs + 1)
    ]
    figure = plots.curves(rows)
    drawn = [len(axes.lines) for axes in figure.axes]
    assert drawn == [2, 2, 2, 1]  # C is no matter of validation
    for axes, name in zip(figure.axes, names[:4], strict=True):
        for line, key in zip(axes.lines, (name, f"val_{name}"), strict=False):
            epochs, values = line.get_data()
            assert list(epochs) == [row["epoch"] for row in rows]
            assert list(values) == [row[key] for row in rows]
            assert (line.get_marker() == "o") == (num_epochs == 1)
    _assert_png(figure)
