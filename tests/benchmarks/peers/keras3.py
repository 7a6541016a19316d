"""Plain Keras 3 on TensorFlow: a functional model, train_step, and `fit`.

`jit_compile` stays at Keras's default "auto", which is off where there is a CPU
alone; `--compiled` turns XLA on. `fit` takes the uint8 array itself, whose
batches it gathers by index, and runs many steps an execution.
"""

import os
import time
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf
from keras import layers, ops

from tests.benchmarks.peers import task as task_lib
from tests.benchmarks.peers.task import Task

STEPS_PER_EXECUTION = 64


def mlp(latent_dim: int) -> tuple[keras.Model, keras.Model]:
    """Returns encoder and decoder."""
    encoder = keras.Sequential(
        [keras.Input([28, 28, 1]), layers.Flatten()]
        + [layers.Dense(n, "relu") for n in task_lib.HIDDEN_UNITS]
        + [layers.Dense(2 * latent_dim)]
    )
    decoder = keras.Sequential(
        [keras.Input([latent_dim])]
        + [layers.Dense(n, "relu") for n in reversed(task_lib.HIDDEN_UNITS)]
        + [layers.Dense(task_lib.NUM_PIXELS), layers.Reshape([28, 28, 1])]
    )
    return encoder, decoder


def conv(latent_dim: int) -> tuple[keras.Model, keras.Model]:
    """Returns encoder and decoder."""

    def settings(strides: int) -> dict[str, Any]:
        return {"kernel_size": 3, "strides": strides, "padding": "same"}

    down = [
        layers.Conv2D(n, activation="relu", **settings(2))
        for n in task_lib.FILTERS
    ]
    up = [
        layers.Conv2DTranspose(n, activation="relu", **settings(2))
        for n in reversed(task_lib.FILTERS)
    ]
    encoder = keras.Sequential(
        [
            keras.Input([28, 28, 1]),
            *down,
            layers.Flatten(),
            layers.Dense(task_lib.CODE_UNITS, "relu"),
            layers.Dense(2 * latent_dim),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input([latent_dim]),
            layers.Dense(task_lib.NUM_FEATURES, "relu"),
            layers.Reshape([7, 7, task_lib.FILTERS[-1]]),
            *up,
            layers.Conv2DTranspose(1, **settings(1)),
        ]
    )
    return encoder, decoder


NETWORKS = {"mlp": mlp, "conv": conv}


class VAE(keras.Model):
    """See Keras's own example; the metric is the mean over examples."""

    def __init__(self, network: str, latent_dim: int) -> None:
        super().__init__()
        self.encoder, self.decoder = NETWORKS[network](latent_dim)
        self.loss_mean = keras.metrics.Mean(name="loss")
        self.seeds = keras.random.SeedGenerator(0)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """See `keras.Model.metrics`."""
        return [self.loss_mean]

    def negative_elbo(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the mean -elbo of uint8 images."""
        x = ops.cast(images, "float32") / 255
        loc, log_scale = ops.split(self.encoder(x), 2, axis=-1)
        scale = ops.exp(log_scale)
        noise = keras.random.normal(ops.shape(loc), seed=self.seeds)
        logits = self.decoder(loc + scale * noise)
        log_likelihood = ops.sum(
            x * logits - ops.softplus(logits), axis=[1, 2, 3]
        )
        kl = 0.5 * (loc**2 + scale**2 - 1) - log_scale
        return ops.mean(ops.sum(kl, axis=-1) - log_likelihood)

    def train_step(self, data: Any) -> dict[str, Any]:
        """See `keras.Model.train_step`."""
        with tf.GradientTape() as tape:
            loss = self.negative_elbo(data)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return self._tell(loss, data)

    def test_step(self, data: Any) -> dict[str, Any]:
        """See `keras.Model.test_step`."""
        return self._tell(self.negative_elbo(data), data)

    def _tell(self, loss: tf.Tensor, images: tf.Tensor) -> dict[str, Any]:
        self.loss_mean.update_state(loss, ops.shape(images)[0])
        return {"loss": self.loss_mean.result()}


class Tell(keras.callbacks.Callback):
    """Times the training of an epoch, measures the test elbo, and tells."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        seconds = time.perf_counter() - self._started
        measured = self.model.evaluate(
            self.task.test,
            batch_size=task_lib.EVAL_BATCH_SIZE,
            verbose=0,
            return_dict=True,
        )
        task_lib.tell(
            epoch + 1,
            loss=logs["loss"],
            elbo=-measured["loss"],
            images=len(self.task.train),
            seconds=seconds,
        )


def main(task: Task) -> None:
    """Trains and tells."""
    model = VAE(task.network, task.latent_dim)
    model.compile(
        optimizer=keras.optimizers.Adam(task_lib.LEARNING_RATE),
        jit_compile=True if task.compiled else "auto",
        steps_per_execution=STEPS_PER_EXECUTION,
    )
    model.fit(
        task.train,
        batch_size=task_lib.BATCH_SIZE,
        epochs=task.epochs,
        callbacks=[Tell(task)],
        verbose=0,
    )


if __name__ == "__main__":
    main(task_lib.read_task())
