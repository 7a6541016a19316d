"""Writes what is known of a run to one page: python -m tfvae.report --help."""

import dataclasses
import shlex
import sys
from typing import TYPE_CHECKING, Any

from tfvae import evaluate, flags, page, program
from tfvae.config import Config
from tfvae.settings import setting

if TYPE_CHECKING:  # TensorFlow takes seconds to load, and --help must not wait
    from tfvae.report_figures import Material
    from tfvae.run_dir import Run

SUMMARY = """Writes a trained run's report.html: figures, tables, next commands.

usage: python -m tfvae.report --run_dir=R [--name=value ...]

The page is one file without scripts, and needs no network. Figures that were
not measured yet (python -m tfvae.evaluate) are, with few draws."""

NAME = "report.html"
KINDS = {"vae": "variational autoencoder", "ae": "autoencoder"}
CONDITIONS = {
    "none": "",
    "label": ", given the label",
    "mask": ", given a part of the image",
}
# What `generate` makes of a model with a prior.
MODES = {"none": "sample", "label": "sample", "mask": "inpaint"}


@dataclasses.dataclass(frozen=True)
class Report:
    """Settings of a report.

    Raises:
      InputError: a value is of the wrong type or out of bounds.
    """

    run_dir: str = setting("", "folder of the run")
    data_dir: str = setting(
        "", "where TFDS keeps prepared data; empty: as the run was trained"
    )
    weights: str = setting(
        "best",
        "of the epoch with the best validation, or the last",
        words=("best", "last"),
    )
    num_samples: int = setting(
        100,
        "without an evaluation.json: draws of z for each example",
        number=int, minimum=1, maximum=10_000_000,
    )  # fmt: skip
    num_examples: int = setting(
        1000,
        "without an evaluation.json: examples that are measured, drawn at "
        "random; 0: all",
        number=int, minimum=0,
    )  # fmt: skip
    seed: int = setting(
        0,
        "of the examples and draws that are shown",
        number=int, minimum=0, maximum=2**32 - 1,
    )  # fmt: skip


def main(argv: list[str]) -> int:
    """Reads the command line, writes the page, returns the exit status."""
    asked = flags.parse_as(Report, argv, summary=SUMMARY)
    with program.quiet_start():
        program.start_tensorflow()
        from tfvae import run_dir
    if not asked.run_dir:
        raise program.missing_run_dir()
    run = run_dir.load_run(asked.run_dir, which=asked.weights)
    print(f"report: {write(run, asked)}")
    return program.DONE


def write(run: "Run", asked: Report) -> str:
    """Writes the page of a run, whole or not at all.

    Args:
      run: trained.
      asked: how to show it.

    Returns:
      path: of the page.

    Raises:
      InputError: data that are not there, or do not fit into memory.
    """
    from tfvae import report_figures
    from tfvae.data.load import load_data
    from tfvae.report_figures import measures, trained

    config = run.config
    if asked.data_dir:
        config = dataclasses.replace(config, data_dir=asked.data_dir)
    measured = _measured(run, asked)
    splits = load_data(config)
    material = report_figures.gather(run, splits, measured, seed=asked.seed)
    text = page.render(
        title=f"{config.dataset}: {KINDS[config.model]}"
        f"{CONDITIONS[config.condition]}",
        subtitle=f"What was trained, how well, and what it makes. Run folder "
        f"`{asked.run_dir}`.",
        cards=measures.cards(measured, latent_dim=config.latent_dim),
        sections=[
            trained.section(run, splits, weights=asked.weights),
            *_figure_sections(material),
            _evaluation(config, measured),
            _next(run, asked.run_dir),
        ],
    )
    run.run_dir.write(NAME, lambda file: file.write(text.encode()))
    return run.run_dir.file(NAME)


def _measured(run: "Run", asked: Report) -> dict[str, Any]:
    """Returns what evaluation.json holds; measures where it is missing."""
    if run.run_dir.has("evaluation.json"):
        return run.run_dir.read_json("evaluation.json")
    print("no evaluation.json yet; measuring", flush=True)
    return evaluate.evaluate(
        run,
        evaluate.Evaluation(
            run_dir=asked.run_dir,
            num_samples=asked.num_samples,
            num_examples=asked.num_examples,
            weights=asked.weights,
            seed=asked.seed,
            data_dir=asked.data_dir,
        ),
    )


def _figure_sections(material: "Material") -> list[page.Section]:
    """Draws the figures, and says which are left out."""
    import tqdm

    from tfvae import plots, report_figures

    pictures: dict[str, list[page.Block]] = {}
    missing: dict[str, dict[str, list[str]]] = {}
    for entry, drawn in tqdm.tqdm(
        report_figures.make_figures(material),
        total=len(report_figures.FIGURES), unit=" figures",
        disable=not sys.stderr.isatty(),
    ):  # fmt: skip
        blocks = pictures.setdefault(entry.section, [])
        if isinstance(drawn, str):
            reasons = missing.setdefault(entry.section, {})
            reasons.setdefault(drawn, []).append(entry.name)
        else:
            png = plots.png_bytes(drawn.figure)
            blocks.append(page.Picture(png, entry.alt, drawn.caption))
    for section, reasons in missing.items():
        pictures[section] += [
            page.Prose(f"Left out, as {reason}: {', '.join(names)}.")
            for reason, names in reasons.items()
            if reason
        ]
    return [
        page.Section(title, tuple(blocks))
        for title, blocks in pictures.items()
        if blocks
    ]


def _evaluation(config: Config, measured: dict[str, Any]) -> page.Section:
    from tfvae.report_figures import measures

    advice = evaluate.advice(config.latent_dim, measured["active_units"])
    blocks: tuple[page.Block, ...] = (measures.table(measured),)
    if advice:
        blocks += (page.Prose(advice.strip()),)
    return page.Section("Evaluation", blocks)


def _next(run: "Run", path: str) -> page.Section:
    config, folder = run.config, shlex.quote(path)
    mode = MODES[config.condition] if config.model == "vae" else "reconstruct"
    kind = "png" if run.spec.is_image else "npz"
    seed = config.seed + 1
    train = (
        {
            "train it again with another seed": "python -m tfvae.train "
            f"--config={folder}/config.json --seed={seed} "
            f"--run_dir={folder}-seed-{seed}"
        }
        if run.run_dir.is_complete()
        else {
            "train it to its end": f"python -m tfvae.train --run_dir={folder}"
        }
    )
    commands = {
        "follow the training in a browser": "tensorboard "
        f"--logdir={folder}/tensorboard",
        "measure it in full, beside PCA and an autoencoder": "python -m "
        f"tfvae.evaluate --run_dir={folder} --num_samples=5000 --baselines",
        "make something of it": f"python -m tfvae.generate {mode} "
        f"--run_dir={folder} --out={mode}.{kind}",
        **train,
    }
    lines = [f"# {why}\n{command}" for why, command in commands.items()]
    return page.Section("What is next", (page.Commands("\n\n".join(lines)),))


if __name__ == "__main__":
    program.run_main(main)
