"""One signature's answer, on the recorded models."""

import numpy as np
import pytest
import tensorflow as tf

from export.codes import Code
from export.protos import meta_graph_pb2
from export.server.errors import ServingError
from export.server.metrics import Metrics
from export.server.predict import predict
from export.server.servable import Servable
from export.tensors import to_proto
from tests.export.server import served_models

Z = np.array([[0.1, -0.2, 0.3], [1, 0, -1], [2, 2, 2], [0, 0, 0]], np.float32)


def _refusal(servable: Servable, **arguments: object) -> tuple[Code, str]:
    arguments = {"signature_name": "", "inputs": {}, **arguments}
    with pytest.raises(ServingError) as caught:
        predict(servable, **arguments)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize("signature_name", ["", "serving_default", "decode"])
def test_values_are_those_of_the_saved_model(signature_name: str) -> None:
    servable = served_models.load("decoder")
    outputs = predict(servable, signature_name=signature_name, inputs={"z": Z})
    reference = tf.saved_model.load(servable.folder).signatures["decode"]
    expected = reference(z=tf.constant(Z))["x"].numpy()
    assert outputs.keys() == {"x"}
    assert outputs["x"].shape == (4, 4, 4, 1)
    np.testing.assert_allclose(outputs["x"], expected, rtol=1e-6)


def test_each_output_has_its_own_name() -> None:
    outputs = predict(
        served_models.load("types"),
        signature_name="two",
        inputs={"a": np.array([1, 2, 3], np.float32), "b": np.arange(3)},
    )
    np.testing.assert_array_equal(outputs["total"], [1, 3, 5])
    np.testing.assert_array_equal(outputs["b"], [0, 1, 2])
    assert outputs["b"].dtype == np.int64


def test_only_the_outputs_asked_for_come_in_that_order() -> None:
    servable, seed = served_models.load("decoder"), np.arange(3)
    for output_filter in (["z"], ["x"], ["z", "x"], ["x", "z"]):
        outputs = predict(
            servable,
            signature_name="sample",
            inputs={"seed": seed},
            output_filter=output_filter,
        )
        assert list(outputs) == output_filter
        assert {k: v.ndim for k, v in outputs.items()}.items() <= {
            ("z", 2),
            ("x", 4),
        }


def test_a_signature_without_inputs_is_run() -> None:
    outputs = predict(
        served_models.load("types"), signature_name="no_input", inputs={}
    )
    np.testing.assert_array_equal(outputs["y"], [1.0, 2.0])


@pytest.mark.parametrize(
    ("model", "arguments", "code", "message"),
    [
        (
            "decoder", {"signature_name": "encode"}, Code.FAILED_PRECONDITION,
            'Serving signature key "encode" not found.',
        ),
        (
            "decoder", {}, Code.INVALID_ARGUMENT,
            "input size does not match signature: 0!=1 len({}) != len({z}). "
            "Sent extra: {}. Missing but required: {z}.",
        ),
        (
            "conditional", {"inputs": {"z": Z, "label": Z, "b": Z, "a": Z}},
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 4!=2 len({a,b,label,z}) != "
            "len({label,z}). Sent extra: {a,b}. Missing but required: {}.",
        ),
        (
            "decoder", {"inputs": {"x": Z}}, Code.INVALID_ARGUMENT,
            "Signature input alias: z(feed name: serving_default_z:0) not "
            "found in request and no default value provided. Inputs expected "
            "to be in the request {x}, or default input alias set: ",
        ),
        (
            "decoder", {"inputs": {"z": Z}, "output_filter": ["x", "y"]},
            Code.INVALID_ARGUMENT,
            "output tensor alias not found in signature: y Outputs expected "
            "to be in the set {x}.",
        ),
        (
            "decoder", {"inputs": {"z": Z}, "output_filter": ["x", "x"]},
            Code.INVALID_ARGUMENT, "duplicate output tensor alias: x",
        ),
        (
            "decoder", {"inputs": {"z": Z.astype(np.float64)}},
            Code.INVALID_ARGUMENT,
            "Expects arg[0] to be float but double is provided",
        ),
        (
            "decoder", {"inputs": {"z": np.array([b"a", b"b"], object)}},
            Code.INVALID_ARGUMENT,
            "Expects arg[0] to be float but string is provided",
        ),
    ],
)  # fmt: skip
def test_refusals_have_the_server_s_words(
    model: str, arguments: dict, code: Code, message: str
) -> None:
    refusal = _refusal(served_models.load(model), **arguments)
    assert refusal == (code, message)


@pytest.mark.parametrize(
    ("signature_name", "array", "words"),
    [
        ("matmul", np.ones((2, 5), np.float32), "Matrix size-incompatible"),
        ("checked", np.array([1, 20, 3], np.float32), "x must be below 10"),
    ],
)
def test_operations_refuse_for_themselves(
    signature_name: str, array: np.ndarray, words: str
) -> None:
    code, message = _refusal(
        served_models.load("types"),
        signature_name=signature_name,
        inputs={"x": array},
    )
    assert code == Code.INVALID_ARGUMENT
    assert words in message


def test_declared_shapes_are_not_enforced() -> None:
    array = np.ones((1, 4), np.float32)  # [2, 3] is declared
    outputs = predict(
        served_models.load("types"),
        signature_name="fixed",
        inputs={"x": array},
    )
    np.testing.assert_array_equal(outputs["y"], array)


class _WithDefault:
    """A session of one signature, x + y, that shows what it is fed."""

    def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
        self.feeds = feeds
        assert fetches == ["sum:0"]
        return [feeds["x:0"] + feeds["y:0"]]


def _with_default() -> Servable:
    graph = meta_graph_pb2.MetaGraphDef()
    signature = graph.signature_def["serving_default"]
    signature.inputs["x"].name, signature.inputs["y"].name = "x:0", "y:0"
    signature.outputs["sum"].name = "sum:0"
    signature.defaults["y"].CopyFrom(to_proto(np.array([7.0])))
    return Servable("adder", 3, "", graph, _WithDefault())


def test_an_input_left_out_takes_its_default() -> None:
    x = np.array([1.0, 2.0, 3.0])
    for inputs, expected in (
        ({"x": x}, [8.0, 9.0, 10.0]),
        ({"x": x, "y": x}, [2.0, 4.0, 6.0]),
    ):
        outputs = predict(_with_default(), signature_name="", inputs=inputs)
        np.testing.assert_array_equal(outputs["sum"], expected)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            {},
            "Signature input alias: x(feed name: x:0) not found in request "
            "and no default value provided. Inputs expected to be in the "
            "request {}, or default input alias set: y",
        ),
        (
            {"x": Z, "a": Z},
            "Inputs contains invalid name. Used request inputs: x, request "
            "input: a,x",
        ),
        (
            {"x": Z, "y": Z, "a": Z},
            "input size does not match signature: 3!=2 len({a,x,y}) != "
            "len({x,y}). Sent extra: {a}. Missing but required: {}.",
        ),
    ],
)
def test_a_default_does_not_stand_for_anything_else(
    inputs: dict, message: str
) -> None:
    refusal = _refusal(_with_default(), inputs=inputs)
    assert refusal == (Code.INVALID_ARGUMENT, message)


def test_tensorflow_s_time_is_measured() -> None:
    metrics = Metrics()
    with pytest.raises(ServingError):
        predict(
            served_models.load("decoder"),
            signature_name="",
            inputs={"z": Z[:, :2]},
            metrics=metrics,
        )
    count = ':tensorflow:serving:runtime_latency_count{model_name="decoder"'
    assert count not in metrics.text()
    for _ in range(3):
        predict(
            served_models.load("decoder"),
            signature_name="decode",
            inputs={"z": Z},
            metrics=metrics,
        )
    assert f'{count},API="Predict",runtime="TF1"}} 3\n' in metrics.text()
