"""Figures of any model that encodes and decodes: error, regularity."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae import noise
from tfvae.learner import Learner
from tfvae.metrics import regularity
from tfvae.vae import VAE

BATCH = 250
NUM_REGULARITY = 2000  # examples, samples and pairs


def batched(
    function: Callable[[tf.Tensor], tf.Tensor], x: np.ndarray
) -> np.ndarray:
    """Returns function(x), computed in batches: [n, ...].

    Args:
      function: from [batch, ...] to [batch, ...].
      x: [n, ...].
    """
    return np.concatenate([
        function(tf.constant(x[start : start + BATCH])).numpy()
        for start in range(0, len(x), BATCH)
    ])  # fmt: skip


def mse(model: Learner, x: np.ndarray) -> float:
    """Returns the squared error of decode(g(x)), a mean over examples and dims.

    Args:
      model: trained.
      x: [n, *event_shape].
    """
    reconstructed = batched(model.reconstruct, x)
    return float(np.mean(np.square(x - reconstructed, dtype=np.float64)))


def regularity_of(
    model: Learner, x: np.ndarray, *, seed: int
) -> dict[str, float]:
    """Returns continuity and completeness; their functions define them.

    An autoencoder has no prior: its draws are from the normal with diagonal
    covariance that is fitted to its codes.

    Args:
      model: trained.
      x: [n, *event_shape], held-out data, of which at most 2,000 are used.
      seed: of the choice and of the draws.
    """
    ids = np.random.default_rng(seed).permutation(len(x))[:NUM_REGULARITY]
    loc = batched(model.code, x[ids])
    draw_seed = tf.constant([seed, noise.EVALUATE], tf.int32)
    prior = model.prior if isinstance(model, VAE) else _fitted_normal(loc)
    samples = prior.sample(len(loc), seed=draw_seed).numpy()

    def decode(z: np.ndarray) -> np.ndarray:
        return batched(lambda z: model.decode(z).mean(), z)

    covered = regularity.completeness(decode(samples), decode(loc))
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
