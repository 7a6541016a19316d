"""What the VAE grew from: PCA and the plain autoencoder."""

import numpy as np
import tensorflow as tf
import tf_keras
from sklearn import decomposition
from tf_keras import layers as tfkl

from tfvae.learner import Batch, Learner, Logs
from tfvae.objectives.draws import Losses


class AutoEncoder(Learner):
    """Deterministic autoencoder: z = g(x), trained on -log p(x|z) alone.

    No noise, no prior, no KL, and so no bound on log p(x) and nothing to draw
    from. With a Gaussian likelihood it minimises the squared error.

    Args:
      encoder: from x to z [batch, latent_dim], as `make_code_encoder` makes it.
      decoder: from z to p(x|z), as `make_decoder` makes it.
      seed: kept for the record; training draws nothing.
    """

    terms_named = ("loss", "log_likelihood")
    monitor = "log_likelihood"

    def __init__(
        self,
        encoder: tf_keras.Model,
        decoder: tf_keras.Model,
        *,
        seed: int = 0,
        name: str = "autoencoder",
    ) -> None:
        super().__init__(encoder, decoder, num_samples=0, seed=seed, name=name)

    def code(self, x: tf.Tensor) -> tf.Tensor:
        """See `Learner.code`."""
        return self.encoder(x, training=False)

    def forward(self, batch: Batch, *, training: bool) -> tuple[Losses, Logs]:
        """See `Learner.forward`."""
        z = self.encoder(batch.x, training=training)
        px = self.decoder(z, training=training)  # p(x|z)
        if training:
            px = self.likelihood.calibrate(px, batch.x, weight=batch.weight)
        log_likelihood = px.log_prob(batch.x)
        loss = self.likelihood.distortion_weight * -log_likelihood
        return Losses(loss), {"loss": loss, "log_likelihood": log_likelihood}


def make_code_encoder(
    trunk: tfkl.Layer, event_shape: tuple[int, ...], latent_dim: int
) -> tf_keras.Model:
    """Functional model from x to z = g(x), without a distribution.

    Args:
      trunk: as of `make_encoder`.
      event_shape: shape of one x.
      latent_dim: dimensions of z.
    """
    x = tfkl.Input(event_shape, name="x")
    features = tfkl.Flatten(dtype="float32", name="features")(trunk(x))
    z = tfkl.Dense(latent_dim, dtype="float32", name="loc")(features)
    return tf_keras.Model(x, z, name="encoder")


def pca_mse(train: np.ndarray, test: np.ndarray, *, latent_dim: int) -> float:
    """Mean squared error per dimension of PCA's reconstructions of `test`.

    Args:
      train: [n, *event_shape], to which PCA is fitted.
      test: [m, *event_shape].
      latent_dim: number of components, at most min(n, D) of them are used.

    Returns:
      mse: averaged over examples and dimensions, in the units of x squared.
    """
    train, test = train.reshape(len(train), -1), test.reshape(len(test), -1)
    pca = decomposition.PCA(min(latent_dim, *train.shape)).fit(train)
    reconstructed = pca.inverse_transform(pca.transform(test))
    return float(np.mean(np.square(test - reconstructed)))
