"""p(x|z) of black and white, and its normalised cousin for grey values."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.likelihood import (
    Likelihood,
    logit,
    parameter_of_mean,
)


class Bernoulli(Likelihood):
    """p(x|z) = prod_i Bernoulli(x_i; sigmoid(logits_i)).

    On grey values in [0, 1] it is the cross-entropy, not a normalised density.

    Args:
      C: what -log p(x|z) is multiplied by in the loss; beta = 1 / C.
    """

    supports = ("binary", "unit")
    is_density = False

    def parameters_of_mean(self, mean: np.ndarray) -> np.ndarray:
        """See `Likelihood.parameters_of_mean`."""
        return logit(mean)[..., np.newaxis]

    def _per_dim(
        self, parameters: tf.Tensor, *scalars: tf.Tensor
    ) -> tfd.Distribution:
        """See `Likelihood._per_dim`."""
        logits = tf.squeeze(parameters, axis=-1)
        return _FusedBernoulli(logits=logits, dtype=tf.float32)


class _FusedBernoulli(tfd.Bernoulli):
    """TFP's, at less than half the cost: one logarithm a pixel, not two."""

    def _log_prob(self, event: tf.Tensor) -> tf.Tensor:
        # Written out, as TensorFlow's own refuses shapes that broadcast.
        # x l - log(1 + e^l)
        logits = self.logits
        return event * logits - tf.nn.softplus(logits)


class ContinuousBernoulli(Likelihood):
    """p(x|z) = prod_i K(s_i) exp(s_i x_i) / (1 + exp(s_i)), x_i in [0, 1].

    The normaliser is K(s) = s (1 + exp(s)) / (exp(s) - 1), 2 at s = 0, and the
    mean is 1 / (1 - exp(-s)) - 1 / s, 1/2 at s = 0; near 0 both are series.
    Data of nothing but 0 and 1 would drive the density beyond all bounds.

    Args:
      C: what -log p(x|z) is multiplied by in the loss; beta = 1 / C.

    References:
      Loaiza-Ganem and Cunningham, 2019. The Continuous Bernoulli: Fixing a
      Pervasive Error in Variational Autoencoders.
      https://arxiv.org/abs/1907.06845
    """

    supports = ("unit",)

    def parameters_of_mean(self, mean: np.ndarray) -> np.ndarray:
        """See `Likelihood.parameters_of_mean`."""
        # Means of 0.001 and 0.999 have s = -1000 and 1000.
        logits = parameter_of_mean(
            mean,
            lambda logits: tfd.ContinuousBernoulli(logits=logits).mean(),
            np.sinh(np.linspace(-8, 8, 4001)),
        )
        return logits[..., np.newaxis]

    def _per_dim(
        self, parameters: tf.Tensor, *scalars: tf.Tensor
    ) -> tfd.Distribution:
        """See `Likelihood._per_dim`."""
        return tfd.ContinuousBernoulli(logits=tf.squeeze(parameters, axis=-1))
