"""Numbers over epochs, over draws, over x and z."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfvae.plots.style import (
    ACCENT,
    INK,
    MUTED,
    TEXT_SIZE,
    WARNING,
    legend_below,
    plain_figure,
    tidy,
    titled_figure,
)

CURVES = (
    ("elbo", "lower bound, elbo (nats)"),
    ("log_likelihood", "log p(x|z) (nats)"),
    ("kl", "KL (nats)"),
    ("C", "C"),
)


def curves(rows: Sequence[dict[str, float]]) -> Figure:
    """Training and validation figures over epochs, from metrics.jsonl."""
    figure = plain_figure(4.8)
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
        axes.set_title(title, fontsize=TEXT_SIZE, color=INK)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        tidy(axes)
    for axes in figure.axes:
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=TEXT_SIZE)
            break
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
    figure = plain_figure(7 if maps else 3.6)
    panels = figure.subplots(2 if maps else 1, squeeze=False)[:, 0]
    panels[0].hist(x, bins=60, density=True, color=MUTED, label="data")
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
    axes.set_title(title, fontsize=TEXT_SIZE, color=INK)
    axes.set_xlabel(label)
    axes.legend(frameon=False, fontsize=TEXT_SIZE)
    tidy(axes)


def convergence(
    nll_curves: dict[str, dict[str, float]], *, exact: float | None = None
) -> Figure:
    """Estimates of -log p(x) over the number of draws, {name: {k: nats}}.

    Args:
      nll_curves: of each estimator.
      exact: -log p(x), where it is known.
    """
    figure, axes = titled_figure(
        "-log p(x) by k draws, mean over examples: lower is tighter", height=4
    )
    for (name, curve), colour in zip(
        nll_curves.items(), (ACCENT, INK), strict=False
    ):
        axes.plot(
            [int(k) for k in curve], list(curve.values()), "o-", label=name,
            color=colour, markersize=4,
        )  # fmt: skip
    if exact is not None:
        axes.axhline(exact, color=WARNING, linestyle=":", label="exact")
    axes.set_xscale("log")
    axes.set_xlabel("draws k")
    axes.set_ylabel("nats")
    tidy(axes)
    legend_below(figure)
    return figure
