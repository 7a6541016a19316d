"""Measures a trained run: python -m tfvae.evaluate --help."""

import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Any

from tfvae import flags, program, settings
from tfvae.config import FIELDS, Config
from tfvae.errors import InputError
from tfvae.settings import setting

if TYPE_CHECKING:  # TensorFlow takes seconds to load, and --help must not wait
    from tfvae.data.split import Splits
    from tfvae.examples import Examples
    from tfvae.run_dir import Run

SUMMARY = """Measures a trained run on held-out data; writes evaluation.json.

usage: python -m tfvae.evaluate --run_dir=R [--name=value ...]

nll is the importance-weighted bound on -log p(x), in nats; README says what
each figure is."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Settings of an evaluation.

    Raises:
      InputError: a value is of the wrong type or out of bounds.
    """

    run_dir: str = setting("", "folder of the run")
    num_samples: int = setting(
        5000,
        "draws of z for each example, of which the bound is made",
        number=int, minimum=1, maximum=10_000_000,
    )  # fmt: skip
    num_examples: int = setting(
        0, "of the split, drawn at random; 0: all", number=int, minimum=0
    )
    split: str = setting(
        "test",
        "which part of the data",
        words=("test", "validation", "train"),
    )
    mask: str = setting(
        "",
        "of a run with --condition=mask: which pixels are seen; empty: as the "
        "run was trained",
        words=("", *settings.rule_of(FIELDS["mask"]).words),
    )
    weights: str = setting(
        "best",
        "of the epoch with the best validation, or the last",
        words=("best", "last"),
    )
    baselines: bool = setting(
        False,
        "also fit PCA, and train an autoencoder of the same networks, in "
        "RUN_DIR/baselines",
        is_switch=True,
    )
    seed: int = setting(
        0, "of the draws", number=int, minimum=0, maximum=2**32 - 1
    )
    data_dir: str = setting(
        "", "where TFDS keeps prepared data; empty: as the run was trained"
    )


def main(argv: list[str]) -> int:
    """Reads the command line, measures, and returns the exit status."""
    asked = flags.parse_as(Evaluation, argv, summary=SUMMARY)
    with program.quiet_start():
        program.start_tensorflow()
        from tfvae import run_dir
    if not asked.run_dir:
        raise program.missing_run_dir()
    run = run_dir.load_run(asked.run_dir, which=asked.weights)
    evaluate(run, asked)
    return program.DONE


def evaluate(run: "Run", asked: Evaluation) -> dict[str, Any]:
    """Measures a run and writes its evaluation.json and its picture.

    Args:
      run: trained.
      asked: how to measure.

    Returns:
      What evaluation.json holds.

    Raises:
      InputError: data that are not there, or do not fit into memory.
    """
    import tqdm

    from tfvae import evaluation, examples
    from tfvae.data.load import load_data

    config = run.config
    if asked.data_dir:
        config = dataclasses.replace(config, data_dir=asked.data_dir)
    splits = load_data(config)
    _check_mask(config, asked)
    shown = examples.load_examples(
        config,
        getattr(splits, asked.split),
        num_examples=asked.num_examples,
        seed=asked.seed,
        mask=asked.mask,
    )
    with tqdm.tqdm(
        total=len(shown), unit=" examples", disable=not sys.stderr.isatty()
    ) as bar:
        figures = evaluation.measure(
            run,
            splits,
            shown,
            evaluation.Protocol(
                asked.num_samples,
                asked.seed,
                lambda done: bar.update(done - bar.n),
            ),
        )
    if asked.baselines:
        figures |= _baselines(config, run, splits, shown)
    figures |= {
        "split": asked.split,
        "seed": asked.seed,
        "weights": asked.weights,
        "pixels": _pixels(config),
        "condition": config.condition,
    }
    if config.condition == "mask":
        figures["mask"] = asked.mask or config.mask
    run.run_dir.write_json("evaluation.json", figures)
    _draw(run, figures)
    print(_table(figures))
    print(advice(config.latent_dim, figures["active_units"]), end="")
    print(f"written: {run.run_dir.file('evaluation.json')}")
    return figures


def _check_mask(config: Config, asked: Evaluation) -> None:
    if asked.mask and config.condition != "mask":
        raise InputError(
            "`mask` is for runs that were trained with --condition=mask; this "
            f"one has --condition={config.condition}; leave it out."
        )


def _baselines(
    config: Config, run: "Run", splits: "Splits", shown: "Examples"
) -> dict[str, Any]:
    """Fits PCA and trains an autoencoder, both of the run's latent size."""
    from tfvae import baselines, evaluation, resolve, strategy, train
    from tfvae.examples import load_examples
    from tfvae.metrics import decoding
    from tfvae.run_dir import RunDir, load_run

    x, condition = shown.x, shown.condition
    reference = load_examples(
        config, splits.train, num_examples=evaluation.NUM_PCA, seed=config.seed
    ).x
    pca_mse = baselines.pca_mse(reference, x, latent_dim=config.latent_dim)
    figures: dict[str, Any] = {"pca_mse": pca_mse}
    if "mask" in condition:
        figures["pca_hidden_mse"] = evaluation.imputation_mse(
            reference, shown, latent_dim=config.latent_dim
        )
    folder = RunDir(os.path.join(run.run_dir.file("baselines"), "ae"))
    folder.prepare()
    print("baseline: the same networks without noise and prior")
    train.run(
        resolve.as_autoencoder(config),
        folder,
        strategy.make_strategy("one_device"),
    )
    autoencoder = load_run(folder.path).model
    return figures | {
        "ae_mse": decoding.mse(autoencoder, x, condition),
        "ae_regularity": decoding.regularity_of(
            autoencoder, x, condition, seed=config.seed
        ),
    }


def _pixels(config: Config) -> str:
    """Returns how the pixels that were measured came about."""
    if config.binarize != "none":
        return f"binarized once by Bernoulli draws, seed {config.seed}"
    if config.dequantize:
        return f"dequantized once by uniform noise, seed {config.seed}"
    return "as they are"


def _draw(run: "Run", figures: dict[str, Any]) -> None:
    import importlib.util

    if "nll_curve" in figures and importlib.util.find_spec("tfvae.plots"):
        from tfvae import plots

        curves = {"importance-weighted: z ~ q(z|x)": figures["nll_curve"]}
        if "naive_curve" in figures:
            num = figures["naive_num_examples"]
            name = f"naive: z ~ p(z), {num} examples"
            curves[name] = figures["naive_curve"]
        run.run_dir.save_figure(
            "nll_convergence",
            plots.convergence(
                curves,
                exact=figures.get("exact_model_nll"),
            ),
        )


def _table(figures: dict[str, Any]) -> str:
    """Returns the figures that are numbers, a line each."""
    rows = dict(figures)
    for name in ("regularity", "ae_regularity", "disentanglement"):
        rows |= {f"{name}.{k}": v for k, v in rows.pop(name, {}).items()}
    shown = {
        name: f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
        for name, value in rows.items()
        if isinstance(value, int | float)
    }
    width = max(map(len, shown))
    lines = [f"{name:{width}}  {value:>12}" for name, value in shown.items()]
    if "nll" in figures:
        lines[0] += f" ± {figures['nll_stderr']:.3g}"
    return "\n".join(lines)


def advice(latent_dim: int, active_units: int) -> str:
    """Returns what to do about latents that carry nothing; else nothing.

    Args:
      latent_dim: dimensions of z.
      active_units: how many of them are in use.
    """
    collapsed = latent_dim - active_units
    if not collapsed:
        return ""
    return (
        f"warning: {collapsed} of {latent_dim} latent dimensions have "
        "collapsed (the variance of E[z_i|x] over the examples is at most "
        f"0.01); --latent_dim={max(1, active_units)} would do as well; to have "
        "them used, try --kl_schedule=linear:2, --free_bits=0.1, or a larger "
        "--C\n"
    )


if __name__ == "__main__":
    program.run_main(main)
