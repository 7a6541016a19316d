"""Metadata, and MultiInference, over real gRPC channels."""

from collections.abc import Iterator

import pytest

from export.protos import (
    get_model_metadata_pb2,
    inference_pb2,
    model_pb2,
    prediction_service_pb2_grpc,
)
from tests.export.server import served_models
from tests.export.server.grpc_calls import refusal, served

Stub = prediction_service_pb2_grpc.PredictionServiceStub


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    models = map(served_models.load, ("decoder", "conditional"))
    with served(served_models.HeldModels(*models)) as channel:
        yield Stub(channel)


def _metadata(
    name: str | None, *fields: str
) -> get_model_metadata_pb2.GetModelMetadataRequest:
    spec = None if name is None else model_pb2.ModelSpec(name=name)
    return get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=spec, metadata_field=fields
    )


def test_metadata_tell_the_signatures(stub: Stub) -> None:
    request = _metadata("conditional", "signature_def", "signature_def")
    response = stub.GetModelMetadata(request)
    assert response.model_spec == model_pb2.ModelSpec(
        name="conditional", version={"value": 1}
    )
    table = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(table)
    assert set(table.signature_def) == {
        "serving_default", "decode", "decode_png", "sample", "sample_png",
        "__saved_model_init_op",
    }  # fmt: skip
    signature = table.signature_def["sample"]
    assert set(signature.inputs) == {"seed", "label"}
    assert signature.method_name == "tensorflow/serving/predict"
    sizes = [dim.size for dim in signature.outputs["z"].tensor_shape.dim]
    assert sizes == [-1, 3]


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (_metadata(None), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (
            _metadata("decoder"), "INVALID_ARGUMENT",
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (
            _metadata("decoder", "signature_def", "x"), "INVALID_ARGUMENT",
            "Metadata field %s is not supportedx",
        ),
        (_metadata("nope", "signature_def"), "NOT_FOUND", "no nope"),
    ],
)  # fmt: skip
def test_metadata_refusals(
    stub: Stub, request_: object, code: str, words: str
) -> None:
    assert refusal(stub.GetModelMetadata, request_) == (code, words)


def test_multi_inference_is_refused(stub: Stub) -> None:
    request = inference_pb2.MultiInferenceRequest()
    call = stub.MultiInference
    assert refusal(call, request)[1] == "ModelSpec has no name specified."
    request.tasks.add(model_spec={"name": "decoder"}, method_name="a/b")
    assert refusal(call, request) == (
        "UNIMPLEMENTED", "Unsupported signature method_name: a/b",
    )  # fmt: skip
