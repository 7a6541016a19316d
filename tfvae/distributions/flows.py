"""Steps of normalising flows over z: a network each, and the bijector of it.

Every network is called on inputs of rank 2, for tf_keras squeezes or pads
those of other ranks.
"""

import functools
from collections.abc import Sequence

import tensorflow as tf
import tf_keras
from tensorflow_probability import bijectors as tfb
from tf_keras import layers as tfkl

LOG_SCALE_BOUND = 7.0  # scale of a normal stays in [9e-4, 1.1e3]
STEP_BOUND = 3.0  # of the log-scale of one step
AUTOREGRESSIVE_GAIN = 0.1  # of an untrained network's outputs, about 1


def bounded(value: tf.Tensor, bound: float) -> tf.Tensor:
    """Returns bound * tanh(value / bound), about `value` near 0."""
    return bound * tf.tanh(value / bound)


def coupling_network(
    latent_dim: int, hidden_units: Sequence[int]
) -> tf_keras.Sequential:
    """Returns the network of a coupling, whose outputs are 0 at the start.

    Args:
      latent_dim: dimensions of z, at least 2.
      hidden_units: of its layers.

    Returns:
      A network from the kept half of z, [batch, latent_dim // 2], to a shift
      and a log-scale of each dimension of the other.
    """
    num_kept = latent_dim // 2
    layers = [tfkl.Dense(units, activation="relu") for units in hidden_units]
    outputs = 2 * (latent_dim - num_kept)
    layers.append(tfkl.Dense(outputs, kernel_initializer="zeros"))
    network = tf_keras.Sequential(layers)
    network.build([None, num_kept])
    return network


def coupling(network: tf_keras.Sequential) -> tfb.Bijector:
    """Affine coupling: z_2 to z_2 * s(z_1) + m(z_1), z_1 the first half.

    Args:
      network: as `coupling_network` makes it.

    References:
      Dinh et al., 2017. Density estimation using Real NVP, section 3.
      https://arxiv.org/abs/1605.08803
    """
    return tfb.RealNVP(
        network.input_shape[-1],
        shift_and_log_scale_fn=functools.partial(_coupled, network),
    )


def autoregressive_network(
    latent_dim: int,
    context_dim: int,
    hidden_units: Sequence[int],
    *,
    backwards: bool,
) -> tfb.AutoregressiveNetwork:
    """Returns a network whose outputs of z_j see only the z before it.

    Its masks are constraints of its kernels: they hold from the start, and
    after every step of a tf_keras optimizer.

    Args:
      latent_dim: dimensions of z.
      context_dim: numbers that every output sees.
      hidden_units: of its layers.
      backwards: the last z is the first in order.

    References:
      Germain et al., 2015. MADE: Masked Autoencoder for Distribution
      Estimation. https://arxiv.org/abs/1502.03509
    """
    network = tfb.AutoregressiveNetwork(
        params=2,
        event_shape=[latent_dim],
        conditional=True,
        conditional_event_shape=[context_dim],
        hidden_units=list(hidden_units),
        input_order="right-to-left" if backwards else "left-to-right",
        activation="elu",
        dtype="float32",
    )
    network.build([None, latent_dim])
    return network


def inverse_autoregressive(
    network: tfb.AutoregressiveNetwork, context: tf.Tensor
) -> tfb.Bijector:
    """Autoregressive step: z_j to (z_j - m_j) / s_j, all j in one pass.

    m_j and s_j are functions of the z before z_j and of the context, about 0
    and 1 at the start. The inverse takes one pass for each dimension.

    Args:
      network: as `autoregressive_network` makes it.
      context: [batch, context_dim].

    References:
      Kingma et al., 2016. Improved Variational Inference with Inverse
      Autoregressive Flow, section 3. https://arxiv.org/abs/1606.04934
    """
    step = functools.partial(_autoregressive, network, context)
    return tfb.Invert(tfb.MaskedAutoregressiveFlow(step))


def _coupled(
    network: tf_keras.Sequential, kept: tf.Tensor, num_outputs: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns m and log s of z_2, [..., num_outputs] each."""
    outputs = network(tf.reshape(kept, [-1, kept.shape[-1]]))
    shape = tf.concat([tf.shape(kept)[:-1], [num_outputs]], axis=0)
    shift, log_scale = (
        tf.reshape(half, shape) for half in tf.split(outputs, 2, axis=-1)
    )
    return shift, bounded(log_scale, STEP_BOUND)


def _autoregressive(
    network: tfb.AutoregressiveNetwork, context: tf.Tensor, z: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns m and log s at z, [..., batch, latent_dim] each."""
    context = tf.broadcast_to(
        context, tf.concat([tf.shape(z)[:-1], context.shape[-1:]], axis=0)
    )
    outputs = network(
        tf.reshape(z, [-1, z.shape[-1]]),
        conditional_input=tf.reshape(context, [-1, context.shape[-1]]),
    )
    shift, log_scale = (
        tf.reshape(AUTOREGRESSIVE_GAIN * part, tf.shape(z))
        for part in tf.unstack(outputs, axis=-1)
    )
    return shift, bounded(log_scale, STEP_BOUND)
