"""A graph that a server could not run, or would run wrongly, is refused."""

import pathlib
from typing import Any

import pytest
import tensorflow as tf

from export import graph_checks
from export.protos import meta_graph_pb2
from tfvae.errors import FailedError

RECORDED = pathlib.Path(__file__).parent / "recorded" / "models"
VECTOR = tf.TensorSpec([None], tf.float32, name="x")


def traced(function: Any, *specs: tf.TensorSpec) -> Any:
    """Returns the graph of a function, as a SavedModel holds it."""
    concrete = tf.function(function).get_concrete_function(*specs)
    text = concrete.graph.as_graph_def().SerializeToString()
    meta_graph = meta_graph_pb2.MetaGraphDef()
    meta_graph.graph_def.MergeFromString(text)
    return meta_graph


def with_assertion(x: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([tf.debugging.assert_less(x, 9.0)]):
        return tf.identity(x)


def printing(x: tf.Tensor) -> tf.Tensor:
    tf.print(x)
    return x


@tf.function(jit_compile=True)
def compiled(x: tf.Tensor) -> tf.Tensor:
    return x + 1


CASES: dict[str, tuple[Any, str]] = {
    "python": (
        lambda x: tf.numpy_function(abs, [x], tf.float32),
        "PyFunc.*runs Python",
    ),
    "eager python": (
        lambda x: tf.py_function(abs, [x], tf.float32),
        "EagerPyFunc.*runs Python",
    ),
    "normal": (
        lambda x: x + tf.random.normal([]),
        "RandomStandardNormal.*hidden state",
    ),
    "uniform": (
        lambda x: x + tf.random.uniform([], seed=3),
        "RandomUniform.*hidden state",
    ),
    "assertion": (with_assertion, "Assert.*shares the batch"),
    "print": (printing, "PrintV2.*the log"),
    "compiled": (compiled, "compiled by XLA"),
    "in a loop": (
        lambda x: tf.map_fn(lambda one: one + tf.random.normal([]), x),
        "function .*RandomStandardNormal",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operation_that_a_server_lacks_is_refused(name: str) -> None:
    function, message = CASES[name]
    with pytest.raises(FailedError, match=message):
        graph_checks.check_operations(traced(function, VECTOR))


def test_plain_operations_are_counted() -> None:
    meta_graph = traced(lambda x: tf.exp(x), VECTOR)
    assert [node.op for node in meta_graph.graph_def.node] == [
        "Placeholder", "Exp", "Identity"
    ]  # fmt: skip
    assert graph_checks.check_operations(meta_graph) == 3


def test_recorded_models_are_read() -> None:
    meta_graph = graph_checks.read_meta_graph(
        str(RECORDED / "vae" / "1" / "saved_model.pb")
    )
    assert graph_checks.check_operations(meta_graph) > 100
    signatures = graph_checks.signatures_of(meta_graph)
    names = {"serving_default", "encode", "reconstruct", "score", "decode"}
    names |= {"decode_png", "sample", "sample_png"}
    graph_checks.check_signatures(signatures, dict.fromkeys(names))


def signature(**tensors: tuple[str, list[int]]) -> graph_checks.Signatures:
    """Returns {"f": signature}; names that begin with o are its outputs."""
    made = meta_graph_pb2.SignatureDef()
    for name, (dtype, shape) in tensors.items():
        side = made.outputs if name.startswith("o") else made.inputs
        side[name].dtype = graph_checks.types_pb2.DataType.Value(dtype)
        for size in shape:
            side[name].tensor_shape.dim.add(size=size)
    return {"f": made}


FLOATS = ("DT_FLOAT", [-1, 3])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"o": FLOATS}, "signature f has no input"),
        ({"x": ("DT_INT64", []), "o": FLOATS}, r"x of signature f has shape "),
        ({"x": ("DT_FLOAT", [4, 3]), "o": FLOATS}, r"has shape \[4, 3\]"),
        ({"x": FLOATS, "o": ("DT_FLOAT", [])}, r"o of signature f has shape"),
        ({"x": FLOATS, "o": ("DT_FLOAT", [-1, -1])}, r"and no other, must be"),
        (
            {"x": ("DT_HALF", [-1]), "o": FLOATS},
            "x of .* is DT_HALF; REST carr",
        ),
        ({"x": FLOATS, "o": ("DT_STRING", [-1])}, "ends in _bytes"),
        ({"x": FLOATS, "o_bytes": FLOATS}, "ends in _bytes"),
    ],
)
def test_what_rest_or_batching_cannot_carry_is_refused(
    tensors: dict[str, tuple[str, list[int]]], message: str
) -> None:
    with pytest.raises(FailedError, match=message):
        graph_checks.check_signatures(signature(**tensors), {"f": None})


def test_names_must_be_those_that_were_meant() -> None:
    good = signature(x=FLOATS, o_bytes=("DT_STRING", [-1]))
    graph_checks.check_signatures(good, {"f": None})
    with pytest.raises(FailedError, match=r"are \['f'\], not \['f', 'g'\]"):
        graph_checks.check_signatures(good, {"f": None, "g": None})
