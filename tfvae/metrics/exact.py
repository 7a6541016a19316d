"""log p(x) of models that have it in closed form."""

import numpy as np
import tensorflow as tf
from scipy import stats

from tfvae.vae import VAE


def linear_gaussian_log_prob(model: VAE, x: np.ndarray) -> np.ndarray:
    """Exact log p(x) of a model whose decoder is affine in z: [n], nats.

    p(x) = N(b, W W^T + c I), for p(x|z) = N(W z + b, c I) and p(z) = N(0, I)

    Args:
      model: VAE with an affine Gaussian decoder and a standard normal prior.
      x: [n, features].

    References:
      Tipping and Bishop, 1999. Probabilistic Principal Component Analysis,
      eq. 4.
    """
    # f(0) = b, f(e_j) = W e_j + b
    z = np.concatenate(
        [np.zeros([1, model.latent_dim]), np.eye(model.latent_dim)]
    )
    px = model.decode(tf.constant(z, tf.float32))
    means = px.mean().numpy().astype(np.float64)
    W, b = (means[1:] - means[0]).T, means[0]
    c = 1 / (2 * model.likelihood.current_C())
    covariance = W @ W.T + c * np.eye(len(b))
    return stats.multivariate_normal(b, covariance).logpdf(x)
