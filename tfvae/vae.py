"""VAE(tf_keras.Model): what one step of training and of testing does."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras
from tensorflow_probability import distributions as tfd

from tfvae import noise, replicas
from tfvae.distributions import posteriors
from tfvae.distributions.likelihoods import Likelihood
from tfvae.faults import Faults
from tfvae.objectives import elbo as elbo_lib
from tfvae.objectives import schedules

Schedule = Callable[[tf.Tensor], tf.Tensor]
Logs = dict[str, tf.Tensor]


class Terms(NamedTuple):
    """Terms of the objective, one value an example: each [batch], nats."""

    loss: tf.Tensor
    elbo: tf.Tensor
    log_likelihood: tf.Tensor
    kl: tf.Tensor


class VAE(tf_keras.Model):
    """Variational autoencoder: q(z|x), p(x|z), p(z), and how they learn.

    A Keras model: `compile(optimizer)`, `fit(x)`, `evaluate(x)`, and
    `predict(x)`, which reconstructs. Labels in a data set are ignored (but
    Keras hands sample weights on only where it is given labels). Under a
    `tf.distribute` strategy the batch size is global, and neither the loss nor
    the noise depends on the number of replicas.

    Args:
      encoder: from x to q(z|x), as `make_encoder` makes it.
      decoder: from z to p(x|z), as `make_decoder` makes it.
      kl_schedule: from the step to the weight of the KL; default 1.
      seed: of the noise.

    Raises:
      TypeError: a network that does not end in one of our distribution layers.
    """

    def __init__(
        self,
        encoder: tf_keras.Model,
        decoder: tf_keras.Model,
        *,
        kl_schedule: Schedule | None = None,
        seed: int = 0,
        name: str = "vae",
    ) -> None:
        super().__init__(name=name)
        posterior, likelihood = encoder.layers[-1], decoder.layers[-1]
        if not hasattr(posterior, "kl_regularizer"):
            raise TypeError(
                "`encoder` must end in a posterior layer with a "
                f"`kl_regularizer`; got {type(posterior).__name__}; build it "
                "with `make_encoder`."
            )
        if not isinstance(likelihood, Likelihood):
            raise TypeError(
                "`decoder` must end in a likelihood; got "
                f"{type(likelihood).__name__}; build it with `make_decoder`."
            )
        self.encoder = encoder
        self.decoder = decoder
        self.seed = seed
        self.kl_schedule = kl_schedule or schedules.Constant()
        # Not `optimizer.iterations`, which stands still at a step that loss
        # scaling skips.
        self.train_step_count = replicas.counter("train_step_count")
        self.test_step_count = replicas.counter("test_step_count")
        self.faults = Faults()
        names = (*Terms._fields, "mse")
        # Untracked, so that weights and checkpoints hold no running means.
        object.__setattr__(
            self, "_means", {n: tf_keras.metrics.Mean(name=n) for n in names}
        )

    @property
    def likelihood(self) -> Likelihood:
        """The decoder's last layer."""
        return self.decoder.layers[-1]

    @property
    def kl_regularizer(self) -> posteriors.KLRegularizer:
        """Of the encoder's last layer."""
        return self.encoder.layers[-1].kl_regularizer

    @property
    def prior(self) -> tfd.Distribution:
        """p(z), over one z."""
        return self.kl_regularizer.prior

    @property
    def latent_dim(self) -> int:
        """Number of dimensions of z."""
        return self.decoder.input_shape[-1]

    @property
    def metrics(self) -> list[tf_keras.metrics.Metric]:
        """Means over examples, which Keras resets at each epoch."""
        return list(self._means.values())

    def encode(self, x: tf.Tensor) -> tfd.Distribution:
        """Returns q(z|x): batch_shape [batch], event_shape [latent_dim].

        Args:
          x: [batch, *event_shape].
        """
        return self.encoder(x, training=False)

    def decode(self, z: tf.Tensor) -> tfd.Distribution:
        """Returns p(x|z): batch_shape [batch], event_shape of x.

        Args:
          z: [batch, latent_dim].
        """
        return self.decoder(z, training=False)

    def reconstruct(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the mean of p(x|z) at z = g(x), the mean of q(z|x).

        Args:
          x: [batch, *event_shape].

        Returns:
          x: [batch, *event_shape]; equal calls give equal results.
        """
        return self.decode(self.encode(x).mean()).mean()

    def sample(self, num_samples: int, *, seed: int = 0) -> tf.Tensor:
        """Returns the mean of p(x|z) at z drawn from p(z).

        Args:
          num_samples: number of draws.
          seed: of the draws; equal seeds give equal results.

        Returns:
          x: [num_samples, *event_shape], without observation noise.
        """
        z = self.prior.sample(
            num_samples, seed=tf.constant([seed, noise.SAMPLE])
        )
        return self.decode(z).mean()

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See `reconstruct`."""
        del training
        return self.reconstruct(x)

    def terms(
        self, x: tf.Tensor, eps: tf.Tensor, *, kl_weight: tf.Tensor
    ) -> Terms:
        """Returns the terms of the objective, with nothing trained.

        Args:
          x: [batch, *event_shape].
          eps: [batch, latent_dim], drawn from N(0, I).
          kl_weight: scalar.
        """
        return self._terms(x, eps, kl_weight)

    def compile(
        self, *args: Any, jit_compile: bool | None = None, **kwargs: Any
    ) -> None:
        """See `tf_keras.Model.compile`.

        XLA compiles the step but not its noise: XLA's Philox gives other bits
        on a CPU, and a run should not depend on how it is compiled.
        """
        super().compile(*args, **kwargs)
        if jit_compile:
            compiled = tf.function(jit_compile=True, reduce_retracing=True)
            self._update_fn = compiled(self._update)
            self._measure_fn = compiled(self._measure)
        else:
            self._update_fn, self._measure_fn = self._update, self._measure

    def train_step(self, data: Any) -> Logs:
        """One update; see `tf_keras.Model.train_step`."""
        x, weight, eps, share = self._shared(
            data, noise.TRAIN, self.train_step_count
        )
        logs = self._update_fn(x, eps, share.num_examples, weight)
        self.train_step_count.assign_add(1)
        return logs

    def test_step(self, data: Any) -> Logs:
        """Terms and `mse` of one batch; see `tf_keras.Model.test_step`."""
        x, weight, eps, _ = self._shared(data, noise.TEST, self.test_step_count)
        self.test_step_count.assign_add(1)
        return self._measure_fn(x, eps, weight)

    def reset_metrics(self) -> None:
        """Starts a new pass: means from nothing, test noise from its start."""
        super().reset_metrics()
        self.test_step_count.assign(0)

    def _shared(self, data: Any, stream: int, step: tf.Variable) -> tuple:
        """Returns this replica's (x, weights, noise, share of the batch)."""
        x, _, weight = tf_keras.utils.unpack_x_y_sample_weight(data)
        share = replicas.batch_share(x)
        x, weight = replicas.fill_empty_share(x, weight)
        size, latent_dim = tf.shape(x)[0], self.latent_dim
        eps = noise.normal(self.seed, stream, step, share, size, latent_dim)
        return x, weight, eps, share

    def _update(
        self,
        x: tf.Tensor,
        eps: tf.Tensor,
        num_examples: tf.Tensor,
        weight: tf.Tensor | None,
    ) -> Logs:
        """One step of the optimizer; `num_examples` is of the global batch."""
        step = tf.identity(self.train_step_count)
        variables = self.trainable_variables
        with tf.GradientTape() as tape:
            calibrate = functools.partial(
                self.likelihood.calibrate, weight=weight
            )
            terms = self._terms(x, eps, self.kl_schedule(step), calibrate)
            loss = tf.nn.compute_average_loss(
                terms.loss,
                sample_weight=weight,
                global_batch_size=num_examples,
            )
            if self._scales_loss():
                loss = self.optimizer.get_scaled_loss(loss)
        gradients = tape.gradient(loss, variables)
        if self._scales_loss():
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        gradients = replicas.sum_over_replicas(gradients)
        self.faults.note(
            step,
            log_likelihood=terms.log_likelihood,
            kl=terms.kl,
            loss=terms.loss,
            gradient=[] if self._scales_loss() else gradients,
        )
        self.optimizer.apply_gradients(
            zip(gradients, variables, strict=True),
            skip_gradients_aggregation=True,
        )
        return self._update_means(terms._asdict(), weight)

    def _measure(
        self, x: tf.Tensor, eps: tf.Tensor, weight: tf.Tensor | None
    ) -> Logs:
        kl_weight = self.kl_schedule(tf.identity(self.train_step_count))
        terms = self.terms(x, eps, kl_weight=kl_weight)
        squared_error = tf.square(tf.cast(x, tf.float32) - self.reconstruct(x))
        mse = tf.reduce_mean(squared_error, tf.range(1, tf.rank(x)))
        return self._update_means(terms._asdict() | {"mse": mse}, weight)

    def _terms(
        self,
        x: tf.Tensor,
        eps: tf.Tensor,
        kl_weight: tf.Tensor,
        calibrate: Callable[..., tfd.Distribution] | None = None,
    ) -> Terms:
        """`calibrate`, given where training, fits p(x|z) in closed form."""
        training = calibrate is not None
        x = tf.cast(x, tf.float32)
        qz = self.encoder(x, training=training)  # q(z|x)
        z = posteriors.reparameterize(qz, eps)
        px = self.decoder(z, training=training)  # p(x|z)
        if calibrate is not None:
            px = calibrate(px, x)
        log_likelihood, kl = px.log_prob(x), self.kl_regularizer(qz, z)
        return Terms(
            loss=elbo_lib.loss(
                log_likelihood,
                kl,
                distortion_weight=self.likelihood.distortion_weight,
                kl_weight=kl_weight,
            ),
            elbo=elbo_lib.elbo(log_likelihood, kl),
            log_likelihood=log_likelihood,
            kl=kl,
        )

    def _scales_loss(self) -> bool:
        return isinstance(
            self.optimizer, tf_keras.mixed_precision.LossScaleOptimizer
        )

    def _update_means(self, values: Logs, weight: Any) -> Logs:
        for name, value in values.items():
            self._means[name].update_state(value, weight)
        return {name: self._means[name].result() for name in values}
