"""Arrays in, matplotlib figure out; the only matplotlib import."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PAPER = "white"
INK, ACCENT = "#1f2933", "#2b6cb0"
EMPTY = 0.5  # mid grey, where there is no image
CURVES = (
    ("elbo", "evidence lower bound (nats)"),
    ("log_likelihood", "log p(x|z) (nats)"),
    ("kl", "KL (nats)"),
    ("C", "C"),
)


def tile(images: np.ndarray, num_columns: int, *, gap: int = 1) -> np.ndarray:
    """Lays images out row by row.

    Args:
      images: [n, height, width, channels], in [0, 1].
      num_columns: images in a row.
      gap: pixels between images.

    Returns:
      canvas: [rows * (height + gap) + gap, columns * (width + gap) + gap, 3],
      mid grey where there is no image.
    """
    n, height, width, channels = images.shape
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
    canvas = tile(images, num_columns)
    aspect = canvas.shape[0] / canvas.shape[1]
    width = min(8.0, 8.0 / max(aspect, 1e-6))
    figure, axes = _figure(title, width, width * aspect + 0.45)
    axes.imshow(canvas, interpolation="nearest")
    axes.axis("off")
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


def scatter(groups: dict[str, np.ndarray], title: str) -> Figure:
    """Clouds of points in the plane, {name: [n, 2]}, side by side."""
    figure = Figure(
        figsize=(4.2 * len(groups), 4.4), layout="compressed", facecolor=PAPER
    )
    figure.suptitle(title, color=INK, fontsize=10)
    all_axes = figure.subplots(
        1, len(groups), sharex=True, sharey=True, squeeze=False
    )[0]
    for axes, (name, points) in zip(all_axes, groups.items(), strict=True):
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=3,
            alpha=0.4,
            linewidths=0,
            color=ACCENT,
        )
        axes.set_title(name, fontsize=9, color=INK)
        axes.set_aspect("equal", "box")  # shared axes allow no "datalim"
        _tidy(axes)
    return figure


def density(
    x: np.ndarray,
    grid: np.ndarray,
    densities: dict[str, np.ndarray],
    maps: tuple[np.ndarray, dict[str, np.ndarray]] | None,
) -> Figure:
    """Densities of one dimension, and the maps that make them of N(0, 1).

    Args:
      x: [n], data, shown as a histogram.
      grid: [m], where densities are given.
      densities: {name: [m]}.
      maps: (z [k], {name: f(z) [k]}); None: no second panel.
    """
    figure = Figure(
        figsize=(9 if maps else 5, 4), layout="constrained", facecolor=PAPER
    )
    panels = figure.subplots(1, 2 if maps else 1, squeeze=False)[0]
    panels[0].hist(x, bins=60, density=True, color="#cbd5e0", label="data")
    _lines(panels[0], grid, densities, "p(x)", "$x$")
    if maps:
        _lines(panels[1], *maps, "mean of p(x|z)", "$z$")
    return figure


def _lines(
    axes: Axes, at: np.ndarray, lines: dict[str, np.ndarray], title: str,
    label: str,
) -> None:  # fmt: skip
    for (name, values), style, colour in zip(
        lines.items(), ("-", "--"), (ACCENT, INK), strict=False
    ):
        axes.plot(at, values, style, color=colour, label=name)
    axes.set_title(title, fontsize=9, color=INK)
    axes.set_xlabel(label)
    axes.legend(frameon=False)
    _tidy(axes)


def latent_map(z: np.ndarray, y: np.ndarray | None) -> Figure:
    """Mean codes g(x), [n, 2], coloured by the labels y [n] where given."""
    figure, axes = _figure("latent map: z = g(x) of the test set", 6.4, 5.6)
    axes.set_xlabel("$z_1$")
    axes.set_ylabel("$z_2$")
    axes.set_aspect("equal", "datalim")
    _tidy(axes)
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
            bbox_to_anchor=(1.0, 0.5),
        )  # fmt: skip
    return figure


def curves(rows: Sequence[dict[str, float]]) -> Figure:
    """Training and validation figures over epochs, from metrics.jsonl."""
    figure = Figure(figsize=(9, 5.6), layout="constrained", facecolor=PAPER)
    epochs = [row["epoch"] for row in rows]
    for axes, (key, title) in zip(
        figure.subplots(2, 2).flat, CURVES, strict=True
    ):
        for name, label, style in (
            (key, "training", "-"),
            (f"val_{key}", "validation", "--"),
        ):
            if name in rows[0]:
                values = [row[name] for row in rows]
                marker = "o" if len(rows) == 1 else None
                axes.plot(
                    epochs, values, style, label=label, marker=marker,
                    color=INK if style == "-" else ACCENT,
                )  # fmt: skip
        if key not in rows[0]:
            axes.axis("off")  # an autoencoder has no KL and no bound
            continue
        axes.set_title(title, fontsize=9, color=INK)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        _tidy(axes)
    for axes in figure.axes:
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
            break
    return figure


def convergence(
    nll_curves: dict[str, dict[str, float]], *, exact: float | None = None
) -> Figure:
    """Estimates of -log p(x) over the number of draws, {name: {k: nats}}.

    Args:
      nll_curves: of each estimator.
      exact: -log p(x), where it is known.
    """
    figure, axes = _figure(
        "-log p(x) by k draws, mean over examples: lower is tighter", 6.4, 4.4
    )
    for (name, curve), colour in zip(
        nll_curves.items(), (ACCENT, INK), strict=False
    ):
        axes.plot(
            [int(k) for k in curve], list(curve.values()), "o-", label=name,
            color=colour, markersize=4,
        )  # fmt: skip
    if exact is not None:
        axes.axhline(exact, color="#c05621", linestyle=":", label="exact")
    axes.set_xscale("log")
    axes.set_xlabel("draws k")
    axes.set_ylabel("nats")
    axes.legend(frameon=False)
    _tidy(axes)
    return figure


def _figure(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(
        figsize=(width, height), layout="constrained", facecolor=PAPER
    )
    axes = figure.subplots()
    axes.set_title(title, fontsize=9, color=INK)
    return figure, axes


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.2)
