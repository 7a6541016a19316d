"""How much of the latent space is used: active units, q(z) against p(z)."""

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

MOST_ELEMENTS = 2**21  # of one block of log q(z|x), so that memory stays small


@dataclasses.dataclass(frozen=True)
class AggregatePosterior:
    """The mean rate, split in two by the mixture q(z); see the function.

    Attributes:
      mutual_information: I_q(i; z), nats, what z tells of which example it
        came from; at most `mutual_information_bound`.
      mutual_information_bound: log n, nats. An estimate close to it says that
        n examples are too few to tell, not what the information is.
      aggregate_kl: KL(q(z) || p(z)), nats, how far draws of the prior are from
        where examples are encoded.
    """

    mutual_information: float
    mutual_information_bound: float
    aggregate_kl: float

    @property
    def rate(self) -> float:
        """mean_i KL(q(z|x_i) || p(z)), nats, estimated from the same draws."""
        return self.mutual_information + self.aggregate_kl


def active_units(loc: np.ndarray, threshold: float = 0.01) -> np.ndarray:
    """Latent dimensions whose code tells examples apart.

    active_i = Var_x(E[z_i|x]) > threshold

    Args:
      loc: [n, latent_dim], means of q(z|x).
      threshold: of the variance, which is taken over the n examples (and
        divided by n).

    Returns:
      active: [latent_dim], bool.

    References:
      Burda et al., 2016. Importance Weighted Autoencoders, section 5.2.
      https://arxiv.org/abs/1509.00519
    """
    return np.var(np.asarray(loc, np.float64), axis=0) > threshold


def aggregate_posterior(
    posterior_of: Callable[[slice], tfd.Distribution],
    z: tf.Tensor,
    log_prior: tf.Tensor,
    *,
    batch_size: int = 100,
) -> AggregatePosterior:
    """Splits the rate into index-code information and aggregate KL.

    mean_i KL(q(z|x_i) || p(z)) = I_q(i; z) + KL(q(z) || p(z))
    q(z) = 1/n sum_j q(z|x_j), the mixture over the n examples that are given

    Both terms are Monte Carlo estimates from one draw z_i ~ q(z|x_i) an
    example; all n^2 densities log q(z_i|x_j) are evaluated, in blocks.
    Multivariate normals with diagonal covariance take a few seconds for n =
    10,000; any other posterior is evaluated by its own `log_prob`.

    Args:
      posterior_of: from a slice of the examples to q(z|x) of those, of
        batch_shape [rows]; its `log_prob` of z with shape [m, 1, latent_dim]
        broadcasts to [m, rows].
      z: [n, latent_dim], z[i] drawn from q(z|x_i).
      log_prior: [n], log p(z_i), nats.
      batch_size: rows that `posterior_of` is asked for at a time.

    Returns:
      The two terms, means over the n draws, nats.

    References:
      Hoffman and Johnson, 2016. ELBO surgery: yet another way to carve up the
      variational evidence lower bound. NIPS workshop on Advances in
      Approximate Bayesian Inference.
      http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
    """
    z = tf.convert_to_tensor(z)
    num_examples = z.shape[0]
    log_conditional = np.empty(num_examples)
    log_parts = []
    for start in range(0, num_examples, batch_size):
        rows = slice(start, min(start + batch_size, num_examples))
        posterior = posterior_of(rows)
        # What a distribution layer returns is wrapped, which hides its class.
        posterior = getattr(posterior, "tensor_distribution", posterior)
        # log q(z_i|x_j)
        log_prob = _pairwise_log_prob(posterior, z)  # [n, rows]
        log_conditional[rows] = np.diagonal(log_prob[rows])
        log_parts.append(tf.reduce_logsumexp(log_prob, axis=1))
    log_n = math.log(num_examples)
    # log q(z_i)
    log_aggregate = tf.reduce_logsumexp(log_parts, axis=0).numpy() - log_n
    return AggregatePosterior(
        mutual_information=float(np.mean(log_conditional - log_aggregate)),
        mutual_information_bound=log_n,
        aggregate_kl=float(
            np.mean(log_aggregate - np.asarray(log_prior, np.float64))
        ),
    )


@functools.singledispatch
def _pairwise_log_prob(posterior: tfd.Distribution, z: tf.Tensor) -> tf.Tensor:
    """Returns the log density of every z under every row: [m, rows]."""
    rows, latent_dim = posterior.batch_shape[0], z.shape[1]
    size = max(1, MOST_ELEMENTS // (rows * latent_dim))
    blocks = [
        posterior.log_prob(z[start : start + size, tf.newaxis])
        for start in range(0, z.shape[0], size)
    ]
    return tf.cast(tf.concat(blocks, axis=0), tf.float64)


@_pairwise_log_prob.register(tfd.MultivariateNormalDiag)
def _diagonal_normals(
    posterior: tfd.MultivariateNormalDiag, z: tf.Tensor
) -> tf.Tensor:
    """With the square multiplied out, so that it is two matrix products."""
    # In float64: the products cancel by (loc / scale)^2, up to 1e7 and more.
    z = tf.cast(z, tf.float64)
    loc = tf.cast(posterior.mean(), tf.float64)
    precision = 1 / tf.square(tf.cast(posterior.stddev(), tf.float64))
    # sum_k (z_k - loc_k)^2 / scale_k^2
    squared = (
        tf.matmul(tf.square(z), precision, transpose_b=True)
        - 2 * tf.matmul(z, loc * precision, transpose_b=True)
        + tf.reduce_sum(tf.square(loc) * precision, axis=1)
    )
    # sum_k log(2 pi scale_k^2)
    log_volume = tf.reduce_sum(tf.math.log(2 * math.pi / precision), axis=1)
    return -0.5 * (squared + log_volume)
