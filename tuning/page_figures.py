"""The figures of a search's page, and how to read them."""

import itertools
from collections.abc import Collection, Sequence

import numpy as np

from tfvae import page, plots
from tuning.columns import columns
from tuning.pareto import pareto_front
from tuning.results import Result

MOST_COLUMNS = 5  # beside each other on a phone
MAP = (
    "A point a trial, coloured by {value_name}: the darker, the better. "
    "Colours go by rank, as the worst trials lie far off. "
)
SUGGESTED = (
    "The dash that a line leads to is C* = D / (2 SE), which the trial's own "
    "squared error SE asks for: where the line is long, the noise that C "
    "stands for is not the noise that was found."
)
FRONT = (
    "No other trial has both a smaller rate and a smaller distortion than "
    "those on the line. The sum of both is -elbo. To the left the code says "
    "little; trials above the line pay for it without a gain, as where C is so "
    "large that p(x|z) is too narrow for the errors that remain."
)
PARALLEL = (
    "A line a trial: follow it through the settings to its objective, where "
    "trials stand by rank, the best on top. The thick line is the best trial. "
    "A setting whose dark lines run through one place matters."
)
IMPORTANCE = (
    "How much worse a random forest predicts the rank of trials that it was "
    "not shown, once a setting is shuffled among them, as a share of all "
    "settings. It holds for the ranges that were searched; few trials say "
    "little."
)


def pictures(
    trials: Sequence[Result],
    shares: dict[str, tuple[float, float]],
    *,
    value_name: str,
    log: Collection[str],
) -> list[page.Picture]:
    """Draws the trials.

    Args:
      trials: completed, best first, at least one.
      shares: {setting: (share, standard deviation)}; empty: not known.
      value_name: of the objective, with its unit.
      log: names of the settings on a logarithmic axis.
    """
    drawn: list[page.Picture] = [
        *_map(trials, value_name),
        *_front(trials, value_name),
        *_parallel(trials, value_name, log),
    ]
    if shares:
        figure = plots.importance_bars(
            {name: share for name, (share, _) in shares.items()},
            {name: deviation for name, (_, deviation) in shares.items()},
        )
        first = next(iter(shares))
        alt = f"Bars, a setting each; {first} matters most."
        drawn.append(page.Picture(plots.png_bytes(figure), alt, IMPORTANCE))
    return drawn


def _array(trials: Sequence[Result], name: str) -> np.ndarray:
    return np.array([trial.figures[name] for trial in trials], float)


def _objectives(trials: Sequence[Result]) -> np.ndarray:
    return np.array([trial.objective for trial in trials], float)


def _map(trials: Sequence[Result], value_name: str) -> list[page.Picture]:
    """Draws two settings; none where fewer are positive numbers."""
    settings = {
        name: np.array(values)
        for name, values in columns(trials).items()
        if not isinstance(values[0], str) and min(values) > 0
    }
    # C beside latent_dim where there are both, then as the space names them.
    names = sorted(settings, key=lambda n: (n == "C", n != "latent_dim"))
    if len(names) < 2:
        return []
    x, y = names[0], "C" if "C" in settings else names[1]
    suggested = y == "C" and all(
        trial.figures.get("C_star") is not None for trial in trials
    )
    figure = plots.settings_map(
        settings[x],
        settings[y],
        _objectives(trials),
        x_name=x,
        y_name=y,
        value_name=value_name,
        title=f"{y} against {x}",
        suggested=_array(trials, "C_star") if suggested else None,
        suggested_name="C* of the trial",
    )
    caption = MAP.format(value_name=value_name)
    best = trials[0].values
    return [
        page.Picture(
            plots.png_bytes(figure),
            f"The trials by {x} and {y}; the best has {x} = {best[x]:.4g}, "
            f"{y} = {best[y]:.4g}.",
            caption + SUGGESTED * suggested,
        )
    ]


def _front(trials: Sequence[Result], value_name: str) -> list[page.Picture]:
    """Draws rate and distortion; an autoencoder has neither."""
    if any("rate" not in trial.figures for trial in trials):
        return []
    rate = _array(trials, "rate")
    distortion = _array(trials, "distortion_nats")
    front = pareto_front(rate, distortion)
    figure = plots.rate_distortion_front(
        rate,
        distortion,
        _objectives(trials),
        front=front,
        value_name=value_name,
    )
    alt = (
        "The trials by rate and distortion, and the front that "
        f"{len(front)} of them form."
    )
    return [page.Picture(plots.png_bytes(figure), alt, FRONT)]


def _parallel(
    trials: Sequence[Result], value_name: str, log: Collection[str]
) -> list[page.Picture]:
    """Draws all settings, five to a picture."""
    settings = list(columns(trials).items())
    drawn = []
    for first in range(0, len(settings), MOST_COLUMNS):
        group = dict(itertools.islice(settings, first, first + MOST_COLUMNS))
        figure = plots.parallel_coordinates(
            group, _objectives(trials), value_name=value_name, log=log
        )
        names = ", ".join(group)
        alt = f"Lines, a trial each, through {names} to {value_name}."
        drawn.append(page.Picture(plots.png_bytes(figure), alt, PARALLEL))
    return drawn
