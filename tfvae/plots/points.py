"""Points in the plane."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from tfvae.plots.style import (
    ACCENT,
    INK,
    TEXT_SIZE,
    TITLE_SIZE,
    WIDTH,
    plain_figure,
    tidy,
    titled_figure,
)


def scatter(groups: dict[str, np.ndarray], title: str) -> Figure:
    """Clouds of points in the plane, {name: [n, 2]}, at most two in a row."""
    num_columns = min(2, len(groups))
    num_rows = -(-len(groups) // num_columns)
    figure = plain_figure(WIDTH / 2 * num_rows + 0.5)
    figure.suptitle(title, color=INK, fontsize=TITLE_SIZE)
    all_axes = figure.subplots(
        num_rows, num_columns, sharex=True, sharey=True, squeeze=False
    ).ravel()
    for axes in all_axes[len(groups) :]:
        axes.remove()
    for axes, (name, points) in zip(all_axes, groups.items(), strict=False):
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=3,
            alpha=0.4,
            linewidths=0,
            color=ACCENT,
        )
        axes.set_title(name, fontsize=TEXT_SIZE, color=INK)
        axes.set_aspect("equal", "box")  # shared axes allow no "datalim"
        tidy(axes)
    for axes in figure.axes[-num_columns:]:  # the lowest of each column
        axes.tick_params(labelbottom=True)
    return figure


def latent_map(
    z: np.ndarray,
    y: np.ndarray | None,
    title: str = "latent map: z = g(x) of the test set",
    axis_names: tuple[str, str] = ("$z_1$", "$z_2$"),
) -> Figure:
    """Codes in the plane, coloured by label.

    Args:
      z: [n, 2], mean codes g(x), or what they were brought to in two
        dimensions.
      y: [n], whole numbers; None: all in one colour.
      title: above the map.
      axis_names: below and beside it.
    """
    figure, axes = titled_figure(title, height=4.6)
    axes.set_xlabel(axis_names[0])
    axes.set_ylabel(axis_names[1])
    axes.set_aspect("equal", "datalim")
    tidy(axes)
    if y is None:
        axes.scatter(
            z[:, 0], z[:, 1], s=6, alpha=0.6, linewidths=0, color=ACCENT
        )
        return figure
    colours = matplotlib.colormaps["tab10" if y.max() < 10 else "turbo"]
    for label in np.unique(y):
        colour = colours(label if y.max() < 10 else label / y.max())
        axes.scatter(
            z[y == label, 0], z[y == label, 1], s=8, alpha=0.7,
            linewidths=0, color=colour, label=str(label),
        )  # fmt: skip
    if y.max() < 20:
        axes.legend(
            markerscale=2.5, frameon=False, loc="center left",
            bbox_to_anchor=(1.0, 0.5), fontsize=TEXT_SIZE,
        )  # fmt: skip
    return figure
