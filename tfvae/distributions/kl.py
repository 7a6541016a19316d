"""KL(q(z|x) || p(z)) of each example: in closed form, or from draws."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.priors import Prior


class KLRegularizer:
    """KL(q(z|x) || p(z)) of each example, in nats.

    It does not own the prior: whoever trains it must track it.

    Args:
      prior: p(z).
      exact: take the closed form, which a normal posterior and a normal prior
        have; else the mean over draws of log q(z|x) - log p(z), at the draws
        that are passed in.

    Raises:
      TypeError: a prior that is none of ours.
      ValueError: exact, but the prior has no closed form.
    """

    def __init__(self, prior: Prior, *, exact: bool = True) -> None:
        if not isinstance(prior, Prior):
            raise TypeError(
                "`prior` must be one of tfvae.distributions.priors; got "
                f"{type(prior).__name__}."
            )
        if exact and not prior.is_normal:
            raise ValueError(
                f"`exact` needs a normal prior; got {type(prior).__name__}; "
                "use exact=False."
            )
        self.prior = prior
        self.exact = exact

    def __call__(
        self,
        posterior: tfd.Distribution,
        z: tf.Tensor,
        log_posterior: tf.Tensor | None = None,
        log_prior: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the KL.

        Args:
          posterior: q(z|x), batch_shape [batch].
          z: [num_samples, batch, latent_dim] or [batch, latent_dim], drawn
            from `posterior`; used if not exact.
          log_posterior: log q(z|x) at z, [num_samples, batch] or [batch], as
            `draw` returns it; None: asked of `posterior`.
          log_prior: log p(z) at z, of the same shape; None: asked of the
            prior.

        Returns:
          kl: [batch], nats, summed over the latent dimensions and averaged
          over the draws.
        """
        if self.exact:
            # KL(q(z|x) || p(z))
            return tfd.kl_divergence(posterior, self.prior.distribution())
        if log_posterior is None:
            log_posterior = posterior.log_prob(z)
        if log_prior is None:
            log_prior = self.prior.distribution().log_prob(z)
        log_ratio = log_posterior - log_prior
        if len(log_ratio.shape) == 1:
            return log_ratio
        return tf.reduce_mean(log_ratio, axis=0)

    def per_dim(self, posterior: tfd.Distribution) -> tf.Tensor | None:
        """Returns KL(q(z_j|x) || p(z_j)) of each marginal, if exact.

        For a diagonal posterior they sum to the KL. For a full covariance the
        sum lies below the KL, by the total correlation of q(z|x).

        Args:
          posterior: q(z|x), batch_shape [batch].

        Returns:
          kl: [batch, latent_dim], nats; None without a closed form.
        """
        if not self.exact:
            return None
        prior = self.prior.distribution()
        # KL(q(z_j|x) || p(z_j))
        return tfd.kl_divergence(
            tfd.Normal(posterior.mean(), posterior.stddev()),
            tfd.Normal(prior.mean(), prior.stddev()),
        )
