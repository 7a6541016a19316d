"""Every malformed request over gRPC gets a status and one clear line."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from export.protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    tensor_pb2,
)
from tests.malformed_requests.answers import Ports

PREDICTIONS = "/tensorflow.serving.PredictionService/"
MODELS = "/tensorflow.serving.ModelService/"
INVALID, MISSING = "INVALID_ARGUMENT", "NOT_FOUND"
NO_MESSAGE = ("INTERNAL", "Exception deserializing request!")
UNREADABLE = (INVALID, "tensor parsing error: z")
Z = [0.1, -0.2, 0.3]


def _tensor(*sizes: int, dtype: int = 1, **values: Any) -> dict[str, Any]:
    dims = [{"size": size} for size in sizes]
    values = values or {"float_val": Z}
    return {"dtype": dtype, "tensor_shape": {"dim": dims}, **values}


def _predict(spec: dict[str, Any] | None = None, **inputs: Any) -> bytes:
    spec = {"name": "decoder"} if spec is None else spec
    tensors = {k: tensor_pb2.TensorProto(**v) for k, v in inputs.items()}
    request = predict_pb2.PredictRequest(model_spec=spec, inputs=tensors)
    return request.SerializeToString()


GOOD = _predict(z=_tensor(1, 3))
NAMED = _predict(QQQQ=_tensor(1, 3))

# (name, request, status, words)
PREDICT: tuple[tuple[str, bytes, str, str], ...] = (
    ("nothing", b"", INVALID, "Missing ModelSpec"),
    ("no message", b"\xff\xff\xff\xff", *NO_MESSAGE),
    ("JSON", b'{"instances": [1]}', *NO_MESSAGE),
    ("cut short", GOOD[:-3], *NO_MESSAGE),
    ("length lies", GOOD.replace(b"decoder", b"decode"), *NO_MESSAGE),
    ("name of no UTF-8", NAMED.replace(b"QQQQ", b"\xff" * 4), *NO_MESSAGE),
    ("model of no UTF-8", GOOD.replace(b"decoder", b"\xff" * 7), *NO_MESSAGE),
    ("deep groups", b"\x1b" * 10_000, *NO_MESSAGE),
    ("no name", _predict({"signature_name": "decode"}), INVALID,
     "ModelSpec has no name specified."),
    ("unknown model", _predict({"name": "no"}), MISSING, "Latest(no)"),
    ("long name", _predict({"name": "a" * 10**5}), MISSING, "TRUNCATED"),
    ("unknown version", _predict({"name": "decoder", "version": {"value": 9}}),
     MISSING, "Specific(decoder, 9)"),
    ("version below 0", _predict({"name": "decoder", "version": {"value": -9}}),
     MISSING, "Specific(decoder, -9)"),
    ("unknown label", _predict({"name": "decoder", "version_label": "no"}),
     INVALID, "Unrecognized servable version label: no"),
    ("unknown signature", _predict({"name": "decoder", "signature_name": "a"}),
     "FAILED_PRECONDITION", 'Serving signature key "a" not found.'),
    ("no inputs", _predict(), INVALID, "Missing but required: {z}."),
    ("two inputs", _predict(z=_tensor(1, 3), x=_tensor(1)), INVALID,
     "Sent extra: {x}."),
    ("another input", _predict(x=_tensor(1, 3)), INVALID, "alias: z(feed name"),
    ("an odd name", _predict(**{"\0\n": _tensor(1, 3)}), INVALID, "alias: z("),
    ("a long name", _predict(**{"n" * 10**5: _tensor(1)}), INVALID, "alias: z"),
    ("size below 0", _predict(z=_tensor(-1, 3)), *UNREADABLE),
    ("size of 2^40", _predict(z=_tensor(2**40, 3)), *UNREADABLE),
    ("size of 2^63", _predict(z=_tensor(2**62, 4)), *UNREADABLE),
    ("size of 2^62 and 0", _predict(z=_tensor(2**62, 0)), *UNREADABLE),
    ("one value for 1 GB", _predict(z=_tensor(2**28, float_val=[7])),
     *UNREADABLE),
    ("one string for 1 GB", _predict(z=_tensor(2**28, dtype=7,
     string_val=[b"a"])), *UNREADABLE),
    ("no value for 1 TB", _predict(z=_tensor(2**40, dtype=4, int_val=[])),
     *UNREADABLE),
    ("65 dimensions", _predict(z=_tensor(*[1] * 65)), *UNREADABLE),
    ("10000 dimensions", _predict(z=_tensor(*[1] * 10_000)), *UNREADABLE),
    ("unknown rank", _predict(z={"dtype": 1, "float_val": Z,
     "tensor_shape": {"unknown_rank": True}}), *UNREADABLE),
    ("no type", _predict(z=_tensor(1, 3, dtype=0)), *UNREADABLE),
    ("unknown type", _predict(z=_tensor(1, 3, dtype=99)), *UNREADABLE),
    ("a reference", _predict(z=_tensor(1, 3, dtype=101)), *UNREADABLE),
    ("a resource", _predict(z=_tensor(1, 3, dtype=20)), *UNREADABLE),
    ("a variant", _predict(z=_tensor(1, 3, dtype=21)), *UNREADABLE),
    ("a quantised type", _predict(z=_tensor(1, 3, dtype=11)), *UNREADABLE),
    ("content too short", _predict(z=_tensor(1, 3, tensor_content=b"abc")),
     *UNREADABLE),
    ("content too long", _predict(z=_tensor(1, 3, tensor_content=bytes(99))),
     *UNREADABLE),
    ("strings without an end", _predict(z=_tensor(2, dtype=7,
     tensor_content=b"\xff" * 99)), *UNREADABLE),
    ("strings too short", _predict(z=_tensor(2, dtype=7,
     tensor_content=b"\x09\x09a")), *UNREADABLE),
    ("doubles", _predict(z=_tensor(1, 3, dtype=2, double_val=Z)), INVALID,
     "Expects arg[0] to be float but double is provided"),
    ("strings", _predict(z=_tensor(1, 3, dtype=7, string_val=[b"a"])), INVALID,
     "Expects arg[0] to be float but string is provided"),
    ("halves", _predict(z=_tensor(1, 3, dtype=19, half_val=[-5, 70_000, 3])),
     INVALID, "Expects arg[0] to be float but half is provided"),
    ("a scalar", _predict(z=_tensor()), INVALID, "In[0] is not a matrix"),
    ("33 dimensions", _predict(z=_tensor(*[1] * 33)), INVALID, "not a matrix"),
    ("too narrow", _predict(z=_tensor(1, 2)), INVALID, "size-incompatible"),
    ("no width", _predict(z=_tensor(2**40, 0)), INVALID, "size-incompatible"),
)  # fmt: skip


def _other(method: str, kind: Any, **fields: Any) -> tuple[str, bytes]:
    return method, kind(**fields).SerializeToString()


METADATA = get_model_metadata_pb2.GetModelMetadataRequest
STATUS = get_model_status_pb2.GetModelStatusRequest
RELOAD = model_management_pb2.ReloadConfigRequest
TASKS = inference_pb2.MultiInferenceRequest
SPEC = {"name": "decoder"}
# (name, (method, request), status, words)
OTHERS: tuple[tuple[str, tuple[str, bytes], str, str], ...] = (
    ("metadata of nothing", (f"{PREDICTIONS}GetModelMetadata", b""), INVALID,
     "Missing ModelSpec"),
    ("metadata of junk", (f"{PREDICTIONS}GetModelMetadata", b"\xff"),
     *NO_MESSAGE),
    ("no field", _other(f"{PREDICTIONS}GetModelMetadata", METADATA,
     model_spec=SPEC), INVALID, "must specify at least one metadata_field"),
    ("unknown field", _other(f"{PREDICTIONS}GetModelMetadata", METADATA,
     model_spec=SPEC, metadata_field=["a"]), INVALID, "is not supporteda"),
    ("metadata of none", _other(f"{PREDICTIONS}GetModelMetadata", METADATA,
     model_spec={"name": "no"}, metadata_field=["signature_def"]), MISSING,
     "Latest(no)"),
    ("status of nothing", (f"{MODELS}GetModelStatus", b""), INVALID,
     "Missing ModelSpec"),
    ("status of junk", (f"{MODELS}GetModelStatus", b"\x0a\xff"), *NO_MESSAGE),
    ("status of none", _other(f"{MODELS}GetModelStatus", STATUS,
     model_spec={"name": "\0"}), MISSING, "Could not find any versions of"),
    ("status of a version", _other(f"{MODELS}GetModelStatus", STATUS,
     model_spec={"name": "decoder", "version": {"value": -(2**63)}}), MISSING,
     "version -9223372036854775808 of model decoder"),
    ("reload of nothing", (f"{MODELS}HandleReloadConfigRequest", b""), INVALID,
     "Only ModelConfigList is currently supported"),
    ("reload of junk", (f"{MODELS}HandleReloadConfigRequest", b"\xff"),
     *NO_MESSAGE),
    ("custom configuration", _other(f"{MODELS}HandleReloadConfigRequest",
     RELOAD, config={"custom_model_config": {"type_url": "a"}}), INVALID,
     "Only ModelConfigList is currently supported"),
    ("classify junk", (f"{PREDICTIONS}Classify", b"\xff"), *NO_MESSAGE),
    ("classify nothing", (f"{PREDICTIONS}Classify", b""), INVALID, "Missing"),
    ("regress nothing", (f"{PREDICTIONS}Regress", b""), INVALID, "Missing"),
    ("no tasks", (f"{PREDICTIONS}MultiInference", b""), INVALID, "no name"),
    ("unknown task", _other(f"{PREDICTIONS}MultiInference", TASKS,
     tasks=[{"model_spec": SPEC, "method_name": "a"}]), "UNIMPLEMENTED",
     "Unsupported signature method_name: a"),
    ("unknown method", (f"{PREDICTIONS}Delete", b""), "UNIMPLEMENTED",
     "Method not found!"),
    ("unknown service", ("/a.b/C", b""), "UNIMPLEMENTED", "Method not found!"),
)  # fmt: skip
CASES = [
    *(
        pytest.param(f"{PREDICTIONS}Predict", *rest, id=name)
        for name, *rest in PREDICT
    ),
    *(pytest.param(*call, *rest, id=name) for name, call, *rest in OTHERS),
]


@pytest.fixture(scope="module")
def channel(ports: Ports) -> Iterator[grpc.Channel]:
    """A connection that all requests share."""
    with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel:
        yield channel


def _send(channel: grpc.Channel, method: str, request: bytes) -> Any:
    """Returns the call, answered or refused."""
    call = channel.unary_unary(method).future(request, timeout=5)
    call.exception()
    return call


@pytest.mark.parametrize(("method", "request_", "status", "words"), CASES)
def test_malformed_message(
    channel: grpc.Channel,
    method: str,
    request_: bytes,
    status: str,
    words: str,
) -> None:
    call = _send(channel, method, request_)
    assert call.code().name == status, call.details()
    assert words in call.details()
    assert "Exception calling application" not in call.details()


def test_a_good_message_is_answered_after_them_all(
    channel: grpc.Channel,
) -> None:
    assert _send(channel, f"{PREDICTIONS}Predict", GOOD).code().name == "OK"
