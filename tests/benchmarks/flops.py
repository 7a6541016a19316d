"""How many floating point operations an image takes to train on.

A weight is multiplied and added once at each place where it is used: 2 FLOP
forward, 2 for the gradient to the layer's input and 2 for that to the weight,
6 in all. Biases, activations, likelihood and optimizer are not counted, so that
the share of the matrix peak is what the matrix products alone would take.
"""

from typing import NamedTuple

FORWARD, BACKWARD = 2, 4


class Layer(NamedTuple):
    """A layer without its bias.

    Attributes:
      inputs: features or channels that come in.
      outputs: those that go out.
      places: at which the kernel is used: the outputs of a convolution, the
        inputs of a transposed one.
      kernel: weights between one input and one output.
    """

    inputs: int
    outputs: int
    places: int = 1
    kernel: int = 1


NETWORKS = {
    "mlp": (
        Layer(784, 512), Layer(512, 512), Layer(512, 2 * 16),
        Layer(16, 512), Layer(512, 512), Layer(512, 784),
    ),
    "conv": (
        Layer(1, 32, 14 * 14, 9), Layer(32, 64, 7 * 7, 9),
        Layer(7 * 7 * 64, 16), Layer(16, 2 * 2), Layer(2, 7 * 7 * 64),
        Layer(64, 64, 7 * 7, 9), Layer(64, 32, 14 * 14, 9),
        Layer(32, 1, 28 * 28, 9),
    ),
}  # fmt: skip


def products(layer: Layer) -> int:
    """Returns the multiplications of one image, forward."""
    return layer.inputs * layer.outputs * layer.places * layer.kernel


def per_image(network: str) -> int:
    """Returns the FLOP of one image: forward and both gradients."""
    layers = NETWORKS[network]
    return (FORWARD + BACKWARD) * sum(products(layer) for layer in layers)


def first_input_gradient(network: str) -> int:
    """Returns the part of `per_image` that nobody needs: the gradient to x."""
    return 2 * products(NETWORKS[network][0])
