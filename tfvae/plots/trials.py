"""The trials of a search: what was tried, and what came of it.

All arrays hold a trial an entry, the best trial first. Colours and the axis of
the objective go by rank: one bad trial may lie 10,000 times further off than
all others.
"""

from collections.abc import Collection, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from tfvae.plots import ticks
from tfvae.plots.style import (
    ACCENT,
    INK,
    MUTED,
    PAPER,
    TEXT_SIZE,
    WARNING,
    WIDTH,
    in_lines,
    legend_below,
    tidy,
    titled_figure,
)

HEIGHT = 4.6  # inches
COLOURS = matplotlib.colormaps["viridis"]
Named = list[tuple[str, float]]  # text, height


def settings_map(
    x: np.ndarray,
    y: np.ndarray,
    value: np.ndarray,
    *,
    x_name: str,
    y_name: str,
    value_name: str,
    title: str,
    suggested: np.ndarray | None = None,
    suggested_name: str = "",
) -> Figure:
    """Two settings of each trial, coloured by its objective.

    Args:
      x: [n], positive, on a logarithmic axis.
      y: [n], the same.
      value: [n], objective, best first.
      x_name: below the map.
      y_name: beside it.
      value_name: of the objective, with its unit.
      title: above the map.
      suggested: [n], what y should have been by a closed form; None: unknown.
      suggested_name: of that.
    """
    figure, axes = titled_figure(title, height=HEIGHT + 1.2)
    if suggested is not None:
        axes.vlines(x, y, suggested, color=MUTED, linewidth=1, zorder=1)
        axes.plot(
            x, suggested, "_", color=INK, markersize=11, markeredgewidth=1.8,
            zorder=2, label=suggested_name,
        )  # fmt: skip
    axes.scatter(
        x[::-1], y[::-1], s=60, c=_shades(len(value))[::-1], edgecolors=PAPER,
        linewidths=0.6, zorder=3,
    )  # fmt: skip
    _ring(axes, x[0], y[0])
    axes.set(xlabel=x_name, ylabel=y_name, xscale="log", yscale="log")
    _name_marks(axes.xaxis, x)
    _name_marks(
        axes.yaxis, y if suggested is None else np.concatenate([y, suggested])
    )
    tidy(axes)
    _rank_bar(figure, axes, value, value_name)
    legend_below(figure, num_columns=2)
    return figure


def rate_distortion_front(
    rate: np.ndarray,
    distortion: np.ndarray,
    value: np.ndarray,
    *,
    front: np.ndarray,
    value_name: str,
) -> Figure:
    """Trials in the plane of rate and distortion, and the front among them.

    Args:
      rate: [n], nats, means over examples.
      distortion: [n], nats, means over examples.
      value: [n], objective, best first.
      front: [m], ids of the trials on the front, by rising rate.
      value_name: of the objective, with its unit.
    """
    figure, axes = titled_figure(
        "rate and distortion of the trials", height=HEIGHT + 1.2
    )
    axes.step(
        rate[front], distortion[front], where="post", color=ACCENT,
        linewidth=1.5, zorder=1, label="front: no trial is better in both",
    )  # fmt: skip
    top = _top(distortion)
    inside = distortion <= top
    height = np.minimum(distortion, top)
    for shown, marker, label in (
        (inside, "o", None),
        (~inside, "^", f"{np.sum(~inside)} above the picture"),
    ):
        if shown.any():
            axes.scatter(
                rate[shown][::-1], height[shown][::-1], s=60, marker=marker,
                c=_shades(len(value))[shown][::-1], edgecolors=PAPER,
                linewidths=0.6, zorder=3, label=label, clip_on=False,
            )  # fmt: skip
    _ring(axes, rate[0], height[0])
    if not inside.all():
        axes.set_ylim(top=top)
    axes.set_xlabel("rate: KL (nats)")
    axes.set_ylabel("distortion: -log p(x|z) (nats)")
    tidy(axes)
    _rank_bar(figure, axes, value, value_name)
    legend_below(figure, num_columns=2)
    return figure


def parallel_coordinates(
    columns: Mapping[str, Sequence[float] | Sequence[str]],
    value: np.ndarray,
    *,
    value_name: str,
    log: Collection[str] = (),
) -> Figure:
    """A line a trial through its settings, to its objective.

    Args:
      columns: {name: [n]}, numbers or words; five fit.
      value: [n], objective, best first.
      value_name: of the objective, with its unit.
      log: names of the columns on a logarithmic axis.
    """
    figure, axes = titled_figure("settings of the trials", height=HEIGHT)
    places = [_placed(v, log=n in log) for n, v in columns.items()]
    places.append(_placed_by_rank(value))
    heights = np.stack([heights for heights, _ in places])  # [columns + 1, n]
    at = np.arange(len(places))
    for trial in reversed(range(len(value))):
        axes.plot(
            at, heights[:, trial], color=_shades(len(value))[trial],
            linewidth=1.2 if trial else 3.5, alpha=0.7 if trial else 1,
        )  # fmt: skip
    width = 0.9 * WIDTH / len(places)  # inches between two axes, and less
    for place, (_, named) in enumerate(places):
        axes.vlines(place, 0, 1, color=INK, linewidth=1, zorder=3)
        for text, height in named:
            axes.text(
                place + 0.04, height, _broken(text, width=width), va="center",
                fontsize=TEXT_SIZE, color=INK, zorder=4,
                bbox={"color": PAPER, "alpha": 0.75, "pad": 0.5},
            )  # fmt: skip
    axes.set_xticks(
        at, [_broken(name, width=width) for name in (*columns, value_name)]
    )
    axes.set(xlim=(-0.4, len(at) - 0.4), ylim=(-0.04, 1.04), yticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=TEXT_SIZE, labelcolor=INK)
    return figure


def importance_bars(
    importance: Mapping[str, float], errors: Mapping[str, float]
) -> Figure:
    """How much each setting matters, the first on top.

    Args:
      importance: {setting: share}, at least 0, of sum 1.
      errors: {setting: standard deviation of its share}.
    """
    figure, axes = titled_figure(
        "how much each setting matters", height=1 + 0.4 * len(importance)
    )
    axes.barh(
        list(importance), list(importance.values()), color=ACCENT, height=0.6,
        xerr=[errors[name] for name in importance],
        error_kw={"ecolor": INK, "capsize": 4},
    )  # fmt: skip
    axes.invert_yaxis()
    axes.set_xlabel("share; whiskers: one standard deviation")
    axes.set_xlim(left=0)
    tidy(axes)
    axes.grid(visible=False, axis="y")
    return figure


def _shades(num_trials: int) -> np.ndarray:
    """Returns a colour a trial, [n, 4]: the best is dark."""
    return COLOURS(np.arange(num_trials) / max(num_trials - 1, 1))


def _ring(axes: Axes, x: float, y: float) -> None:
    """Marks the best trial."""
    axes.scatter(
        x, y, s=200, facecolors="none", edgecolors=WARNING, linewidths=2.2,
        zorder=5, clip_on=False, label="best trial",
    )  # fmt: skip


def _ranks_shown(num_trials: int) -> np.ndarray:
    """Returns the ranks that are named, from the best, 0, to the worst."""
    return np.unique(np.linspace(0, num_trials - 1, 5).round().astype(int))


def _rank_bar(
    figure: Figure, axes: Axes, value: np.ndarray, value_name: str
) -> None:
    """Says which objective a colour stands for."""
    colours = ScalarMappable(Normalize(0, max(len(value) - 1, 1)), COLOURS)
    shown = _ranks_shown(len(value))
    bar = figure.colorbar(
        colours, ax=axes, location="bottom", ticks=shown.tolist(), aspect=35
    )
    bar.ax.set_xticklabels(ticks.texts(value[shown]))
    bar.ax.tick_params(labelsize=TEXT_SIZE)
    bar.set_label(f"{value_name}, coloured by rank, best first")


def _placed_by_rank(value: np.ndarray) -> tuple[np.ndarray, Named]:
    """Returns heights from 1 (the best) to 0, and a few of them by name."""
    heights = 1 - np.arange(len(value)) / max(len(value) - 1, 1)
    shown = _ranks_shown(len(value))
    return heights, _named(ticks.texts(value[shown]), heights[shown])


def _placed(
    values: Sequence[float] | Sequence[str], *, log: bool
) -> tuple[np.ndarray, Named]:
    """Returns the heights of values, from 0 to 1, and those of ticks by name.

    Where all values are equal, they lie in the middle.
    """
    given = np.asarray(values)
    if isinstance(values[0], str):
        names, codes = np.unique(given, return_inverse=True)
        return _within(codes, codes), _named(
            names, _within(np.arange(len(names)), codes)
        )
    marks = ticks.marks(given, log=log)
    texts = ticks.texts(marks)
    if log:
        given, marks = np.log(given), np.log(marks)
    return _within(given, given), _named(texts, _within(marks, given))


def _within(places: np.ndarray, all_places: np.ndarray) -> np.ndarray:
    """Returns where places lie from the lowest, 0, to the highest, 1."""
    low, high = all_places.min(), all_places.max()
    if low == high:
        return np.full(len(places), 0.5)
    return (places - low) / (high - low)


def _named(texts: Sequence[str] | np.ndarray, heights: np.ndarray) -> Named:
    return list(zip(texts, heights.tolist(), strict=True))


def _name_marks(axis: Axis, values: np.ndarray) -> None:
    """Puts plain round numbers on a logarithmic axis."""
    marks = ticks.marks(values, log=True)
    axis.set_ticks(marks, ticks.texts(marks))
    axis.set_minor_locator(NullLocator())


def _top(distortion: np.ndarray) -> float:
    """Returns the height above which trials would flatten the better half."""
    low, middle = distortion.min(), np.median(distortion)
    if low == middle:
        return float(distortion.max())
    return float(low + 3 * (middle - low))


def _broken(text: str, *, width: float) -> str:
    """Breaks a name into lines of a width in inches, after underscores too."""
    lines = in_lines(text.replace("_", "_ "), width=width, size=TEXT_SIZE)
    return lines.replace("_ ", "_")
