"""q(z|x): distribution layers that close an encoder, and their KL to p(z).

TFP's own KL regularizers are attached to a layer as activity regularizers,
which counts the KL twice, or sums it over the batch, or divides it by each
replica's batch size. Here the layer owns a regularizer that nobody calls but
the training step, once, and that returns the KL of each example.
"""

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import layers as tfpl

LOG_SCALE_BOUND = 7.0  # scale stays in [9e-4, 1.1e3]


class KLRegularizer:
    """KL(q(z|x), p(z)) of each example, in nats.

    Args:
      prior: p(z), a distribution over one z.
      exact: take the closed form; else one-draw Monte Carlo,
        log q(z|x) - log p(z), at the z that is passed in.
    """

    def __init__(self, prior: tfd.Distribution, *, exact: bool = True) -> None:
        self.prior = prior
        self.exact = exact

    def __call__(self, posterior: tfd.Distribution, z: tf.Tensor) -> tf.Tensor:
        """Returns the KL.

        Args:
          posterior: q(z|x), batch_shape [batch].
          z: [batch, latent_dim], drawn from `posterior`; used if not exact.

        Returns:
          kl: [batch], nats, summed over the latent dimensions.
        """
        # KL(q(z|x) || p(z))
        if self.exact:
            return tfd.kl_divergence(posterior, self.prior)
        return posterior.log_prob(z) - self.prior.log_prob(z)


class MultivariateNormalDiag(tfpl.DistributionLambda):
    """q(z|x) = N(loc, diag(scale)^2), the last layer of an encoder.

    Called on [loc, log_scale], each [batch, latent_dim]; log_scale passes
    through 7 tanh(. / 7), so scale never over- or underflows. As a tensor the
    distribution is its mean, never a hidden draw.

    Args:
      kl_regularizer: gives the KL to the prior; see `KLRegularizer`.
    """

    def __init__(self, kl_regularizer: KLRegularizer, name: str = "posterior"):
        super().__init__(
            make_distribution_fn=_make_normal_diag,
            convert_to_tensor_fn=tfd.Distribution.mean,
            dtype=tf.float32,
            name=name,
        )
        self.kl_regularizer = kl_regularizer


def standard_normal(latent_dim: int) -> tfd.Distribution:
    """Returns p(z) = N(0, I) over [latent_dim]."""
    return tfd.MultivariateNormalDiag(
        loc=tf.zeros([latent_dim]), scale_diag=tf.ones([latent_dim])
    )


def reparameterize(posterior: tfd.Distribution, noise: tf.Tensor) -> tf.Tensor:
    """Returns z = g(x) + h(x) * noise: [batch, latent_dim].

    Args:
      posterior: a multivariate normal q(z|x), batch_shape [batch].
      noise: [batch, latent_dim], drawn from N(0, I).

    References:
      Kingma and Welling, 2014. Auto-Encoding Variational Bayes, section 2.4.
      https://arxiv.org/abs/1312.6114
    """
    return posterior.loc + posterior.scale.matvec(noise)


def _make_normal_diag(parameters: list[tf.Tensor]) -> tfd.Distribution:
    loc, log_scale = parameters
    bounded = LOG_SCALE_BOUND * tf.tanh(log_scale / LOG_SCALE_BOUND)
    # q(z|x)
    return tfd.MultivariateNormalDiag(loc=loc, scale_diag=tf.exp(bounded))
