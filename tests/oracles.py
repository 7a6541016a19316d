"""Closed forms in numpy and scipy; nothing of tfvae is used here."""

import numpy as np
from scipy import special, stats


def kl_to_standard_normal(loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Returns KL(N(loc, diag scale^2), N(0, I)): [batch], nats."""
    variance = np.square(scale.astype(np.float64))
    terms = variance + np.square(loc.astype(np.float64)) - np.log(variance) - 1
    return terms.sum(axis=-1) / 2


def normal_log_prob(x: np.ndarray, loc: np.ndarray, c: float) -> np.ndarray:
    """Returns log N(x; loc, c I), summed over all axes but the first."""
    log_prob = stats.norm(loc, np.sqrt(c)).logpdf(x.astype(np.float64))
    return log_prob.reshape(len(x), -1).sum(axis=1)


def bernoulli_log_prob(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Returns the sum of x log p + (1 - x) log(1 - p), also for grey x."""
    logits = logits.astype(np.float64)
    log_prob = x * special.log_expit(logits)
    log_prob += (1 - x) * special.log_expit(-logits)
    return log_prob.reshape(len(x), -1).sum(axis=1)


def linear_gaussian_log_prob(
    x: np.ndarray, W: np.ndarray, b: np.ndarray, c: float
) -> np.ndarray:
    """Returns log N(x; b, W W^T + c I): [batch], for W [features, latents]."""
    covariance = W @ W.T + c * np.eye(len(b))
    return stats.multivariate_normal(b, covariance).logpdf(x)


def ppca_log_likelihood(x: np.ndarray, latent_dim: int) -> float:
    """Returns the highest mean log p(x) of any probabilistic PCA, nats.

    Tipping and Bishop, 1999, eqs. 4, 7, 8: the model's covariance keeps the
    leading eigenvalues of the data's, the others take their mean. With
    `latent_dim` 0 it is that of the isotropic Gaussian.
    """
    num_dims = x.shape[1]
    covariance = np.cov(x.astype(np.float64), rowvar=False, bias=True)
    eigenvalues = np.linalg.eigvalsh(covariance)[::-1]
    rest = num_dims - latent_dim
    log_det = np.log(eigenvalues[:latent_dim]).sum()
    log_det += rest * np.log(eigenvalues[latent_dim:].mean())
    return -(num_dims * np.log(2 * np.pi) + log_det + num_dims) / 2


def isotropic_log_likelihood(x: np.ndarray) -> float:
    """Returns the highest mean log p(x) of any N(b, c I), nats."""
    c = x.astype(np.float64).var(axis=0).mean()
    return -x.shape[1] / 2 * (np.log(2 * np.pi * c) + 1)
