"""Functional encoder and decoder: a trunk, then a distribution layer."""

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers as tfkl

from tfvae.condition import Condition, network_inputs
from tfvae.convolutions import FewFilters
from tfvae.distributions.kl import KLRegularizer
from tfvae.distributions.likelihoods import Likelihood
from tfvae.distributions.posteriors import POSTERIORS
from tfvae.distributions.priors import Prior, StandardNormal


def make_encoder(
    trunk: tfkl.Layer,
    event_shape: tuple[int, ...],
    latent_dim: int,
    *,
    posterior: str = "diag",
    prior: Prior | None = None,
    condition: Condition | None = None,
) -> tf_keras.Model:
    """Functional model from x to q(z|x).

    Args:
      trunk: any layer or model from [batch, *event_shape] to features of any
        rank; all heads share it.
      event_shape: shape of one x.
      latent_dim: dimensions of z.
      posterior: q(z|x), a key of `POSTERIORS`.
      prior: p(z), to which the KL is taken; default N(0, I). The encoder does
        not own its variables.
      condition: what else it is told; default nothing.

    Returns:
      encoder: from x [batch, *event_shape] (with a condition, from a dict of
      `x` and the condition's inputs) to a distribution over z, with
      batch_shape [batch] and event_shape [latent_dim]. `encoder.losses` is
      empty: the last layer's `kl_regularizer` gives the KL, per example, in
      closed form where there is one.

    Raises:
      ValueError: an unknown posterior, or a prior over another z.
    """
    if posterior not in POSTERIORS:
        raise ValueError(
            f"`posterior` must be one of {', '.join(POSTERIORS)}; got "
            f"{posterior!r}."
        )
    if prior is None:
        prior = StandardNormal(latent_dim)
    if prior.latent_dim != latent_dim:
        raise ValueError(
            f"`prior` must be over {latent_dim} dimensions, as `latent_dim`; "
            f"got {prior.latent_dim}."
        )
    condition = condition or Condition()
    values = condition.keras_inputs()
    x = tfkl.Input(event_shape, name="x")
    features = trunk(condition.beside_x(x, values))
    features = tfkl.Flatten(dtype="float32", name="features")(features)
    kind = POSTERIORS[posterior]
    heads = [
        tfkl.Dense(units, dtype="float32", name=name)(features)
        for name, units in kind.head_units(latent_dim).items()
    ]
    exact = kind.is_normal and prior.is_normal
    layer = kind(KLRegularizer(prior, exact=exact))
    inputs = network_inputs("x", x, values)
    encoder = tf_keras.Model(inputs, layer(heads), name="encoder")
    prior.bind(encoder)
    return encoder


def make_decoder(
    trunk: tfkl.Layer,
    latent_dim: int,
    event_shape: tuple[int, ...],
    likelihood: Likelihood,
    *,
    mean: np.ndarray | None = None,
    condition: Condition | None = None,
) -> tf_keras.Model:
    """Functional model from z to p(x|z).

    Args:
      trunk: any layer or model from [batch, latent_dim] to features. Features
        of shape [batch, height, width, filters] with x's height and width end
        in a convolution, all others in a dense layer.
      latent_dim: dimensions of z.
      event_shape: shape of one x.
      likelihood: the last layer.
      mean: of the training data, `event_shape`; where it is given, p(x|z) of
        an untrained decoder has about this mean, as PCA's has, so training
        need not spend a latent on finding it.
      condition: as of `make_encoder`; both get the same one.

    Returns:
      decoder: from z [batch, latent_dim] (with a condition, from a dict of `z`
      and the condition's inputs) to a distribution over x, with
      batch_shape [batch] and event_shape `event_shape`.
    """
    condition = condition or Condition()
    values = condition.keras_inputs()
    z = tfkl.Input([latent_dim], name="z")
    features = trunk(condition.beside_z(z, values))
    params = likelihood.params_per_dim
    if len(event_shape) == 3 and features.shape[1:3] == event_shape[:2]:
        head = FewFilters(
            event_shape[-1] * params, 3, use_bias=False, dtype="float32",
            name="head",
        )  # fmt: skip
    else:
        features = tfkl.Flatten(dtype="float32", name="features")(features)
        units = tf.TensorShape(event_shape).num_elements() * params
        head = tfkl.Dense(units, use_bias=False, dtype="float32", name="head")
    parameters = tfkl.Reshape(
        [*event_shape, params], dtype="float32", name="parameters"
    )(head(features))
    offset = Offset(
        None if mean is None else likelihood.parameters_of_mean(mean)
    )
    return tf_keras.Model(
        network_inputs("z", z, values),
        likelihood(offset(parameters)),
        name="decoder",
    )


class Offset(tfkl.Layer):
    """Adds a trainable b, one number for each parameter of each dimension.

    Args:
      initial: b at the start, of the shape of one input; None: zeros.
    """

    def __init__(self, initial: np.ndarray | None = None) -> None:
        super().__init__(name="offset", dtype="float32")
        self.initial = initial

    def build(self, input_shape: tf.TensorShape) -> None:
        """See `tf_keras.layers.Layer.build`."""
        initial = np.zeros(1) if self.initial is None else self.initial
        self.b = self.add_weight(
            name="b",
            shape=input_shape[1:],
            initializer=tf.constant_initializer(initial),
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns inputs + b: [batch, ...]."""
        return inputs + self.b
