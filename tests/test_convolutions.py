"""FewFilters: tf_keras's own convolution, with another way to its gradient."""

import numpy as np
import pytest
import tensorflow as tf
from tf_keras import layers as tfkl

from tfvae.convolutions import FewFilters

RNG = np.random.default_rng(4)


def _run(layer: tfkl.Layer, x: tf.Tensor, **call: bool) -> list[tf.Tensor]:
    """Returns the output, and the gradients of a weighted sum of it."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, **call)
        place = tf.reshape(tf.range(tf.size(y), dtype=y.dtype), tf.shape(y))
        total = tf.reduce_sum(tf.sin(place) * y)
    return [y, *tape.gradient(total, [x, *layer.trainable_variables])]


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize(("filters", "channels"), [(1, 4), (3, 2), (5, 5)])
def test_output_and_gradients_are_tf_keras_s(
    filters: int, channels: int, kernel_size: int, use_bias: bool
) -> None:
    x = tf.constant(RNG.normal(size=[3, 7, 6, channels]))
    settings = {"use_bias": use_bias, "dtype": "float64"}
    few = FewFilters(filters, kernel_size, **settings)
    theirs = tfkl.Conv2D(filters, kernel_size, padding="same", **settings)
    few.build(x.shape)
    theirs.build(x.shape)
    theirs.set_weights(few.get_weights())
    expected = _run(theirs, x)
    for training in (True, False):
        for ours, reference in zip(
            _run(few, x, training=training), expected, strict=True
        ):
            np.testing.assert_allclose(ours, reference, rtol=1e-10, atol=1e-12)


def test_nothing_but_the_layer_is_in_the_graph_of_a_trained_one() -> None:
    layer = FewFilters(1, 3)
    layer(tf.zeros([3, 5, 4, 2]))
    graph = tf.function(layer).get_concrete_function(
        tf.TensorSpec([None, 5, 4, 2])
    )
    boundary = ("Placeholder", "Identity", "NoOp")
    kinds = [op.type for op in graph.graph.get_operations()]
    assert sorted(kind for kind in kinds if kind not in boundary) == [
        "BiasAdd", "Conv2D", "ReadVariableOp", "ReadVariableOp",
    ]  # fmt: skip
