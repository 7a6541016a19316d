"""What p(x|z) leaves over: squared errors, residuals in units of its noise."""

import numpy as np
import tensorflow as tf

from tfvae import noise
from tfvae.distributions import posteriors
from tfvae.learner import Given, Learner
from tfvae.metrics import decoding
from tfvae.vae import VAE


def squared_error_per_dim(
    model: Learner, x: np.ndarray, condition: Given = None
) -> np.ndarray:
    """Squared error of decode(g(x)) in each dimension, a mean over examples.

    Args:
      model: trained.
      x: [n, *event_shape].
      condition: its values for each x; None without a condition.

    Returns:
      error: [*event_shape], in the units of x squared. Under a mask the mean
      is over those examples in which the dimension is hidden; 0 where it is
      hidden in none.
    """
    reconstructed = decoding.batched(model.reconstruct, x, condition or {})
    squared_error = np.square(x - reconstructed, dtype=np.float64)
    hidden = _hidden(model, x, condition)
    count = np.maximum(hidden.sum(axis=0), 1)
    return np.sum(squared_error * hidden, axis=0) / count


def standardised(
    model: Learner, x: np.ndarray, condition: Given = None, *, seed: int
) -> np.ndarray:
    """Residuals in units of the noise that p(x|z) has: N(0, 1) if it is right.

    residual = (x - E[x|z]) / sqrt(Var[x|z]),  z ~ q(z|x)

    A draw z, not the mean code: if q(z|x) is the exact posterior, and the
    model the data's density, then (x, z) is a pair of the model's own joint
    density, in which x given z has just this mean and variance. At the mean
    code the residuals of that very model are smaller.

    Args:
      model: trained, with a normal p(x|z); of an autoencoder z = g(x).
      x: [n, *event_shape].
      condition: its values for each x; None without a condition.
      seed: of the draws.

    Returns:
      residuals: [m], of all examples and dimensions, but of those that are
      hidden only where there is a mask.
    """
    eps = tf.random.stateless_normal(
        [len(x), model.latent_dim],
        noise.step_seed(seed, noise.EVALUATE, tf.constant(-2)),
    ).numpy()

    def of_batch(x: tf.Tensor, eps: tf.Tensor, values: Given) -> tf.Tensor:
        z = (
            posteriors.draw(model.encode(x, values), eps).z
            if isinstance(model, VAE)
            else model.code(x, values)
        )
        px = model.decode(z, values)  # p(x|z)
        # What is seen has neither error nor variance.
        return tf.math.divide_no_nan(x - px.mean(), tf.sqrt(px.variance()))

    residuals = decoding.batched(of_batch, x, eps, condition or {})
    return residuals[_hidden(model, x, condition)]


def _hidden(model: Learner, x: np.ndarray, condition: Given) -> np.ndarray:
    """Returns which dimensions are not known: [n, *event_shape], bool."""
    values = model.condition.check(condition)
    hidden = model.condition.hidden(values)
    is_hidden = 1.0 if hidden is None else hidden.numpy()
    return np.broadcast_to(is_hidden, x.shape) > 0.5
