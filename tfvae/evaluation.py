"""What is measured of a trained model: the figures of evaluation.json."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae import baselines, noise
from tfvae.condition import Values
from tfvae.config import Config
from tfvae.data.split import Splits
from tfvae.distributions import posteriors
from tfvae.distributions.likelihoods import LIKELIHOODS
from tfvae.examples import Examples
from tfvae.metrics import decoding, exact, factored, latent, likelihood
from tfvae.run_dir import Run
from tfvae.vae import VAE

Figures = dict[str, Any]

FEWEST_COMPILED_DRAWS = 2_000_000  # below, XLA takes longer than it saves
NUM_NAIVE = 200  # examples that the naive estimate is shown for
NUM_AGGREGATE = 5000  # examples whose posteriors are mixed
NUM_PCA = 20_000  # training examples that PCA is fitted to


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a run is measured.

    Attributes:
      num_samples: draws for each example of the importance-weighted bound.
      seed: of everything that is drawn.
      progress: told the number of examples done.
    """

    num_samples: int
    seed: int
    progress: Callable[[int], None] | None = None


def measure(
    run: Run, splits: Splits, examples: Examples, protocol: Protocol
) -> Figures:
    """Returns all figures of a run; an autoencoder has the last ones only.

    Args:
      run: trained.
      splits: its data.
      examples: to measure it on.
      protocol: how to measure.
    """
    model, figures = run.model, {}
    x, condition = examples.x, examples.condition
    if isinstance(model, VAE):
        figures = _likelihood(run, model, splits, examples, protocol)
        figures |= _posterior(model, examples, protocol)
    loc = decoding.batched(model.code, x, condition)
    figures |= {
        "mse": decoding.mse(model, x, condition),
        "num_examples": len(x),
        "active_units": int(latent.active_units(loc).sum()),
        "regularity": decoding.regularity_of(
            model, x, condition, seed=protocol.seed
        ),
    }
    if "mask" in condition:
        hidden = examples.num_hidden().sum()
        figures["hidden_mse"] = figures["mse"] * x.size / hidden
        figures["hidden_share"] = float(hidden / x.size)
    factors = None if condition else splits.factors
    if factors is not None and model.latent_dim > 1:
        divisor, shift = splits.test.divisor, 0.5 * run.config.dequantize
        figures["disentanglement"] = factored.scores(
            lambda images: decoding.batched(
                model.code, ((images + shift) / divisor).astype(np.float32)
            ),
            factors,
            seed=protocol.seed,
        )
    return figures


def bits_per_dim(
    nll: float, num_dims: int, *, level_scale: float, is_density: bool
) -> float:
    """Returns nll in bits for each dimension of x on its whole levels.

    bits_per_dim = nll / (D log 2) + log2(level_scale)

    Args:
      nll: nats.
      num_dims: D.
      level_scale: by how much x was scaled down from whole levels.
      is_density: whether nll is of a density of x, which grows with the
        level_scale, or of a probability, which does not.
    """
    scale = math.log2(level_scale) if is_density else 0.0
    return nll / (num_dims * math.log(2)) + scale


def imputation_mse(
    train: np.ndarray, examples: Examples, *, latent_dim: int
) -> float:
    """Returns PCA's squared error on hidden pixels, a mean over all of them.

    Args:
      train: [m, *event_shape], to which PCA is fitted.
      examples: with masks.
      latent_dim: number of components.
    """
    x, mask = examples.x, examples.condition["mask"]
    completed = baselines.pca_impute(train, x, mask, latent_dim=latent_dim)
    squared_error = np.square(x - completed, dtype=np.float64)
    return float(squared_error.sum() / examples.num_hidden().sum())


def _likelihood(
    run: Run,
    model: VAE,
    splits: Splits,
    examples: Examples,
    protocol: Protocol,
) -> Figures:
    x, condition = examples.x, examples.condition
    num_samples, seed = protocol.num_samples, protocol.seed
    estimate = likelihood.importance_weighted(
        model, x, num_samples=num_samples, condition=condition, seed=seed,
        jit_compile=len(x) * num_samples >= FEWEST_COMPILED_DRAWS,
        progress=protocol.progress,
    )  # fmt: skip
    nll = -float(estimate.log_prob.mean())
    is_exact = model.kl_regularizer.exact
    rate = float(
        np.mean(decoding.batched(lambda x, c: _kl(model, x, c), x, condition))
        if is_exact
        else estimate.log_ratio.mean()
    )
    distortion = -float(estimate.log_likelihood.mean())
    kind = LIKELIHOODS[run.config.likelihood]
    figures: Figures = {
        "nll": nll,
        "nll_stderr": _stderr(estimate.log_prob),
        "nll_draws_stderr": math.sqrt(estimate.variance.sum()) / len(x),
        "num_samples": num_samples,
        "elbo": -distortion - rate,
        "rate": rate,
        "rate_method": "closed form" if is_exact else f"{num_samples} draws",
        "distortion_nats": distortion,
        "bits_per_dim": bits_per_dim(
            nll, examples.num_hidden().mean(), level_scale=splits.level_scale,
            is_density=kind.is_density,
        ),
        "C": model.likelihood.current_C(),
        "nll_curve": {
            str(k): -float(bound.mean()) for k, bound in estimate.curve.items()
        },
    }  # fmt: skip
    if condition:
        return figures
    shown = x[_random_ids(len(x), NUM_NAIVE, seed)]
    naive = likelihood.naive(model, shown, num_samples=num_samples, seed=seed)
    figures["naive_curve"] = {str(k): -bound for k, bound in naive.items()}
    figures["naive_num_examples"] = len(shown)
    if splits.log_prob is not None:
        figures["exact_nll"] = -float(splits.log_prob(x).mean())
    if _is_linear_gaussian(run.config, splits):
        log_prob = exact.linear_gaussian_log_prob(model, x)
        figures["exact_model_nll"] = -float(log_prob.mean())
    return figures


def _is_linear_gaussian(config: Config, splits: Splits) -> bool:
    return (
        config.architecture == "mlp"
        and not config.hidden_units
        and config.likelihood == "gaussian"
        and config.C != "per_pixel"
        and config.prior == "standard_normal"
        and splits.spec.support == "real"
    )


def _posterior(model: VAE, examples: Examples, protocol: Protocol) -> Figures:
    """Returns the KL of each dimension, and how the rate splits."""
    per_dim = decoding.kl_per_dim(model, examples.x, examples.condition)
    ids = _random_ids(len(examples), NUM_AGGREGATE, protocol.seed)
    mixed = examples.take(ids)

    def posterior_of(rows: slice) -> tfd.Distribution:
        part = mixed.take(rows)
        return model.encode(tf.constant(part.x), part.condition)

    eps = tf.random.stateless_normal(
        [len(mixed), model.latent_dim],
        noise.step_seed(protocol.seed, noise.EVALUATE, tf.constant(-1)),
    )
    z = tf.concat(
        [
            posteriors.draw(
                posterior_of(slice(i, i + decoding.BATCH)),
                eps[i : i + decoding.BATCH],
            ).z
            for i in range(0, len(mixed), decoding.BATCH)
        ],
        axis=0,
    )
    aggregate = latent.aggregate_posterior(
        posterior_of, z, model.prior.log_prob(z)
    )
    return {
        "kl_per_dim": None if per_dim is None else per_dim.tolist(),
        "mutual_information": aggregate.mutual_information,
        "mutual_information_bound": aggregate.mutual_information_bound,
        "aggregate_kl": aggregate.aggregate_kl,
    }


def _kl(model: VAE, x: tf.Tensor, condition: Values) -> tf.Tensor:
    qz = model.encode(x, condition)
    return model.kl_regularizer(qz, qz.mean())


def _random_ids(num: int, most: int, seed: int) -> np.ndarray:
    """Returns `most` of `num` indices at random, or all in order."""
    if num <= most:
        return np.arange(num)
    return np.random.default_rng(seed).permutation(num)[:most]


def _stderr(values: np.ndarray) -> float:
    """Returns the standard error of the mean over examples (0 for one)."""
    if len(values) < 2:
        return 0.0
    return float(values.std(ddof=1) / math.sqrt(len(values)))
