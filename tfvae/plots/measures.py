"""What was measured of a trained model, one figure a measure."""

import itertools
import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfvae.plots.style import (
    ACCENT,
    INK,
    MUTED,
    PAPER,
    TEXT_SIZE,
    WARNING,
    legend_below,
    tidy,
    titled_figure,
)

HEIGHT = 3.8  # inches
MOST_NUMBERS = 16  # along an axis, before they would overlap
NUM_BINS = 100
MARKERS = "osD^v"
COLOURS = (ACCENT, WARNING, INK, "#2f855a", "#6b46c1", "#b83280", "#718096")


def kl_bars(kl_per_dim: np.ndarray, active: np.ndarray) -> Figure:
    """KL of each latent dimension, the largest first.

    Args:
      kl_per_dim: [latent_dim], nats, means over examples.
      active: [latent_dim], bool, False where a dimension has collapsed.
    """
    order = np.argsort(-kl_per_dim, kind="stable")
    figure, axes = titled_figure("KL by latent dimension", height=HEIGHT)
    places = np.arange(len(order))
    for name, shown, colour, hatch in (
        ("active", active[order], ACCENT, None),
        ("collapsed", ~active[order], WARNING, "///"),
    ):
        if shown.any():
            axes.bar(
                places[shown], kl_per_dim[order][shown], color=colour,
                hatch=hatch, edgecolor="white", linewidth=0,
                label=f"{name}: {shown.sum()} of {len(order)}",
            )  # fmt: skip
    step = math.ceil(len(order) / MOST_NUMBERS)
    axes.set_xticks(places[::step], order[::step].astype(str))
    for label, used in zip(
        axes.get_xticklabels(), active[order][::step], strict=True
    ):
        label.set_color(INK if used else WARNING)  # the bar may be too low
    axes.set_xlabel("dimension i of z[i], the first is 0; largest KL first")
    axes.set_ylabel("nats")
    tidy(axes)
    axes.grid(visible=False, axis="x")
    legend_below(figure, num_columns=2)
    return figure


def rate_distortion(points: dict[str, tuple[float, float]]) -> Figure:
    """Models in the plane of rate and distortion, over lines of equal elbo.

    elbo = -(distortion + rate)

    Args:
      points: {name: (rate, distortion)}, nats, means over examples.
    """
    figure, axes = titled_figure("rate and distortion", height=4.4)
    rates, distortions = np.array(list(points.values()), float).T
    _elbo_lines(axes, rates, distortions)
    for (name, (rate, distortion)), marker, colour in zip(
        points.items(), itertools.cycle(MARKERS), itertools.cycle(COLOURS),
        strict=False,
    ):  # fmt: skip
        axes.plot(
            rate, distortion, marker, color=colour, markersize=9, zorder=3,
            label=f"{name}: elbo {-(distortion + rate):.1f}",
        )  # fmt: skip
    axes.set_xlabel("rate: KL (nats)")
    axes.set_ylabel("distortion: -log p(x|z) (nats)")
    tidy(axes)
    axes.grid(visible=False)
    legend_below(figure)
    return figure


def _elbo_lines(axes: Axes, rates: np.ndarray, distortions: np.ndarray) -> None:
    """Draws lines of equal elbo through a square around all points."""
    spans = np.ptp(rates), np.ptp(distortions)
    half = max(0.7 * max(spans), 0.3 * rates.max(), 1.0)
    rate = rates.min() + spans[0] / 2
    distortion = distortions.min() + spans[1] / 2
    elbo = -(distortion + rate)
    aside = half / 4  # of the middle, where the points are
    for level in MaxNLocator(8).tick_values(elbo - 2 * half, elbo + 2 * half):
        along = (elbo - level) / 2
        if abs(along) < 0.6 * half:
            at = rate + along - aside, distortion + along + aside
            axes.axline(at, slope=-1, color=INK, alpha=0.3, linewidth=1)
            axes.text(
                *at, f"elbo {level:g}", rotation=-45, ha="center", va="center",
                fontsize=TEXT_SIZE - 1, color=INK, backgroundcolor=PAPER,
            )  # fmt: skip
    axes.set(
        xlim=(rate - half, rate + half),
        ylim=(distortion - half, distortion + half),
        aspect="equal",  # a nat is a nat
    )


def error_map(error: np.ndarray) -> Figure:
    """Where in x the reconstruction is wrong.

    Args:
      error: [height, width] or [features], mean squared error over examples
        (and over channels).
    """
    if error.ndim == 1:
        figure, axes = titled_figure(
            "mean squared error by feature", height=HEIGHT
        )
        axes.bar(np.arange(len(error)), error, color=ACCENT)
        axes.set_xlabel("feature")
        axes.set_ylabel("squared error")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy(axes)
        return figure
    height, width = error.shape
    figure, axes = titled_figure(
        "mean squared error by pixel",
        height=min(max(4.4 * height / width, 2.0), 6.0),
    )
    image = axes.imshow(error, cmap="magma", vmin=0, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    bar = figure.colorbar(image, ax=axes, label="squared error")
    bar.ax.tick_params(labelsize=TEXT_SIZE)
    return figure


def calibration(residuals: np.ndarray) -> Figure:
    """Standardised residuals against N(0, 1), which they follow if c is right.

    residual = (x - E[x|z]) / sqrt(c)

    Args:
      residuals: [m].
    """
    figure, axes = titled_figure(
        "standardised residuals: are the errors as large as p(x|z) says?",
        height=4.4,
    )
    residuals = residuals.astype(np.float64)
    limit = max(4.0, np.quantile(np.abs(residuals), 0.995))
    bins = np.linspace(-limit, limit, NUM_BINS + 1)
    # Heights are shares of all residuals, those outside the bins included.
    weight = 1 / (len(residuals) * (bins[1] - bins[0]))
    axes.hist(
        residuals, bins.tolist(), weights=np.full(len(residuals), weight),
        color=MUTED,
        label=f"residuals: {_spread(residuals.std(), _beyond(residuals))}",
    )  # fmt: skip
    r = np.linspace(-limit, limit, 400)
    # N(r; 0, 1)
    normal = np.exp(-(r**2) / 2) / math.sqrt(2 * math.pi)
    # P(|r| > 2) = erfc(2 / sqrt(2))
    share = math.erfc(math.sqrt(2))
    axes.plot(r, normal, color=ACCENT, label=f"N(0, 1): {_spread(1.0, share)}")
    axes.set_xlabel(r"$(x - E[x|z]) / \sqrt{c}$")
    axes.set_ylabel("density")
    tidy(axes)
    legend_below(figure)
    return figure


def _beyond(residuals: np.ndarray) -> float:
    return float(np.mean(np.abs(residuals) > 2))


def _spread(deviation: float, share: float) -> str:
    return f"standard deviation {deviation:.3g}, {share:.2%} beyond ±2"
