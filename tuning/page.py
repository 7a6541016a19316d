"""One page on a search: what was searched, why by this figure, what came."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfvae import page
from tfvae.folder import write_whole
from tfvae.report_figures.measures import number
from tfvae.settings import to_text
from tuning import page_figures
from tuning.columns import columns
from tuning.importance import FEWEST_TRIALS, importance
from tuning.results import COMPLETED, FAILED, RUNNING, Result, ranked

if TYPE_CHECKING:  # it loads keras-tuner
    from tuning.space import Space

NAMES = {"nll": "nll (nats)", "elbo": "elbo (nats)", "mse": "mse per dimension"}
CRITERIA = {
    "nll": "Trials are compared by `nll`, the importance-weighted bound on "
    "-log p(x) of the validation set; lower is better. It is normalised: "
    "p(x|z) integrates to 1 whatever C is, so that it compares over C, latent "
    "sizes and architectures.",
    "elbo": "Trials are compared by `elbo`, the lower bound on log p(x) of the "
    "validation set; higher is better. It is normalised: p(x|z) integrates to "
    "1 whatever C is, so that it compares over C, latent sizes and "
    "architectures.",
    "mse": "Trials are compared by `mse`, the squared error of the "
    "reconstruction of the validation set. It does not ask what the code "
    "costs: a model that is best by it may be none to sample from.",
    "loss": "Trials are compared by `loss`, what they were trained on, on the "
    "validation set. It compares as no setting that was searched changes what "
    "it weighs.",
}
NOT_THE_LOSS = (
    "Why not the loss? C weighs the reconstruction in it, so that the smallest "
    "C has the smallest loss: a collapsed model, whose code says nothing. The "
    "error of the reconstruction alone falls as C rises, and picks a model "
    "that cannot be sampled from: its codes lie far from the prior."
)
UNTOLD = (
    "How much each setting matters cannot be told: it takes at least "
    f"{FEWEST_TRIALS} completed trials in which settings differ, from which a "
    "random forest predicts others better than the mean does."
)
CLOSED_FORM = (
    "C* = D / (2 SE), D the dimensions of an example, is the C at which the "
    "noise variance c = 1 / (2 C) equals the mean squared error of a trial."
)
# Of trials, in a table: {figure: name of its column}.
FIGURES = {
    "C_at_end": "C at the end", "C_star": "C*", "nll": "nll", "elbo": "elbo",
    "rate": "rate", "distortion_nats": "distortion", "mse": "mse",
    "loss": "loss", "best_epoch": "best epoch", "epochs": "epochs",
    "seconds": "seconds",
}  # fmt: skip
ORDER = (COMPLETED, RUNNING, FAILED)


def write(
    path: str,
    results: Sequence[Result],
    *,
    space: "Space",
    objective: str,
    direction: str,
    title: str,
    commands: Mapping[str, str],
) -> str:
    """Writes the page of a search.

    Args:
      path: of the page.
      results: of all trials.
      space: what was searched.
      objective: name of what is optimised.
      direction: "min" or "max", of the objective.
      title: of the page.
      commands: {what for: command}, to type next.

    Returns:
      path: of the page.
    """
    trials = ranked(results, direction=direction)
    counts = {s: sum(r.status == s for r in results) for s in ORDER}
    lines = [f"# {why}\n{command}" for why, command in commands.items()]
    text = page.render(
        title=title,
        subtitle=f"{len(results)} trial(s), compared by `{objective}` on the "
        "validation set.",
        cards=[*_cards(trials, objective), *_counts(trials, counts)],
        sections=[
            _searched(trials, space, objective),
            _outcome(trials, space, objective),
            _all_trials(trials, results, space, objective),
            page.Section("What is next", (page.Commands("\n\n".join(lines)),)),
        ],
    )
    write_whole(path, lambda file: file.write(text.encode()))
    return path


def _name(objective: str) -> str:
    return NAMES.get(objective, objective)


def _cards(trials: Sequence[Result], objective: str) -> list[page.Card]:
    """Returns what is best, and where."""
    if not trials:
        return []
    best = trials[0]
    stderr = best.figures.get("nll_stderr") if objective == "nll" else None
    spread = f"± {stderr:.2g}, " if stderr is not None else ""
    cards = [
        page.Card(
            f"best {_name(objective)}",
            number(best.objective),  # type: ignore[arg-type]
            f"{spread}trial {best.trial}",
        )
    ]
    if best.figures.get("C_at_end") is not None:
        suggested = best.figures.get("C_star")
        note = "" if suggested is None else f"C* = {suggested:.4g}"
        cards.append(
            page.Card("its C", f"{best.figures['C_at_end']:.4g}", note)
        )
    if "latent_dim" in best.values:
        size = number(best.values["latent_dim"])
        cards.append(page.Card("its latent_dim", size, "dimensions of z"))
    return cards


def _counts(
    trials: Sequence[Result], counts: Mapping[str, int]
) -> list[page.Card]:
    note = f"{counts[FAILED]} failed"
    if counts[RUNNING]:
        note += f", {counts[RUNNING]} running"
    cards = [page.Card("trials completed", str(counts[COMPLETED]), note)]
    if trials:
        spent = sum(trial.figures["seconds"] for trial in trials)
        training = sum(trial.figures["train_seconds"] for trial in trials)
        cards.append(
            page.Card(
                "time in trials", _duration(spent),
                f"{_duration(training)} of it training",
            )
        )  # fmt: skip
    return cards


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _searched(
    trials: Sequence[Result], space: "Space", objective: str
) -> page.Section:
    blocks: list[page.Block] = [
        page.Table(
            "The space",
            ("setting", "searched among"),
            tuple((f"`{d.name}`", d.text()) for d in space.dimensions),
        ),
        page.Prose(CRITERIA[objective]),
    ]
    if "C" in space.names and objective in ("nll", "elbo"):
        blocks.append(page.Prose(NOT_THE_LOSS + _smallest_error(trials)))
    return page.Section("What was searched", tuple(blocks))


def _smallest_error(trials: Sequence[Result]) -> str:
    """Returns what the smallest squared error would have picked, in words."""
    smallest = min(trials, key=lambda t: t.figures["mse"], default=None)
    if smallest is None or smallest is trials[0]:
        return ""
    return (
        f" Here trial {smallest.trial} has the smallest squared error, and an "
        f"nll of {number(smallest.figures['nll'])} nats; that of the best "
        f"trial is {number(trials[0].figures['nll'])}."
    )


def _outcome(
    trials: Sequence[Result], space: "Space", objective: str
) -> page.Section:
    title = "What came of it"
    if not trials:
        return page.Section(
            title,
            (page.Prose("No trial has completed: there is nothing to show."),),
        )
    log = {d.name for d in space.dimensions if d.log}
    shares = importance(trials, log=log)
    texts = [_verdict(trials[0]), "" if shares else UNTOLD]
    blocks: list[page.Block] = [page.Prose(text) for text in texts if text]
    blocks += page_figures.pictures(
        trials, shares, value_name=_name(objective), log=log
    )
    return page.Section(title, tuple(blocks))


def _verdict(best: Result) -> str:
    """Returns how far the best trial's C lies from C*, in words."""
    C, suggested = best.figures.get("C_at_end"), best.figures.get("C_star")
    if C is None or suggested is None:
        return ""
    ratio = C / suggested
    within = "within" if 0.5 <= ratio <= 2 else "not within"
    return (
        f"{CLOSED_FORM} The best trial's C = {C:.4g} lies {within} a "
        f"factor of 2 of its C* = {suggested:.4g}: it is {ratio:.2g} times as "
        "large."
    )


def _all_trials(
    trials: Sequence[Result],
    results: Sequence[Result],
    space: "Space",
    objective: str,
) -> page.Section:
    """Returns the table of trials: the best first, the failed ones last."""
    others = [result for result in results if result.status != COMPLETED]
    others.sort(key=lambda result: ORDER.index(result.status))
    figures = [
        name
        for name in sorted(FIGURES, key=lambda name: name != objective)
        if any(trial.figures.get(name) is not None for trial in trials)
        and not (name == "C_at_end" and "C" in space.names)
    ]
    header = (
        "trial", *space.names, *(FIGURES[name] for name in figures), "outcome"
    )  # fmt: skip
    rows = tuple(
        (
            result.trial,
            *(_value(result.values.get(name, "")) for name in space.names),
            *(_figure(result, name) for name in figures),
            ": ".join(filter(None, [result.status.lower(), result.message])),
        )
        for result in (*trials, *others)
    )
    caption = (
        "Figures of the validation set, at the best epoch; nll, elbo, rate and "
        "distortion in nats, best first."
    )
    words = [n for n, v in columns(trials).items() if isinstance(v[0], str)]
    numbers = tuple(
        place
        for place, name in enumerate(header[1:-1], start=1)
        if name not in words
    )
    return page.Section(
        "All trials", (page.Table(caption, header, rows, numbers),)
    )


def _value(value: Any) -> str:
    return number(value) if isinstance(value, float) else to_text(value)


def _figure(result: Result, name: str) -> str:
    value = result.figures.get(name)
    if value is None:
        return ""
    stderr = result.figures.get("nll_stderr") if name == "nll" else None
    return number(value) + (f" ± {stderr:.2g}" if stderr is not None else "")
