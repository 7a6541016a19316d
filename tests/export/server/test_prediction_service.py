"""Predictions over real gRPC channels."""

import functools
from collections.abc import Callable, Iterator

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from export.protos import (
    classification_pb2,
    meta_graph_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
    tensor_pb2,
)
from export.server.metrics import Metrics
from export.server.prediction_service import signature_map
from export.server.servable import Servable
from export.tensors import to_proto
from tests.export.server import served_models
from tests.export.server.grpc_calls import predict_request, refusal, served

NAMES = ("decoder", "conditional", "vae", "types")
Stub = prediction_service_pb2_grpc.PredictionServiceStub


class _Server:
    """What a test needs of a running server."""

    def __init__(self, manager: object, metrics: Metrics, stub: Stub) -> None:
        self.manager, self.metrics, self.stub = manager, metrics, stub


@pytest.fixture(scope="module")
def server() -> Iterator[_Server]:
    manager = served_models.HeldModels(*map(served_models.load, NAMES))
    metrics = Metrics()
    with served(manager, metrics=metrics) as channel:
        yield _Server(manager, metrics, Stub(channel))


def _arrays(response: predict_pb2.PredictResponse) -> dict[str, np.ndarray]:
    return {k: tf.make_ndarray(v) for k, v in response.outputs.items()}


@functools.cache
def _loaded(folder: str) -> tf.Module:
    return tf.saved_model.load(folder)


def _check_values(
    server: _Server, *, model: str, signature_name: str, **inputs: np.ndarray
) -> None:
    """Compares an answer with that of TensorFlow's Python."""
    request = predict_request(model, signature_name, **inputs)
    outputs = _arrays(server.stub.Predict(request))
    call = _loaded(served_models.load(model).folder).signatures[signature_name]
    expected = call(**{k: tf.constant(v) for k, v in inputs.items()})
    assert outputs.keys() == expected.keys()
    for name, array in expected.items():
        assert outputs[name].dtype == array.numpy().dtype
        if array.dtype == tf.string:
            np.testing.assert_array_equal(outputs[name], array.numpy())
        else:
            np.testing.assert_allclose(outputs[name], array, rtol=1e-5)


def test_values_are_those_of_the_saved_models(server: _Server) -> None:
    seed, label = np.array([3, -1, 2**40]), np.array([4, 0, 2])
    x = np.random.RandomState(0).rand(3, 4, 4, 1).astype(np.float32)
    _check_values(server, model="decoder", signature_name="sample", seed=seed)
    _check_values(
        server, model="decoder", signature_name="sample_png", seed=seed
    )
    _check_values(
        server,
        model="conditional",
        signature_name="sample",
        seed=seed,
        label=label,
    )
    _check_values(server, model="vae", signature_name="encode", x=x)
    _check_values(server, model="vae", signature_name="score", x=x, seed=seed)


@pytest.mark.parametrize(
    ("signature_name", "array"),
    [
        ("half", np.array([1.5, -2, 3], np.float16)),
        ("bfloat16", np.array([1.5, -2, 3], ml_dtypes.bfloat16)),
        ("float64", np.array([np.pi, -1e300, np.nan])),
        ("int8", np.array([-128, 127, 3], np.int8)),
        ("uint16", np.array([65535, 0, 3], np.uint16)),
        ("uint64", np.array([2**64 - 1, 0, 3], np.uint64)),
        ("bool", np.array([True, False, True])),
        ("string", np.array([b"\x00\xff", b"", b"a" * 70], object)),
    ],
)
def test_every_type_comes_back(
    server: _Server, signature_name: str, array: np.ndarray
) -> None:
    request = predict_request("types", signature_name, x=array)
    response = server.stub.Predict(request)
    assert not response.outputs["y"].tensor_content
    np.testing.assert_array_equal(
        _arrays(response)["y"], array, strict=array.dtype != object
    )


def test_types_that_rest_cannot_write_are_answered(server: _Server) -> None:
    x = np.array([1.5, -2, 3], np.float32)
    for signature_name, dtype in (
        ("half_out", np.float16),
        ("bfloat16_out", ml_dtypes.bfloat16),
        ("complex_out", np.complex64),
    ):
        request = predict_request("types", signature_name, x=x)
        (y,) = _arrays(server.stub.Predict(request)).values()
        np.testing.assert_array_equal(y, x.astype(dtype), strict=True)


def test_the_answer_names_model_signature_and_version(server: _Server) -> None:
    request = predict_request("decoder", z=np.zeros((3, 3), np.float32))
    request.model_spec.version_label = "stable"
    assert server.stub.Predict(request).model_spec == model_pb2.ModelSpec(
        name="decoder", signature_name="serving_default", version={"value": 1}
    )
    request.model_spec.signature_name = "decode"
    spec = server.stub.Predict(request).model_spec
    assert spec.signature_name == "decode"


def test_version_and_label_reach_the_manager(server: _Server) -> None:
    request = predict_request("decoder", "sample", seed=np.arange(3))
    for version, label in ((None, None), (0, None), (5, None), (None, "a")):
        if version is not None:
            request.model_spec.version.value = version
        if label is not None:
            request.model_spec.version_label = label
        server.stub.Predict(request)
        assert server.manager.asked[-1] == ("decoder", version, label)


def test_the_model_is_held_until_the_answer(server: _Server) -> None:
    server.stub.Predict(predict_request("decoder", "sample", seed=np.arange(3)))
    assert server.manager.held == []


def test_the_output_filter_chooses(server: _Server) -> None:
    request = predict_request("decoder", "sample", seed=np.arange(3))
    request.output_filter.append("z")
    assert _arrays(server.stub.Predict(request)).keys() == {"z"}
    request.output_filter.append("y")
    code, words = refusal(server.stub.Predict, request)
    assert code == "INVALID_ARGUMENT"
    assert words.startswith("output tensor alias not found in signature: y")


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (
            predict_pb2.PredictRequest(), "INVALID_ARGUMENT",
            "Missing ModelSpec",
        ),
        (
            predict_request(""), "INVALID_ARGUMENT",
            "ModelSpec has no name specified.",
        ),
        (predict_request("nope"), "NOT_FOUND", "no nope"),
        (
            predict_request("decoder", "encode"), "FAILED_PRECONDITION",
            'Serving signature key "encode" not found.',
        ),
        (
            predict_request("decoder", z=np.zeros((3, 3))), "INVALID_ARGUMENT",
            "Expects arg[0] to be float but double is provided",
        ),
    ],
)  # fmt: skip
def test_refusals_have_the_server_s_code_and_words(
    server: _Server, request_: object, code: str, words: str
) -> None:
    assert refusal(server.stub.Predict, request_) == (code, words)


def test_a_tensor_is_read_once_its_signature_is_known(server: _Server) -> None:
    cut = tensor_pb2.TensorProto(dtype=1, tensor_content=b"123")
    cut.tensor_shape.dim.add(size=3)
    request = predict_request("decoder")
    request.inputs["z"].CopyFrom(cut)
    expected = ("INVALID_ARGUMENT", "tensor parsing error: z")
    assert refusal(server.stub.Predict, request) == expected
    request.model_spec.signature_name = "encode"
    assert refusal(server.stub.Predict, request)[0] == "FAILED_PRECONDITION"


def test_an_input_s_default_is_used() -> None:
    graph = meta_graph_pb2.MetaGraphDef()
    signature = graph.signature_def["serving_default"]
    signature.inputs["x"].name, signature.inputs["y"].name = "x:0", "y:0"
    signature.outputs["y"].name = "y:0"
    signature.defaults["y"].CopyFrom(to_proto(np.array([7.5, 8, 9])))

    class Echo:
        def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
            return [feeds[name] for name in fetches]

    echo = Servable("echo", 3, "", graph, Echo())
    with served(served_models.HeldModels(echo)) as channel:
        request = predict_request("echo", x=np.zeros(3))
        response = Stub(channel).Predict(request)
        assert _arrays(response)["y"].tolist() == [7.5, 8, 9]
        table = signature_map(echo).signature_def["serving_default"]
        assert set(table.inputs) == {"x", "y"}
        assert not table.defaults


def test_outputs_come_as_content_where_told() -> None:
    x = np.array([1.5, -2, 3], np.float32)
    manager = served_models.HeldModels(served_models.load("types"))
    with served(manager, as_content=True) as channel:
        request = predict_request("types", "uint8_out", x=abs(x))
        y = Stub(channel).Predict(request).outputs["y"]
    assert y.tensor_content == b"\x01\x02\x03"


def _count(server: _Server, status: str) -> int:
    """Returns how many requests for `vae` were answered so."""
    start = f'request_count{{model_name="vae",status="{status}"}} '
    text = server.metrics.text().partition(start)[2]
    return int("0" + text.partition("\n")[0])


def test_predictions_are_counted(server: _Server) -> None:
    good, bad = _count(server, "OK"), _count(server, "FAILED_PRECONDITION")
    server.stub.Predict(predict_request("vae", "sample", seed=np.arange(3)))
    refusal(server.stub.Predict, predict_request("vae", "nope"))
    assert _count(server, "OK") == good + 1
    assert _count(server, "FAILED_PRECONDITION") == bad + 1
    labels = 'model_name="vae",API="Predict",entrypoint="GRPC"'
    assert f"request_latency_count{{{labels}}}" in server.metrics.text()
    assert 'runtime_latency_count{model_name="vae"' in server.metrics.text()


@pytest.mark.parametrize(
    ("api", "make", "words"),
    [
        (
            "Classify", classification_pb2.ClassificationRequest,
            "No classification inputs found in SignatureDef: inputs",
        ),
        (
            "Regress", regression_pb2.RegressionRequest,
            "Expected one output Tensor.",
        ),
    ],
)  # fmt: skip
def test_examples_are_refused_and_counted(
    server: _Server, api: str, make: Callable, words: str
) -> None:
    call = getattr(server.stub, api)
    before = _count(server, "INVALID_ARGUMENT")
    request = make(model_spec=model_pb2.ModelSpec(name="vae"))
    code, found = refusal(call, request)
    assert (code, found[: len(words)]) == ("INVALID_ARGUMENT", words)
    assert _count(server, "INVALID_ARGUMENT") == before + 1
    assert refusal(call, make()) == ("INVALID_ARGUMENT", "Missing ModelSpec")
