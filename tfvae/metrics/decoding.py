"""Figures of any model that encodes and decodes: error, regularity."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae import noise
from tfvae.learner import Given, Learner
from tfvae.metrics import regularity
from tfvae.vae import VAE

BATCH = 250
NUM_REGULARITY = 2000  # examples, samples and pairs
NUM_NEIGHBORS = 3


def batched(
    function: Callable[..., tf.Tensor], x: np.ndarray, *more: Any
) -> np.ndarray:
    """Returns function(x, *more), computed in batches: [n, ...].

    Args:
      function: from [batch, ...] to [batch, ...], tensors alone.
      x: [n, ...].
      *more: further arrays [n, ...], or dicts of them.
    """
    if len(x) > BATCH:
        return np.concatenate(list(batches(compiled(function), x, *more)))
    # Tracing takes longer than one batch.
    return function(*tf.nest.map_structure(tf.constant, (x, *more))).numpy()


def batches(
    function: Callable[..., tf.Tensor], x: np.ndarray, *more: Any
) -> Iterator[np.ndarray]:
    """Yields function(x, *more) batch by batch: each [at most BATCH, ...].

    All batches have one shape, for which `function` is traced once: the last
    one is filled up with its last row.

    Args:
      function: as `compiled` returns it.
      x: [n, ...].
      *more: further arrays [n, ...], or dicts of them.
    """
    for start in range(0, len(x), BATCH):
        rows = np.arange(start, start + BATCH).clip(max=len(x) - 1)
        batch = tf.nest.map_structure(
            lambda values: tf.constant(np.asarray(values)[rows]),  # noqa: B023
            (x, *more),
        )
        yield function(*batch).numpy()[: len(x) - start]


def compiled(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Returns a graph of a function, without XLA.

    On a CPU XLA decodes dense networks as fast as TensorFlow, and convolutions
    at little more than half its speed.

    Args:
      function: tensors in, tensor out, with no Python branch on a tensor.
    """
    return tf.function(function, autograph=False)


def mse(model: Learner, x: np.ndarray, condition: Given = None) -> float:
    """Returns the squared error of decode(g(x)), a mean over examples and dims.

    Args:
      model: trained.
      x: [n, *event_shape].
      condition: its values for each x; None without a condition.
    """
    reconstructed = batched(model.reconstruct, x, condition or {})
    return float(np.mean(np.square(x - reconstructed, dtype=np.float64)))


def kl_per_dim(
    model: Learner, x: np.ndarray, condition: Given = None
) -> np.ndarray | None:
    """Returns the KL of each latent, a mean over examples: [latent_dim], nats.

    None without a closed form, and for a model without a prior.

    Args:
      model: trained.
      x: [n, *event_shape].
      condition: its values for each x; None without a condition.
    """
    if not isinstance(model, VAE) or not model.kl_regularizer.exact:
        return None
    regularizer = model.kl_regularizer
    per_dim = batched(
        lambda x, c: regularizer.per_dim(model.encode(x, c)), x, condition or {}
    )
    return per_dim.mean(axis=0)


def regularity_of(
    model: Learner, x: np.ndarray, condition: Given = None, *, seed: int
) -> dict[str, float | None]:
    """Returns continuity and completeness; their functions define them.

    An autoencoder has no prior: its draws are from the normal with diagonal
    covariance that is fitted to its codes. With a condition, samples are
    decoded with those of the held-out examples, and a path with that of the
    example where it begins.

    Args:
      model: trained.
      x: [n, *event_shape], held-out data, of which at most 2,000 are used.
      condition: its values for each x; None without a condition.
      seed: of the choice and of the draws.

    Returns:
      {"continuity", "completeness", "recall"}; None for fewer examples than
      completeness has neighbours.
    """
    if len(x) <= NUM_NEIGHBORS:
        return dict.fromkeys(("continuity", "completeness", "recall"))
    ids = np.random.default_rng(seed).permutation(len(x))[:NUM_REGULARITY]
    chosen = {name: np.asarray(v)[ids] for name, v in (condition or {}).items()}
    loc = batched(model.code, x[ids], chosen)
    draw_seed = noise.tfp_seed(seed, noise.EVALUATE)
    prior = model.prior if isinstance(model, VAE) else _fitted_normal(loc)
    samples = prior.sample(len(loc), seed=draw_seed).numpy()

    mean = compiled(lambda z, values: model.decode(z, values).mean())

    def decode(z: np.ndarray, rows: np.ndarray) -> np.ndarray:
        values = {name: value[rows] for name, value in chosen.items()}
        return np.concatenate(list(batches(mean, z, values)))

    everyone = np.arange(len(loc))
    covered = regularity.completeness(
        decode(samples, everyone),
        decode(loc, everyone),
        num_neighbors=NUM_NEIGHBORS,
    )
    half = len(loc) // 2
    return {
        "continuity": regularity.continuity(
            decode, loc[:half], loc[half : 2 * half]
        ),
        "completeness": covered.precision,
        "recall": covered.recall,
    }


def _fitted_normal(loc: np.ndarray) -> tfd.Distribution:
    mean, scale = loc.mean(axis=0), np.maximum(loc.std(axis=0), 1e-6)
    return tfd.MultivariateNormalDiag(loc=mean, scale_diag=scale)
