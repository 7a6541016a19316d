"""What the VAE grew from: PCA and the plain autoencoder."""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers as tfkl

from tfvae.batch import Batch
from tfvae.condition import Condition, network_inputs
from tfvae.learner import Given, Learner, Logs
from tfvae.objectives.draws import Losses

if TYPE_CHECKING:  # scikit-learn takes half a second to load
    from sklearn import decomposition

LEAST_NOISE = 1e-8  # beside the largest variance; float32 knows no smaller one


class AutoEncoder(Learner):
    """Deterministic autoencoder: z = g(x), trained on -log p(x|z) alone.

    No noise, no prior, no KL, and so no bound on log p(x) and nothing to draw
    from. With a Gaussian likelihood it minimises the squared error.

    Args:
      encoder: from x to z [batch, latent_dim], as `make_code_encoder` makes it.
      decoder: from z to p(x|z), as `make_decoder` makes it.
      seed: kept for the record; training draws nothing.
      condition: with which both networks were made; default none.
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
        condition: Condition | None = None,
    ) -> None:
        super().__init__(
            encoder, decoder, num_samples=0, seed=seed, name=name,
            condition=condition,
        )  # fmt: skip

    def code(self, x: tf.Tensor, condition: Given = None) -> tf.Tensor:
        """See `Learner.code`."""
        values = self.condition.check(condition)
        return self.encoder(network_inputs("x", x, values), training=False)

    def forward(self, batch: Batch, *, training: bool) -> tuple[Losses, Logs]:
        """See `Learner.forward`."""
        values = batch.condition
        z = self.encoder(
            network_inputs("x", batch.x, values), training=training
        )
        # p(x|z)
        px = self._decode_in_step(
            z, batch.x, values, batch.weight, training=training
        )
        log_likelihood = px.log_prob(batch.x)
        loss = self.likelihood.distortion_weight * -log_likelihood
        return Losses(loss), {"loss": loss, "log_likelihood": log_likelihood}


def make_code_encoder(
    trunk: tfkl.Layer,
    event_shape: tuple[int, ...],
    latent_dim: int,
    *,
    condition: Condition | None = None,
) -> tf_keras.Model:
    """Functional model from x to z = g(x), without a distribution.

    Args:
      trunk: as of `make_encoder`.
      event_shape: shape of one x.
      latent_dim: dimensions of z.
      condition: what else it is told; default nothing.
    """
    condition = condition or Condition()
    values = condition.keras_inputs()
    x = tfkl.Input(event_shape, name="x")
    features = trunk(condition.beside_x(x, values))
    features = tfkl.Flatten(dtype="float32", name="features")(features)
    z = tfkl.Dense(latent_dim, dtype="float32", name="loc")(features)
    return tf_keras.Model(network_inputs("x", x, values), z, name="encoder")


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
    pca = _fit_pca(train, latent_dim)
    reconstructed = pca.inverse_transform(pca.transform(test))
    return float(np.mean(np.square(test - reconstructed)))


def pca_impute(
    train: np.ndarray, x: np.ndarray, mask: np.ndarray, *, latent_dim: int
) -> np.ndarray:
    """Hidden pixels as probabilistic PCA expects them, given those seen.

    p(z) = N(0, I),  p(x|z) = N(W z + mean, sigma^2 I)
    E[x_hidden | x_seen] = mean_hidden + W_hidden E[z | x_seen]

    W and sigma^2 are those of the highest likelihood: the leading eigenvectors
    of the covariance of `train`, and the mean of the eigenvalues left out, but
    at least 1e-8 of the largest variance.

    Args:
      train: [n, *event_shape], to which the model is fitted.
      x: [m, height, width, channels]; hidden pixels are not looked at.
      mask: [m, height, width, 1], 1 = seen, 0 = hidden.
      latent_dim: number of components, at most min(n, D) of them are used.

    Returns:
      x: [m, height, width, channels], of the dtype of `x`; seen pixels are
      those of `x`, unchanged.

    References:
      Tipping and Bishop, 1999. Probabilistic Principal Component Analysis.
      https://doi.org/10.1111/1467-9868.00196
    """
    pca = _fit_pca(train.reshape(len(train), -1), latent_dim)
    sigma2 = float(pca.noise_variance_)
    # Equal eigenvalues can differ by rounding, in either direction.
    scale2 = np.maximum(pca.explained_variance_ - sigma2, 0)
    W = pca.components_.T * np.sqrt(scale2, dtype=np.float64)
    seen = np.broadcast_to(mask, x.shape).reshape(len(x), -1) > 0.5
    centred = np.where(seen, x.reshape(len(x), -1) - pca.mean_, 0)
    # M = W_seen^T W_seen + sigma^2 I, one column at a time to save memory
    columns = [seen @ (W * column[:, np.newaxis]) for column in W.T]
    M = np.stack(columns, axis=2)  # [m, latent_dim, latent_dim]
    M += max(sigma2, LEAST_NOISE * scale2.max()) * np.eye(W.shape[1])
    # E[z | x_seen] = M^-1 W_seen^T (x_seen - mean_seen)
    z = np.linalg.solve(M, (centred @ W)[:, :, np.newaxis])
    expected = (pca.mean_ + z[:, :, 0] @ W.T).reshape(x.shape)
    return np.where(mask > 0.5, x, expected.astype(x.dtype))


def _fit_pca(train: np.ndarray, latent_dim: int) -> "decomposition.PCA":
    """Returns PCA fitted to [n, D], the same at every call."""
    from sklearn import decomposition

    num_components = min(latent_dim, *train.shape)
    return decomposition.PCA(num_components, random_state=0).fit(train)
