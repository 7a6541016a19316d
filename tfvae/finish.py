"""The end of a run: its best weights on the test set, figures, result.json."""

import importlib.util
from typing import Any

from tfvae import build, callbacks, provenance, training
from tfvae.config import Config
from tfvae.data.split import Splits
from tfvae.learner import Learner
from tfvae.recorder import Recorder

COLLAPSED_KL = 0.1  # nats over all latents
COLLAPSED = (
    "warning: the latents carry nothing, the posterior has collapsed onto the "
    "prior; try --kl_schedule=linear:2, or a larger --C"
)


def finish(
    config: Config, model: Learner, splits: Splits, recorder: Recorder
) -> None:
    """Measures the best weights; the chief writes figures and result, and says.

    Args:
      config: resolved.
      model: trained; it has the best weights afterwards.
      splits: the data, of which the test set is measured.
      recorder: of the run.
    """
    recorder.load_best()
    measured = training.measure(config, model, splits.test)
    if not recorder.workers.is_chief:
        return
    if importlib.util.find_spec("tfvae.plots"):  # a slim image leaves it out
        _save_figures(config, model, splits, recorder)
    result = {"test": measured, **_result(config, model, splits, recorder)}
    recorder.run_dir.write_json("result.json", result)
    text = "  ".join(f"{key} {value:.4g}" for key, value in measured.items())
    print(f"test, best epoch {recorder.best_epoch()}: {text}")
    if measured.get("kl", COLLAPSED_KL) < COLLAPSED_KL:
        print(COLLAPSED)


def _save_figures(
    config: Config, model: Learner, splits: Splits, recorder: Recorder
) -> None:
    from tfvae import examples, figures

    shown = examples.load_examples(
        config,
        splits.test,
        num_examples=figures.num_examples(splits.spec.event_shape),
        seed=config.seed,
    )
    for name, figure in figures.make_figures(
        model,
        shown,
        recorder.rows,
        seed=config.seed,
        log_prob=splits.log_prob,
    ):
        recorder.run_dir.save_figure(name, figure)


def _result(
    config: Config, model: Learner, splits: Splits, recorder: Recorder
) -> dict[str, Any]:
    rows = recorder.rows
    return {
        "C": model.likelihood.current_C(),
        "latent_dim": config.latent_dim,
        "num_parameters": build.num_parameters(model),
        "epochs": len(rows),
        "best_epoch": recorder.best_epoch(),
        "seed": config.seed,
        "dataset": config.dataset,
        "images_per_second": callbacks.throughput(rows, recorder.num_examples),
        "train_seconds": sum(row["seconds"] for row in rows),
        **provenance.provenance(splits, model),
    }
