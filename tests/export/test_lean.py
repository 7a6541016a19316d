"""A traced function holds the operations of its layers, and no more."""

import collections
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from export import lean
from export.signatures import Servable
from tests.small_runs import NUM_CLASSES, build_model
from tfvae.data.spec import DataSpec

NO_WORK = {"Placeholder", "Const", "NoOp"}
ROWS = tf.TensorSpec([None, 3], tf.float32, name="x")
X = np.array([[1.0, -2, 3], [4, 5, -6], [7, 8, 9], [0, 1, 0]], np.float32)


def operations(traced: Any) -> collections.Counter:
    types = [operation.type for operation in traced.graph.get_operations()]
    return collections.Counter(kind for kind in types if kind not in NO_WORK)


def count(words: str) -> collections.Counter:
    return collections.Counter(words.split())


WEIGHTS = "ReadVariableOp ReadVariableOp"
DENSE, GELU = f"{WEIGHTS} MatMul BiasAdd", "Mul Neg Mul Erfc Mul"
# Of the decoder's end: x in its shape, each pixel's offset, logits to means.
HEAD = "Reshape ReadVariableOp AddV2 Squeeze Sigmoid"
# Its batch size is no constant.
CONV_TRANSPOSED = (
    f"{WEIGHTS} Shape StridedSlice Pack Conv2DBackpropInput BiasAdd"
)
LAYERS = {
    "mlp": [DENSE, GELU, DENSE, GELU, "ReadVariableOp MatMul", HEAD],
    "conv": [
        *(DENSE, GELU, DENSE, GELU, "Reshape"),
        *(CONV_TRANSPOSED, GELU, CONV_TRANSPOSED, GELU),
        *("ReadVariableOp Conv2D", HEAD),
    ],
}
SETTINGS: dict[str, dict[str, Any]] = {
    "mlp": {"hidden_units": (6, 5)},
    "conv": {"architecture": "conv", "filters": (2, 3), "hidden_units": (6,)},
}


@pytest.mark.parametrize("architecture", LAYERS)
def test_a_decoder_has_the_operations_of_its_layers(architecture: str) -> None:
    shape = (8, 4, 1)
    model = build_model(shape, likelihood="bernoulli", **SETTINGS[architecture])
    spec = DataSpec(shape, NUM_CLASSES, "unit", levels=4)
    servable = Servable(model, spec, part="decoder", card="")
    network = count(" ".join(LAYERS[architecture]))
    decode = servable.signatures["decode"]
    assert operations(decode) == network + count("Identity")
    png = servable.signatures["decode_png"]
    assert operations(png) == network + count(
        "Mul Round Cast EncodePng Identity"
    )
    loop = (
        "Shape StridedSlice TensorListFromTensor TensorListReserve "
        "StatelessWhile TensorListStack"
    )
    sample = servable.signatures["sample"]
    assert operations(sample) == network + count(f"{loop} Identity Identity")


CASES: dict[str, tuple[Callable[[tf.Tensor], tf.Tensor], str]] = {
    "identity": (lambda x: tf.identity(tf.stop_gradient(tf.exp(x))), "Exp"),
    "dead": (lambda x: [tf.sin(x), tf.exp(x)][1], "Exp"),
    "twice": (lambda x: tf.exp(x) - tf.exp(x), "Exp Sub"),
    "one": (lambda x: 1 * tf.exp(x) * tf.ones([3]) / 1, "Exp"),
    "zero": (lambda x: 0 + tf.exp(x) + tf.zeros([3]) - 0, "Exp"),
    "folded": (lambda x: x * tf.exp(tf.sqrt([1.0, 4, 9])), "Mul"),
    "not one": (lambda x: x * [1.0, 1, 2], "Mul"),
    "one over": (lambda x: 1 / x, "RealDiv"),
    "zero less": (lambda x: 0 - x, "Sub"),
    "wider": (lambda x: x[:, None] * tf.ones([2, 1]), "StridedSlice Mul"),
    "same shape": (lambda x: tf.exp(tf.reshape(x, [-1, 3])), "Exp"),
    "broadcast": (lambda x: tf.exp(tf.broadcast_to(x, tf.shape(x))), "Exp"),
    "broader": (
        lambda x: tf.broadcast_to(x, [2, *tf.unstack(tf.shape(x))]),
        "Shape Unpack Pack BroadcastTo",
    ),
    "known shape": (
        lambda x: tf.ensure_shape(
            tf.reshape(x, [tf.shape(x)[0], 3, tf.size(x[0]) // 3]), [None, 3, 1]
        ),
        "Reshape EnsureShape",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_changes_nothing_is_left_out(name: str) -> None:
    function, left = CASES[name]
    traced = lean.trace(lambda x: {"y": function(x)}, [ROWS])
    assert operations(traced) == count(f"{left} Identity")
    np.testing.assert_allclose(
        traced(tf.constant(X))["y"], function(tf.constant(X)), rtol=1e-6
    )


def test_large_constants_are_computed_not_stored() -> None:
    traced = lean.trace(
        lambda x: {
            "y": x + tf.reduce_sum(tf.cumsum(tf.range(1000.0)) * x[0, 0]),
            "z": x + tf.reduce_sum(tf.ones([900]) * x[0, 0]),
        },
        [ROWS],
    )
    assert traced.graph.as_graph_def().ByteSize() < 2500
    total = np.arange(1000.0).cumsum().sum()
    np.testing.assert_allclose(traced(tf.constant(X))["y"], X + total, 1e-5)
    np.testing.assert_allclose(traced(tf.constant(X))["z"], X + 900)


def test_loops_and_branches_stay() -> None:
    def function(x: tf.Tensor) -> dict[str, tf.Tensor]:
        loop = tf.map_fn(lambda row: tf.reduce_max(row), tf.identity(x))
        branch = tf.cond(x[0, 0] > 0, lambda: x + 1, lambda: x - 1)
        return {"max": loop, "branch": branch}

    traced = lean.trace(function, [ROWS])
    for sign in (1, -1):
        found = traced(tf.constant(sign * X))
        np.testing.assert_array_equal(found["max"], (sign * X).max(axis=1))
        np.testing.assert_array_equal(found["branch"], sign * X + sign)


def test_several_outputs_of_one_operation_keep_their_places() -> None:
    def function(x: tf.Tensor) -> dict[str, tf.Tensor]:
        values, places = tf.math.top_k(x, 2)
        return {"values": values, "places": places}

    found = lean.trace(function, [ROWS])(tf.constant(X))
    np.testing.assert_array_equal(found["values"], -np.sort(-X)[:, :2])
    assert found["places"].numpy()[0].tolist() == [2, 0]


def test_weights_stay_variables() -> None:
    weight, unread = tf.Variable([2.0, 3, 4]), tf.Variable(1.0)

    def function(x: tf.Tensor) -> dict[str, tf.Tensor]:
        unread + x
        return {"y": weight * x + weight}

    traced = lean.trace(function, [ROWS])
    assert operations(traced) == count("ReadVariableOp Mul AddV2 Identity")
    assert traced.captured_inputs[0] is weight.handle
    assert len(traced.captured_inputs) == 1
    weight.assign([5.0, 6, 7])
    np.testing.assert_array_equal(
        traced(tf.constant(X))["y"], X * [5, 6, 7] + [5, 6, 7]
    )
