"""How many floating point operations training takes, by the layers' shapes."""

import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras
from tf_keras import layers as tfkl

from tfvae.learner import Learner

COUNTED = (
    "products of the dense and convolutional layers of the encoder and the "
    "decoder, forward and backward"
)


class Product(NamedTuple):
    """A layer that multiplies by a matrix.

    Attributes:
      layer: dense or convolutional.
      input_moves: whether training moves what it is called on, so that the
        gradient to its input is computed, too.
    """

    layer: tf_keras.layers.Layer
    input_moves: bool

    @property
    def flops(self) -> int:
        """Of training on one example: forward, and for each gradient again.

        Two for each multiplication by a weight.
        """
        weights = math.prod(self.layer.kernel.shape)
        return 2 * weights * _places(self.layer) * (2 + self.input_moves)


def training_flops(model: Learner) -> int:
    """Returns the floating point operations of training on one example.

    Of each `Product` of the encoder, and `num_samples` times of the decoder.
    Not counted: biases, activations, densities and the optimizer, flows, the
    passes of the encoder that a vamp prior adds, an objective's own network.

    Args:
      model: built.
    """
    encoder = sum(product.flops for product in products(model.encoder))
    decoder = products(model.decoder, moving="z")
    passes = max(model.num_samples, 1)  # an autoencoder draws nothing
    return encoder + passes * sum(product.flops for product in decoder)


def products(
    network: tf_keras.Model, *, moving: str = "", input_moves: bool = False
) -> Iterator[Product]:
    """Yields the layers that multiply, those of models inside among them.

    Args:
      network: functional, or a stack that was called.
      moving: name of the input that training moves.
      input_moves: whether it moves the others.
    """
    moves = {moving: True}
    for layer in network.layers:
        sources = tf.nest.flatten(layer.inbound_nodes[0].inbound_layers)
        moved = any(moves.get(source.name, input_moves) for source in sources)
        if _places(layer):
            yield Product(layer, moved)
        elif isinstance(layer, tf_keras.Model):
            yield from products(layer, input_moves=moved)
        if sources:  # else it is an input
            moves[layer.name] = moved or bool(layer.trainable_weights)


@functools.singledispatch
def _places(layer: Any) -> int:
    """Returns at how many places of one example the kernel is applied.

    All of it: what lies beyond the edge of an image is multiplied, too. 0: the
    layer multiplies by no matrix.
    """
    del layer
    return 0


@_places.register
def _(layer: tfkl.Dense) -> int:
    return math.prod(layer.output_shape[1:-1])


@_places.register
def _(layer: tfkl.Conv2D) -> int:
    return math.prod(layer.output_shape[1:3])


@_places.register
def _(layer: tfkl.Conv2DTranspose) -> int:
    return math.prod(layer.input_shape[1:3])
