"""Images side by side."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfvae.plots.style import (
    INK,
    LINE,
    PAPER,
    TEXT_SIZE,
    TITLE_SIZE,
    WIDTH,
    in_lines,
    text_width,
)

EMPTY = 0.5  # mid grey, where there is no image
GAP = 1 / 24  # between images, of the side of one; at least a pixel
# Inches: of a figure, of a picture, around it, and the height of a label.
LEAST_WIDTH, MOST_HEIGHT = 3.2, 8.0
EDGE, LABEL = 0.06, 0.2


def tile(
    images: np.ndarray, num_columns: int, *, gap: int | None = None
) -> np.ndarray:
    """Lays images out row by row.

    Args:
      images: [n, height, width, channels], in [0, 1].
      num_columns: images in a row.
      gap: pixels between images; None: one, and more between large images.

    Returns:
      canvas: [rows * (height + gap) + gap, columns * (width + gap) + gap, 3],
      mid grey where there is no image.
    """
    n, height, width, channels = images.shape
    gap = _gap(height, width) if gap is None else gap
    num_rows = -(-n // num_columns)
    canvas = np.full(
        [
            num_rows * (height + gap) + gap,
            num_columns * (width + gap) + gap,
            3,
        ],
        EMPTY,
    )
    shown = np.clip(images[..., : 3 if channels >= 3 else 1], 0, 1)
    for index, image in enumerate(shown):
        top = gap + index // num_columns * (height + gap)
        left = gap + index % num_columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas


def image_grid(images: np.ndarray, num_columns: int, title: str) -> Figure:
    """Images [n, height, width, channels] in [0, 1], row by row."""
    figure, _ = _picture(tile(images, num_columns), title)
    return figure


def reconstructions(
    x: np.ndarray, reconstructed: np.ndarray, num_columns: int
) -> Figure:
    """Originals [n, height, width, channels], each above its reconstruction."""
    # A short last row is filled up, else its reconstructions would not lie
    # below it.
    padding = np.full([-len(x) % num_columns, *x.shape[1:]], EMPTY)
    x = np.concatenate([x, padding])
    reconstructed = np.concatenate([reconstructed, padding])
    rows = []
    for start in range(0, len(x), num_columns):
        stop = start + num_columns
        rows += [x[start:stop], reconstructed[start:stop]]
    return image_grid(
        np.concatenate(rows),
        num_columns,
        "originals; below each its reconstruction, mean of p(x|z) at z = g(x)",
    )


def labelled_rows(
    images: np.ndarray,
    title: str,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
) -> Figure:
    """Rows of images, with a word beside each row and above each column.

    Args:
      images: [rows, columns, height, width, channels], in [0, 1].
      title: above all.
      row_labels: one a row, or none.
      column_labels: one a column, or none; slanted where they are too long
        for their column.
    """
    num_rows, num_columns, height, width, _ = images.shape
    gap = _gap(height, width)
    canvas = tile(images.reshape(-1, *images.shape[2:]), num_columns, gap=gap)
    left = max(map(text_width, row_labels), default=0)
    longest = max(map(text_width, column_labels), default=0)
    picture_width = min(
        WIDTH - left, MOST_HEIGHT * canvas.shape[1] / canvas.shape[0]
    )
    slanted = longest > 0.9 * picture_width / num_columns
    across = longest * math.sqrt(0.5) if slanted else 0
    figure, axes = _picture(
        canvas,
        title,
        left=left + LABEL * bool(row_labels),
        right=across,
        above=across + LABEL * bool(column_labels),
    )
    if row_labels:
        axes.set_yticks(_centres(num_rows, height, gap), row_labels)
    if column_labels:
        axes.set_xticks(_centres(num_columns, width, gap), column_labels)
    if slanted:
        for label in axes.get_xticklabels():
            label.set(rotation=45, ha="left", rotation_mode="anchor")
    return figure


def _gap(height: int, width: int) -> int:
    """Returns the pixels between images, so that large ones show a line too."""
    return max(1, round(GAP * min(height, width)))


def _centres(num: int, size: int, gap: int) -> np.ndarray:
    """Returns where along the canvas each of a number of images is centred."""
    return gap + np.arange(num) * (size + gap) + (size - 1) / 2


def _picture(
    canvas: np.ndarray,
    title: str,
    *,
    left: float = 0,
    right: float = 0,
    above: float = 0,
) -> tuple[Figure, Axes]:
    """Shows a canvas of square pixels, with room in inches for labels."""
    aspect = canvas.shape[0] / canvas.shape[1]
    sides = left + right + 2 * EDGE
    width = min(WIDTH - sides, MOST_HEIGHT / aspect)
    height = width * aspect
    figure_width = max(width + sides, LEAST_WIDTH)
    title = in_lines(title, width=figure_width - 2 * EDGE, size=TITLE_SIZE)
    head = LINE * (title.count("\n") + 1) + 2 * EDGE + above
    figure_height = height + head + EDGE
    figure = Figure(figsize=(figure_width, figure_height), facecolor=PAPER)
    start = (figure_width - width - sides) / 2 + EDGE + left
    axes = figure.add_axes((
        start / figure_width,
        EDGE / figure_height,
        width / figure_width,
        height / figure_height,
    ))  # fmt: skip
    centre = (figure_width / 2 - start) / width  # of the figure, on the axes
    axes.set_title(title, fontsize=TITLE_SIZE, color=INK, x=centre)
    axes.imshow(canvas, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.tick_params(
        length=0, labelsize=TEXT_SIZE, labelcolor=INK, labeltop=True,
        labelbottom=False,
    )  # fmt: skip
    axes.spines[:].set_visible(False)
    return figure, axes
