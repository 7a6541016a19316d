"""Learner: one step of training and of testing, on one replica or many."""

from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow_probability import distributions as tfd

from tfvae import noise, replicas
from tfvae.batch import Batch
from tfvae.condition import Condition, Values, network_inputs
from tfvae.distributions.likelihoods import Likelihood
from tfvae.faults import Faults, num_broken
from tfvae.objectives.draws import Losses
from tfvae.workers import Workers

Logs = dict[str, tf.Tensor]
Given = Values | None
Share = replicas.BatchShare | None


class Learner(tf_keras.Model):
    """An encoder and a decoder, and how they learn: the base of our models.

    A Keras model: `compile(optimizer)`, `fit(x)`, `evaluate(x)`, and
    `predict(x)`, which reconstructs. A model with a condition needs it as y,
    as in `fit(x, y)`; without one, y is ignored (but Keras hands sample weights
    on only where it is given y). Under a `tf.distribute` strategy the batch
    size is global; neither loss nor noise depends on the number of replicas.

    Attributes:
      terms_named: figures of each example that a step logs.
      monitor: the one that chooses the best epoch; higher is better.
      adversary: a network that learns against the model; or None.
      condition: what both networks are told beside x and z.
      loops: over data, compiled; kept for as long as the model.
      workers: that train it, of which this process is one.
    """

    loops: dict[Any, Any]
    workers: Workers
    terms_named: tuple[str, ...] = ()
    monitor = ""
    adversary: tf_keras.Model | None = None

    def __init__(
        self,
        encoder: tf_keras.Model,
        decoder: tf_keras.Model,
        *,
        num_samples: int,
        seed: int,
        name: str,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(name=name)
        likelihood = decoder.layers[-1]
        if not isinstance(likelihood, Likelihood):
            raise TypeError(
                "`decoder` must end in a likelihood; got "
                f"{type(likelihood).__name__}; build it with `make_decoder`."
            )
        self.encoder = encoder
        self.decoder = decoder
        self.condition = condition or Condition()
        self.num_samples = num_samples
        self.seed = seed
        # Not `optimizer.iterations`, which stands still at a step that loss
        # scaling skips.
        self.train_step_count = replicas.counter("train_step_count")
        self.test_step_count = replicas.counter("test_step_count")
        self.faults = Faults()
        names = (*self.terms_named, "mse")
        # Untracked, so that weights and checkpoints hold no running means.
        means = {n: tf_keras.metrics.Mean(name=n) for n in names}
        object.__setattr__(self, "_means", means)
        object.__setattr__(self, "loops", {})
        workers = Workers(tf.distribute.get_strategy())
        object.__setattr__(self, "workers", workers)

    @property
    def networks(self) -> dict[str, tf_keras.layers.Layer]:
        """What a trained model consists of, by name."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    @property
    def likelihood(self) -> Likelihood:
        """The decoder's last layer."""
        return self.decoder.layers[-1]

    @property
    def latent_dim(self) -> int:
        """Number of dimensions of z."""
        shape = self.decoder.input_shape
        return (shape["z"] if isinstance(shape, dict) else shape)[-1]

    @property
    def metrics(self) -> list[tf_keras.metrics.Metric]:
        """Means over examples, which Keras resets at each epoch."""
        return list(self._means.values())

    def code(self, x: tf.Tensor, condition: Given = None) -> tf.Tensor:
        """Returns z = g(x): [batch, latent_dim].

        Args:
          x: [batch, *event_shape].
          condition: its values for each x; None without a condition.
        """
        raise NotImplementedError

    def forward(self, batch: Batch, *, training: bool) -> tuple[Losses, Logs]:
        """Returns what a step minimises, and the figures it logs.

        Args:
          batch: this replica's share.
          training: whether p(x|z) may be fitted to the batch, too.

        Returns:
          losses: each [batch].
          logs: `terms_named`, each [batch].
        """
        raise NotImplementedError

    def decode(self, z: tf.Tensor, condition: Given = None) -> tfd.Distribution:
        """Returns p(x|z): batch_shape [batch], event_shape of x.

        Args:
          z: [batch, latent_dim].
          condition: its values for each z; None without a condition. What is
            seen of x stays as it is.

        Raises:
          ValueError: another condition than the model's.
        """
        values = self.condition.check(condition)
        px = self.decoder(network_inputs("z", z, values), training=False)
        return self.condition.complete(px, values)

    def _decode_in_step(
        self, z: tf.Tensor, x: tf.Tensor, condition: Values,
        weight: tf.Tensor | None, *, training: bool,
    ) -> tfd.Distribution:  # fmt: skip
        """Returns p(x|z), which in training may be fitted to x."""
        px = self.decoder(network_inputs("z", z, condition), training=training)
        if training:
            hidden = self.condition.hidden(condition)
            px = self.likelihood.calibrate(px, x, weight=weight, hidden=hidden)
        return self.condition.complete(px, condition)

    def reconstruct(self, x: tf.Tensor, condition: Given = None) -> tf.Tensor:
        """Returns the mean of p(x|z) at z = g(x).

        Args:
          x: [batch, *event_shape].
          condition: its values for each x; None without a condition.

        Returns:
          x: [batch, *event_shape]; equal calls give equal results.
        """
        return self.decode(self.code(x, condition), condition).mean()

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See `reconstruct`."""
        del training
        return self.reconstruct(x)

    def predict_step(self, data: Any) -> tf.Tensor:
        """Reconstructions; see `tf_keras.Model.predict_step`."""
        x, y, _ = tf_keras.utils.unpack_x_y_sample_weight(data)
        return self.reconstruct(x, self.condition.values(x, y))

    def compile(
        self, *args: Any, jit_compile: bool | None = None, **kwargs: Any
    ) -> None:
        """See `tf_keras.Model.compile`.

        XLA compiles a training step but not its noise: XLA's Philox gives other
        bits on a CPU, and a run should not depend on how it is compiled.
        """
        super().compile(*args, **kwargs)
        self._update_fn = (
            tf.function(self.update, jit_compile=True, reduce_retracing=True)
            if jit_compile
            else self.update
        )

    def train_step(self, data: Any, share: Share = None) -> Logs:
        """One update; see `tf_keras.Model.train_step`.

        Args:
          data: as Keras gives it.
          share: this replica's, where it is known; else all ask each other.
        """
        batch = self._batch(data, share, noise.TRAIN, self.train_step_count)
        values = self._update_fn(batch)
        self.train_step_count.assign_add(1)
        return self.update_means(values, batch.weight)

    def test_step(self, data: Any, share: Share = None) -> Logs:
        """Terms and `mse` of one batch; arguments as of `train_step`."""
        batch = self._batch(data, share, noise.TEST, self.test_step_count)
        self.test_step_count.assign_add(1)
        return self.update_means(self.measure(batch), batch.weight)

    def reset_metrics(self) -> None:
        """Starts a new pass: means from nothing, test noise from its start."""
        super().reset_metrics()
        self.test_step_count.assign(0)

    def learning_variables(self) -> list[tf.Variable]:
        """Returns what the optimizer moves, in its order."""
        layers = [*self.networks.values(), self.adversary]
        return [
            v for layer in layers if layer for v in layer.trainable_variables
        ]

    def _batch(
        self, data: Any, share: Share, stream: int, step: tf.Variable
    ) -> Batch:
        x, y, weight = tf_keras.utils.unpack_x_y_sample_weight(data)
        condition = self.condition.check(self.condition.values(x, y))
        share = share or replicas.batch_share(x)
        x, condition, weight = replicas.fill_empty_share(x, condition, weight)
        shape = [self.num_samples, tf.shape(x)[0], self.latent_dim]
        return Batch(
            x=tf.cast(x, tf.float32),
            condition=condition,
            eps=noise.draws(self.seed, stream, step, share, shape),
            weight=weight,
            num_examples=share.num_examples,
            step=tf.identity(self.train_step_count),
            seed=noise.step_seed(self.seed, noise.EXTRA, step),
        )

    def update(self, batch: Batch) -> Logs:
        """One step of the optimizer; returns `terms_named`, each [batch]."""
        with tf.GradientTape(persistent=True) as tape:
            losses, logs = self.forward(batch, training=True)
            parts = [
                (self._mean_loss(loss, batch), variables)
                for loss, variables in losses.with_variables(
                    self.networks, self.adversary
                )
            ]
        gradients, variables = [], []
        for loss, of_part in parts:
            gradients += tape.gradient(loss, of_part)
            variables += of_part
        if self._scales_loss():
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        faults = num_broken(
            **{name: logs[name] for name in self.terms_named if name != "elbo"}
        )
        # In one exchange: each costs the time of a message between workers.
        *gradients, faults = replicas.sum_over_replicas([*gradients, faults])
        if not self._scales_loss():
            faults += num_broken(gradient=gradients)
        self.faults.note(batch.step, faults)
        self.optimizer.apply_gradients(
            zip(gradients, variables, strict=True),
            skip_gradients_aggregation=True,
        )
        return logs

    def _mean_loss(self, loss: tf.Tensor, batch: Batch) -> tf.Tensor:
        mean = tf.nn.compute_average_loss(
            loss,
            sample_weight=batch.weight,
            global_batch_size=batch.num_examples,
        )
        scales = self._scales_loss()
        return self.optimizer.get_scaled_loss(mean) if scales else mean

    def measure(self, batch: Batch) -> Logs:
        """Returns `terms_named` and `mse`, each [batch]; trains nothing."""
        _, logs = self.forward(batch, training=False)
        reconstructed = self.reconstruct(batch.x, batch.condition)
        squared_error = tf.square(batch.x - reconstructed)
        mse = tf.reduce_mean(squared_error, tf.range(1, tf.rank(batch.x)))
        return logs | {"mse": mse}

    def _scales_loss(self) -> bool:
        return isinstance(
            self.optimizer, tf_keras.mixed_precision.LossScaleOptimizer
        )

    def update_means(self, values: Logs, weight: tf.Tensor | None) -> Logs:
        """Returns the running means, by name, with new values taken in.

        Args:
          values: each [batch], or all scalar.
          weight: of the same shape; None: 1.
        """
        for name, value in values.items():
            self._means[name].update_state(value, weight)
        return {name: self._means[name].result() for name in values}
