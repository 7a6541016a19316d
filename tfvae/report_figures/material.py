"""What the figures of a report are made of."""

import dataclasses
from typing import Any

import numpy as np

from tfvae import examples as examples_lib
from tfvae import figures, plots
from tfvae.data.split import Splits
from tfvae.examples import Examples
from tfvae.metrics import decoding
from tfvae.run_dir import Row, Run


@dataclasses.dataclass(frozen=True)
class Material:
    """What the figures are made of.

    Attributes:
      run: trained.
      examples: held-out, in random order.
      z: [n, latent_dim], their mean codes.
      kl_per_dim: [latent_dim], nats, means over examples; None where it has
        no closed form.
      rows: of metrics.jsonl.
      measured: what evaluation.json holds.
      drawn: the figures that every run gets when its training ends, by name.
      seed: of all that is drawn.
    """

    run: Run
    examples: Examples
    z: np.ndarray
    kl_per_dim: np.ndarray | None
    rows: list[Row]
    measured: dict[str, Any]
    drawn: dict[str, plots.Figure]
    seed: int


def gather(
    run: Run, splits: Splits, measured: dict[str, Any], *, seed: int
) -> Material:
    """Loads and computes what the figures share.

    Args:
      run: trained.
      splits: its data; at most 2,000 random examples of the test set are used.
      measured: what evaluation.json holds.
      seed: of all that is drawn.
    """
    model, rows = run.model, run.run_dir.read_rows()
    shown = examples_lib.load_examples(
        run.config,
        splits.test,
        num_examples=figures.num_examples(run.spec.event_shape),
        seed=seed,
    )
    drawn = figures.make_figures(
        model, shown, rows, seed=seed, log_prob=splits.log_prob
    )
    order = np.random.default_rng(seed).permutation(len(shown))
    examples = shown.take(order)
    return Material(
        run=run,
        examples=examples,
        z=decoding.batched(model.code, examples.x, examples.condition),
        kl_per_dim=decoding.kl_per_dim(model, examples.x, examples.condition),
        rows=rows,
        measured=measured,
        drawn=dict(drawn),
        seed=seed,
    )
