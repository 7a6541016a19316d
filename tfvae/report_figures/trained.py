"""What was trained, in words: the run's own section of the page."""

import dataclasses
from typing import Any

from tfvae import build, page, settings, summary
from tfvae.data.split import Splits
from tfvae.run_dir import Run

VALUES = {"unit": "from 0 to 1", "binary": "0 or 1", "real": "real numbers"}
HEADER = ("setting", "value", "default", "meaning")


def section(run: Run, splits: Splits, *, weights: str) -> page.Section:
    """Returns the data, the model, its training and all settings.

    Args:
      run: trained.
      splits: its data.
      weights: which of its weights are loaded.
    """
    fields = dataclasses.fields(run.config)
    changed = [f for f in fields if getattr(run.config, f.name) != f.default]
    # What the data decided comes after what was asked for.
    changed.sort(key=lambda field: field.default == "auto")
    title, everything = "Settings other than the default", "All settings"
    return page.Section(
        "What was trained",
        (
            page.Table("The run", (), _facts(run, splits, weights)),
            *map(page.Prose, _warnings(run, splits)),
            page.Table(title, HEADER, _rows(run, changed)),
            page.Details(
                everything,
                (page.Table(everything, HEADER, _rows(run, fields)),),
            ),
        ),
    )


def _facts(
    run: Run, splits: Splits, weights: str
) -> tuple[tuple[str, str], ...]:
    config, spec, rows = run.config, run.spec, run.run_dir.read_rows()
    shape = "x".join(map(str, spec.event_shape))
    data = f"{config.dataset}: {shape}, {VALUES[spec.support]}"
    classes = f", {spec.num_classes} classes" if spec.num_classes else ""
    sizes = ", ".join(
        f"{size:,} {part}" for part, size in summary.sizes(splits).items()
    )
    latent = (
        f"q(z|x) {config.posterior}; p(z) {config.prior}; {config.objective} "
        f"by {config.num_samples} draw(s) of z"
        if config.model == "vae"
        else "learned by reconstruction alone"
    )
    seconds = sum(row["seconds"] for row in rows)
    return (
        ("data", f"{data}{classes}; {sizes}"),
        (
            "model",
            f"{config.architecture}, {config.latent_dim} latents, "
            f"{build.num_parameters(run.model):,} parameters",
        ),
        (
            "densities",
            f"p(x|z) {config.likelihood}, "
            f"C = {run.model.likelihood.current_C():.4g}; {latent}",
        ),
        (
            "training",
            f"{len(rows)} of {config.epochs} epochs in {seconds:,.1f} s, "
            f"batches of {config.batch_size}, seed {config.seed}",
        ),
        *_outcome(run, weights),
    )


def _outcome(run: Run, weights: str) -> tuple[tuple[str, str], ...]:
    if not run.run_dir.is_complete():
        return (("weights", f"{weights}; the run is not complete"),)
    result: dict[str, Any] = run.run_dir.read_json("result.json")
    versions = ", ".join(map(" ".join, result["versions"].items()))
    best = f"{weights}; the best epoch is {result['best_epoch']}"
    return (("weights", best), ("versions", versions))


def _warnings(run: Run, splits: Splits) -> list[str]:
    lines = summary.of_run(run.config, run.model, splits, 1).splitlines()
    return [
        line.replace("warning", "Warning", 1)
        for line in lines
        if line.startswith("warning")
    ]


def _rows(run: Run, fields: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            f"`--{field.name}`",
            settings.to_text(getattr(run.config, field.name)),
            settings.to_text(field.default),
            settings.rule_of(field).help,
        )
        for field in fields
    )
