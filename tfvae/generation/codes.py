"""Codes drawn from p(z), block by block."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from tfvae import noise
from tfvae.distributions.priors import StandardNormal
from tfvae.errors import InputError
from tfvae.learner import Learner
from tfvae.vae import VAE

BLOCK = 10_000  # rows; a mixture holds as many draws of each component


def prior_draws(
    model: Learner,
    num: int,
    *,
    mode: str,
    seed: int,
    temperature: float = 1.0,
) -> np.ndarray:
    """Returns z ~ p(z): [num, latent_dim]; see `prior_blocks`."""
    blocks = prior_blocks(
        model, num, mode=mode, seed=seed, temperature=temperature
    )
    return np.concatenate(list(blocks))


def prior_blocks(
    model: Learner,
    num: int,
    *,
    mode: str,
    seed: int,
    temperature: float = 1.0,
) -> Iterator[np.ndarray]:
    """Returns z ~ p(z) in blocks: each [at most BLOCK, latent_dim].

    Row i depends on the seed and i alone, whatever `num` is. `VAE.sample` draws
    the same ones: all of N(0, I), of a learned prior those of the first block.

    Args:
      model: trained.
      num: of draws.
      mode: that asks for them, for messages.
      seed: of the draws.
      temperature: by which the noise of N(0, I) is multiplied.

    Raises:
      InputError: a model without a prior, or a temperature of a learned one.
    """
    vae = with_prior(model, mode)
    is_normal = isinstance(vae.prior_layer, StandardNormal)
    if temperature != 1 and not is_normal:
        raise InputError(
            "`temperature` is of the standard normal prior's noise; the run's "
            "prior is learned, give --temperature=1."
        )
    draw: Callable[..., tf.Tensor] = _normal if is_normal else _learned
    of_seed = noise.tfp_seed(seed, noise.SAMPLE)
    # z = temperature * eps, eps ~ N(0, I)
    return (
        temperature
        * draw(vae, min(BLOCK, num - first), first=first, seed=of_seed).numpy()
        for first in range(0, num, BLOCK)
    )


def with_prior(model: Learner, mode: str) -> VAE:
    """Returns the model, which has a p(z).

    Args:
      model: trained.
      mode: that needs it, for messages.

    Raises:
      InputError: an autoencoder, which has none.
    """
    if not isinstance(model, VAE):
        raise InputError(
            f"`{mode}` draws from a prior, which an autoencoder has not; "
            "train with --model=vae, or use reconstruct or interpolate."
        )
    return model


def _normal(vae: VAE, num: int, *, first: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns rows `first` and on of as many draws of N(0, I) as you like."""
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    # Philox makes four numbers each time it counts.
    skipped = tf.constant([first * vae.latent_dim // 4, 0], tf.uint64)
    return tf.raw_ops.StatelessRandomNormalV2(
        shape=[num, vae.latent_dim],
        key=key,
        counter=counter + skipped,
        alg=tf.random.Algorithm.PHILOX.value,
    )


def _learned(vae: VAE, num: int, *, first: int, seed: tf.Tensor) -> tf.Tensor:
    if first:
        seed = tf.random.experimental.stateless_fold_in(
            seed, first, alg=noise.ALGORITHM
        )
    return vae.prior.sample(num, seed=seed)
