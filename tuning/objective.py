"""What trials are compared by: held-out figures that mean the same for all."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from tfvae import examples
from tfvae.config import Config
from tfvae.data.split import Splits
from tfvae.distributions.gaussian import Gaussian
from tfvae.distributions.likelihoods import LIKELIHOODS
from tfvae.errors import InputError
from tfvae.examples import Examples
from tfvae.learner import Learner
from tfvae.metrics.likelihood import Estimate
from tfvae.run_dir import Row
from tfvae.vae import VAE
from tuning.space import Space

# From a name to the direction in which it is better.
DIRECTIONS = {"nll": "min", "elbo": "max", "mse": "min", "loss": "min"}
# Settings that change what the loss weighs, so that losses do not compare.
OF_THE_LOSS = (
    "C", "beta", "likelihood", "kl_schedule", "free_bits", "capacity",
    "objective", "objective_weight", "info_alpha", "num_samples", "num_groups",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a trained model is measured.

    Attributes:
      num_samples: draws for each example of the importance-weighted bound.
      num_examples: of the validation set, drawn at random; 0: all.
      seed: of their choice.
    """

    num_samples: int = 100
    num_examples: int = 1000
    seed: int = 0


def check(name: str, base: Config, space: Space) -> None:
    """Refuses an objective that does not compare the trials of a space.

    Args:
      name: of the objective.
      base: settings that are not searched.
      space: the rest.

    Raises:
      InputError: says why, and what to take instead.
    """
    weighing = [n for n in space.names if n in OF_THE_LOSS]
    if name == "loss" and weighing:
        raise InputError(
            f"`objective`=loss cannot compare trials that differ in "
            f"{weighing[0]}: it changes what the loss weighs, so the smallest "
            "loss is that of a collapsed model, not of the best one; take nll, "
            "which is normalised, elbo or mse."
        )
    if base.model == "ae" and name != "mse":
        raise InputError(
            f"`objective`={name} needs a likelihood, which `model`=ae has not; "
            "take mse."
        )
    kinds = {
        LIKELIHOODS[word].is_density
        for dimension in space.dimensions
        if dimension.name == "likelihood"
        for word in dimension.values
        if word != "auto"
    }
    if len(kinds) > 1 and name != "mse":
        raise InputError(
            f"`objective`={name} cannot compare a density with a probability "
            "of levels; search `likelihood` among one kind, or take mse."
        )


def load_validation(
    config: Config, splits: Splits, protocol: Protocol
) -> Examples:
    """Returns the examples that all trials are measured on."""
    return examples.load_examples(
        config,
        splits.validation,
        num_examples=protocol.num_examples,
        seed=protocol.seed,
    )


def measure(
    model: Learner,
    row: Row,
    shown: Examples,
    protocol: Protocol,
    estimate: Callable[..., Estimate],
) -> dict[str, float | None]:
    """Returns a trial's figures: nats, but mse over pixels.

    Args:
      model: trained, with its best weights.
      row: what training logged at those weights, of the whole validation set.
      shown: what the importance-weighted bound is measured on.
      protocol: how.
      estimate: the model's `likelihood.estimator`.

    Returns:
      nll, its standard error over examples, elbo, rate, distortion_nats, mse,
      loss, C at the end, and C_star, the closed form; of an autoencoder mse and
      loss only.
    """
    figures: dict[str, float | None] = {
        "mse": row["val_mse"],
        "loss": row["val_loss"],
    }
    if not isinstance(model, VAE):
        return figures
    estimated = estimate(
        shown.x, num_samples=protocol.num_samples, condition=shown.condition
    )
    log_prob = estimated.log_prob
    return figures | {
        "nll": -float(log_prob.mean()),
        "nll_stderr": float(log_prob.std(ddof=1) / math.sqrt(len(log_prob))),
        "elbo": row["val_elbo"],
        "rate": row["val_kl"],
        "distortion_nats": -row["val_log_likelihood"],
        "C_at_end": row["C"],
        "C_star": _suggestion(model, shown, estimated.log_likelihood),
    }


def suggested_C(
    log_likelihood: np.ndarray, num_dims: np.ndarray, *, C: float
) -> float:
    """Returns the C that is best for a gaussian model as it stands.

    C* = D / (2 SE),  SE = (-log p(x|z) - D/2 log(pi / C)) / C

    It maximises the mean over examples of log N(x; f(z), I / (2 C)), and so
    the elbo, over C alone.

    Args:
      log_likelihood: [n], mean of log p(x|z) over draws of z, nats.
      num_dims: [n], D of each example: its dimensions that are not known.
      C: 1 / (2 c), of the model.
    """
    # log N(x; f, c I) = -C ||x - f||^2 - D/2 log(2 pi c)
    squared_error = (-log_likelihood - num_dims / 2 * math.log(math.pi / C)) / C
    return float(num_dims.sum() / (2 * squared_error.sum()))


def _suggestion(
    model: VAE, shown: Examples, log_likelihood: np.ndarray
) -> float | None:
    likelihood = model.likelihood
    if not isinstance(likelihood, Gaussian) or likelihood.C == "per_pixel":
        return None
    return suggested_C(
        log_likelihood, shown.num_hidden(), C=likelihood.current_C()
    )
