"""VAE(Learner): q(z|x), p(x|z) and p(z), trained by one of the objectives."""

from typing import NamedTuple

import tensorflow as tf
import tf_keras
from tensorflow_probability import distributions as tfd

from tfvae import noise
from tfvae.batch import Batch
from tfvae.condition import Condition, network_inputs, repeated
from tfvae.distributions import posteriors
from tfvae.distributions.priors import Prior
from tfvae.learner import Given, Learner, Logs
from tfvae.objectives import elbo as elbo_lib
from tfvae.objectives.draws import Draws, Losses, Objective


class Terms(NamedTuple):
    """Figures of each example: each [batch], nats."""

    loss: tf.Tensor
    elbo: tf.Tensor
    log_likelihood: tf.Tensor
    kl: tf.Tensor


class VAE(Learner):
    """Variational autoencoder; see `Learner` for how it is trained.

    Args:
      encoder: from x to q(z|x), as `make_encoder` makes it.
      decoder: from z to p(x|z), as `make_decoder` makes it.
      objective: from draws to the loss; default `Elbo()`.
      num_samples: draws of z for each example at a step.
      seed: of the noise.
      condition: with which both networks were made; default none.

    Raises:
      TypeError: a network that does not end in one of our distribution layers.
    """

    terms_named = Terms._fields
    monitor = "elbo"

    def __init__(
        self,
        encoder: tf_keras.Model,
        decoder: tf_keras.Model,
        *,
        objective: Objective | None = None,
        num_samples: int = 1,
        seed: int = 0,
        name: str = "vae",
        condition: Condition | None = None,
    ) -> None:
        posterior = encoder.layers[-1]
        if not hasattr(posterior, "kl_regularizer"):
            raise TypeError(
                "`encoder` must end in a posterior layer with a "
                f"`kl_regularizer`; got {type(posterior).__name__}; build it "
                "with `make_encoder`."
            )
        super().__init__(
            encoder, decoder, num_samples=num_samples, seed=seed, name=name,
            condition=condition,
        )  # fmt: skip
        self.objective = objective or elbo_lib.Elbo()
        self.prior_layer = self.kl_regularizer.prior
        self.adversary = self.objective.adversary

    @property
    def networks(self) -> dict[str, tf_keras.layers.Layer]:
        """See `Learner.networks`."""
        return {**super().networks, "prior": self.prior_layer}

    @property
    def kl_regularizer(self) -> posteriors.KLRegularizer:
        """Of the encoder's last layer."""
        return self.encoder.layers[-1].kl_regularizer

    @property
    def prior(self) -> tfd.Distribution:
        """p(z), over one z."""
        prior: Prior = self.prior_layer
        return prior.distribution()

    def encode(self, x: tf.Tensor, condition: Given = None) -> tfd.Distribution:
        """Returns q(z|x): batch_shape [batch], event_shape [latent_dim].

        Args:
          x: [batch, *event_shape].
          condition: its values for each x; None without a condition.

        Raises:
          ValueError: another condition than the model's.
        """
        values = self.condition.check(condition)
        return self.encoder(network_inputs("x", x, values), training=False)

    def code(self, x: tf.Tensor, condition: Given = None) -> tf.Tensor:
        """See `Learner.code`: the mean of q(z|x)."""
        return self.encode(x, condition).mean()

    def sample(
        self, num_samples: int, *, seed: int = 0, condition: Given = None
    ) -> tf.Tensor:
        """Returns the mean of p(x|z) at z drawn from p(z).

        Args:
          num_samples: number of draws.
          seed: of the draws; equal seeds give equal results.
          condition: its values for each draw; None without a condition.

        Returns:
          x: [num_samples, *event_shape], without observation noise.
        """
        z = self.prior.sample(
            num_samples, seed=noise.tfp_seed(seed, noise.SAMPLE)
        )
        return self.decode(z, condition).mean()

    def terms(
        self, x: tf.Tensor, eps: tf.Tensor, condition: Given = None
    ) -> Terms:
        """Returns the figures of a step, with nothing trained.

        Args:
          x: [batch, *event_shape].
          eps: [num_samples, batch, latent_dim], drawn from N(0, I).
          condition: its values for each x; None without a condition.
        """
        batch = Batch(
            x=tf.cast(x, tf.float32),
            condition=self.condition.check(condition),
            eps=eps,
            weight=None,
            num_examples=tf.shape(x)[0],
            step=tf.identity(self.train_step_count),
            seed=noise.step_seed(self.seed, noise.EXTRA, tf.constant(0)),
        )
        return Terms(**self.forward(batch, training=False)[1])

    def forward(self, batch: Batch, *, training: bool) -> tuple[Losses, Logs]:
        """See `Learner.forward`."""
        num_samples, latent_dim = batch.eps.shape[0], batch.eps.shape[2]
        values = batch.condition
        # q(z|x)
        qz = self.encoder(
            network_inputs("x", batch.x, values), training=training
        )
        z, log_posterior = posteriors.draw(qz, batch.eps)
        x, weight = batch.x, batch.weight
        if num_samples > 1:
            x = tf.tile(x, [num_samples] + [1] * (len(x.shape) - 1))
            weight = None if weight is None else tf.tile(weight, [num_samples])
            values = repeated(values, num_samples)
        # p(x|z), of [num_samples * batch]
        flat = tf.reshape(z, [-1, latent_dim])
        px = self._decode_in_step(flat, x, values, weight, training=training)
        log_likelihood = tf.reshape(px.log_prob(x), [num_samples, -1])
        log_prior = self.prior.log_prob(z)
        kl = self.kl_regularizer(qz, z, log_posterior, log_prior)
        losses = self.objective(
            Draws(
                posterior=qz,
                z=z,
                distortion=self.likelihood.distortion_weight * -log_likelihood,
                log_prior=log_prior,
                log_posterior=log_posterior,
                kl=kl,
                kl_per_dim=self.kl_regularizer.per_dim(qz),
                weight=batch.weight,
                step=batch.step,
                seed=batch.seed,
            )
        )
        log_likelihood = tf.reduce_mean(log_likelihood, axis=0)
        terms = Terms(
            loss=losses.model,
            elbo=elbo_lib.elbo(log_likelihood, kl),
            log_likelihood=log_likelihood,
            kl=kl,
        )
        return losses, terms._asdict()
