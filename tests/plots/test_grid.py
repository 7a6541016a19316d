"""Pixels and words land where they belong."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.pictures import distinct, png_pixels, texts
from tfvae import plots

GAP = 0.5


def _canvas(figure: Figure) -> np.ndarray:
    (image,) = figure.axes[0].get_images()
    return np.asarray(image.get_array())


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
    images = distinct(5, 3, 4, channels)
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
    images = distinct(1, 2, 3, channels)
    canvas = plots.tile(images, 1, gap=0)
    np.testing.assert_array_equal(canvas, images[0][..., shown])


def test_tile_clips_to_what_can_be_shown() -> None:
    images = np.array([-0.5, 1.5]).reshape(2, 1, 1, 1)
    canvas = plots.tile(images, 2, gap=0)
    np.testing.assert_array_equal(canvas[0, :, 0], [0, 1])


def test_reconstruction_lies_below_its_original() -> None:
    x, reconstructed = distinct(5, 3, 2, 1), 1 - distinct(5, 3, 2, 1)
    figure = plots.reconstructions(x, reconstructed, 3)
    canvas = _canvas(figure)[..., 0]
    pairs = [(0, 0), (0, 3), (0, 6), (8, 0), (8, 3)]
    for index, (top, left) in enumerate(pairs):
        above = canvas[top + 1 : top + 4, left + 1 : left + 3]
        below = canvas[top + 5 : top + 8, left + 1 : left + 3]
        np.testing.assert_allclose(above, x[index, ..., 0])
        np.testing.assert_allclose(below, reconstructed[index, ..., 0])


@pytest.mark.parametrize(
    "shape", [(7, 33, 17, 1), (3, 1, 60, 3), (1, 60, 1, 1)]
)
def test_image_grid_keeps_the_sides_in_proportion(
    shape: tuple[int, ...],
) -> None:
    figure = plots.image_grid(distinct(*shape), 3, "a title")
    (axes,) = figure.axes
    assert axes.get_title() == "a title"
    assert axes.get_aspect() == 1  # square pixels
    assert max(figure.get_size_inches()) < 9
    png_pixels(figure)
    # The picture fills the room that it was given.
    height, width = _canvas(figure).shape[:2]
    box = axes.get_position(original=True)
    inches = figure.get_size_inches()
    assert box.height * inches[1] / (box.width * inches[0]) == pytest.approx(
        height / width
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_stays_grey_and_colours_stay(channels: int) -> None:
    value = np.array([0.2, 0.6, 0.4])[:channels]
    images = np.broadcast_to(value, [4, 20, 20, channels])
    pixels = png_pixels(plots.image_grid(images, 2, "")).reshape(-1, 3)
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    most = colours[np.argmax(counts)]
    # 255 * value, the fraction dropped or rounded
    expected = np.broadcast_to(np.array([51, 153, 102])[:channels], 3)
    assert np.abs(most.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(3, 5), (7, 1)])
def test_labels_stand_at_the_middle_of_their_row_and_column(
    height: int, width: int
) -> None:
    values = np.arange(6).reshape(2, 3) / 10
    images = np.broadcast_to(
        values[..., None, None, None], [2, 3, height, width, 1]
    )
    figure = plots.labelled_rows(images, "t", ["a", "b"], ["u", "v", "w"])
    (axes,) = figure.axes
    canvas = _canvas(figure)
    rows, columns = axes.get_yticks(), axes.get_xticks()
    # the gap, whole images with their gaps, half an image
    middle = [1 + 1 * (height + 1) * k + (height - 1) / 2 for k in range(2)]
    np.testing.assert_allclose(rows, middle)
    for (i, row), (j, column) in itertools.product(
        enumerate(rows), enumerate(columns)
    ):
        np.testing.assert_allclose(canvas[int(row), int(column)], values[i, j])
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["u", "v", "w"]


NUMBERS = [f"{k}.0" for k in range(-5, 6)]
STEPS = ["original", "seen", *(f"draw {k}" for k in range(9))]


@pytest.mark.parametrize(
    ("num_rows", "num_columns", "row_labels", "column_labels", "angle"),
    [
        (4, 11, [f"z[{k}], KL 1.2{k}" for k in range(4)], NUMBERS, 0),
        (2, 11, [], STEPS, 45),
        (20, 2, [f"image {k}" for k in range(20)], ["x", "completed"], 45),
        (3, 5, ["of one", "of another", ""], [], 0),
    ],
)
def test_no_words_are_cut_off_or_hide_each_other(
    num_rows: int,
    num_columns: int,
    row_labels: list[str],
    column_labels: list[str],
    angle: int,
) -> None:
    images = np.zeros([num_rows, num_columns, 8, 8, 1])
    title = "a title of some length that is broken where the figure is narrow"
    figure = plots.labelled_rows(images, title, row_labels, column_labels)
    (axes,) = figure.axes
    boxes = texts(figure)
    assert len(boxes) == 1 + len(
        [label for label in (*row_labels, *column_labels) if label]
    )
    for box in boxes.values():
        assert (box.min >= figure.bbox.min).all()
        assert (box.max <= figure.bbox.max).all()
        assert not axes.bbox.padded(-1).overlaps(box)
    level = [box for text, box in boxes.items() if not text.get_rotation()]
    for one, other in itertools.combinations(level, 2):
        assert not one.overlaps(other)
    for label in axes.get_xticklabels()[: len(column_labels)]:
        assert label.get_rotation() == angle
    assert " ".join(axes.get_title().split("\n")) == title


def test_a_label_too_few_is_refused() -> None:
    images = np.zeros([2, 3, 4, 4, 1])
    with pytest.raises(ValueError, match="FixedLocator locations"):
        plots.labelled_rows(images, "t", ["one"])
