"""What all figures share: colours, sizes, a titled figure, its PNG."""

import io
import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

PAPER = "white"
INK, ACCENT = "#1f2933", "#2b6cb0"
WARNING, MUTED = "#c05621", "#cbd5e0"
# Inches. On a phone, 340 pixels wide, text of 10 points is then 8 pixels high.
WIDTH = 5.6
TITLE_SIZE, TEXT_SIZE = 11, 10  # points
LINE = 1.4 * TITLE_SIZE / 72  # inches
DPI = 160


def titled_figure(title: str, *, height: float) -> tuple[Figure, Axes]:
    """Returns a figure of one pair of axes below a title.

    Args:
      title: broken into lines where the figure is too narrow for it.
      height: inches below the title.
    """
    title = in_lines(title, width=0.95 * WIDTH, size=TITLE_SIZE)
    lines = title.count("\n") + 1
    figure = plain_figure(height + LINE * lines)
    axes = figure.subplots()
    axes.set_title(title, fontsize=TITLE_SIZE, color=INK)
    return figure, axes


def plain_figure(height: float) -> Figure:
    """Returns a white figure without axes, its height in inches."""
    return Figure(
        figsize=(WIDTH, height), layout="constrained", facecolor=PAPER
    )


def text_width(text: str, *, size: float = TEXT_SIZE) -> float:
    """Returns the inches that a line of text takes in a size in points."""
    if not text.strip():
        return 0.0  # TextPath takes no text without ink
    return TextPath((0, 0), text, size=size).get_extents().width / 72


def in_lines(text: str, *, width: float, size: float) -> str:
    """Breaks a text in a size in points into lines of a width in inches."""
    full = text_width(text, size=size)
    if full <= width:
        return text
    return textwrap.fill(text, max(1, int(0.9 * len(text) * width / full)))


def tidy(axes: Axes) -> None:
    """Takes away what is no data and sets the size of the numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=TEXT_SIZE)
    axes.grid(alpha=0.2)
    axes.set_axisbelow(True)


def legend_below(figure: Figure, *, num_columns: int = 1) -> None:
    """Names the artists of a figure below it, where they hide nothing."""
    figure.legend(
        loc="outside lower center",
        ncols=num_columns,
        frameon=False,
        fontsize=TEXT_SIZE,
    )


def png_bytes(figure: Figure) -> bytes:
    """Returns a figure as a PNG file, 160 pixels an inch."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    return file.getvalue()
