"""The recorded predictions, asked over gRPC of a server's own process."""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from export.c_api import DTYPES
from export.protos import (
    get_model_metadata_pb2,
    meta_graph_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from export.tensors import to_array, to_proto
from tests.export import recorded_cases
from tests.export.server_process import ServerProcess

pytestmark = pytest.mark.slow
MODES = ("plain", "per_model_batching", "global_batching", "labels")
PATH = re.compile(
    r"/v1/models/(\w+)(?:/versions/(\d{1,9})|/labels/([\w.-]+))?:predict"
)
CODES = {
    "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400,
    "NOT_FOUND": 404, "INTERNAL": 500,
}  # fmt: skip
KINDS = {"f": "iuf", "i": "iu", "u": "iu"}  # of numpy: {wanted: accepted}
FORMS = {"inputs", "instances"}
# What only JSON has no form for.
OF_JSON = re.compile("JSON|^Tensor name: ")
Stub = prediction_service_pb2_grpc.PredictionServiceStub


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """A stub for a fresh server of each mode; all of them start at once."""
    with contextlib.ExitStack() as running:
        servers = {}
        for mode in MODES:
            flags = recorded_cases.flags(mode, tmp_path_factory.mktemp(mode))
            servers[mode] = running.enter_context(ServerProcess(*flags))
        channels = {
            mode: running.enter_context(
                grpc.insecure_channel(server.ready().grpc_address)
            )
            for mode, server in servers.items()
        }
        yield {mode: Stub(channel) for mode, channel in channels.items()}


def _request(case: dict, stub: Stub) -> predict_pb2.PredictRequest | None:
    """Returns a recorded request; None: it is one of REST or JSON alone."""
    path = PATH.fullmatch(case["path"])
    try:
        # Of equal keys the first one counts.
        body = json.loads(
            case.get("body", ""), object_pairs_hook=lambda x: dict(x[::-1])
        )
    except json.JSONDecodeError:
        return None
    if case["method"] != "POST" or path is None or not isinstance(body, dict):
        return None
    request = predict_pb2.PredictRequest()
    request.model_spec.name = path[1]
    if path[2]:
        request.model_spec.version.value = int(path[2])
    elif path[3]:
        request.model_spec.version_label = path[3]
    name = body.get("signature_name") or "serving_default"
    signature = _signatures(stub, request).get(str(name))
    values = body.get("inputs", body.get("instances"))
    if signature is None or not signature.inputs or len(FORMS & set(body)) != 1:
        return None
    request.model_spec.signature_name = name
    if "instances" in body:
        values = _columns(values)
    if not isinstance(values, dict):
        values = dict.fromkeys(signature.inputs, values)
    if values.keys() != set(signature.inputs):
        return None
    for key, value in values.items():
        array = _array(value, signature.inputs[key].dtype)
        if array is None:
            return None
        request.inputs[key].CopyFrom(to_proto(array))
    return request


def _columns(rows: Any) -> Any:
    """Returns rows by input, where they are objects; {}: REST refuses them."""
    if not isinstance(rows, list):
        return {}
    if not isinstance((*rows, 0)[0], dict):
        return rows
    if any(not isinstance(r, dict) or r.keys() != rows[0].keys() for r in rows):
        return {}
    return {key: [row[key] for row in rows] for key in rows[0]}


def _signatures(
    stub: Stub, request: predict_pb2.PredictRequest
) -> dict[str, meta_graph_pb2.SignatureDef]:
    question = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=request.model_spec, metadata_field=["signature_def"]
    )
    table = get_model_metadata_pb2.SignatureDefMap()
    try:
        answer = stub.GetModelMetadata(question)
    except grpc.RpcError:
        return {}
    assert answer.metadata["signature_def"].Unpack(table)
    return dict(table.signature_def)


def _array(value: Any, dtype: int) -> np.ndarray | None:
    """Returns JSON as an array; None: what REST alone refuses or changes."""
    try:
        array = np.array(value)
    except ValueError:  # ragged
        return None
    wanted = np.dtype(DTYPES[dtype])
    if array.size == 0 or array.dtype.kind not in KINDS.get(wanted.kind, ""):
        return None
    with np.errstate(over="ignore"):
        cast = array.astype(wanted)
    return cast if wanted.kind == "f" or (cast == array).all() else None


def _outputs(case: dict) -> dict[str, np.ndarray] | None:
    """Returns recorded numbers; None: there are others among them."""
    (found,) = json.loads(
        case["expect"].get("text") or json.dumps(case["expect"]["json"])
    ).values()
    if isinstance(found, list) and found and isinstance(found[0], dict):
        found = {k: [row[k] for row in found] for k in found[0]}
    if not isinstance(found, dict):
        found = {"": found}
    arrays = {k: np.array(v) for k, v in found.items()}
    if any(array.dtype.kind not in "iuf" for array in arrays.values()):
        return None
    return arrays


def _check_refusal(case: dict, error: grpc.RpcError) -> None:
    assert CODES[error.code().name] == case["expect"]["status"], case["id"]
    if case["expect"]["match"] == "json":
        words = case["expect"]["json"]["error"]
        assert error.details() == words, case["id"]


def _check_answer(case: dict, response: predict_pb2.PredictResponse) -> None:
    expect = case["expect"]
    if expect["status"] != 200:
        assert OF_JSON.search(expect["json"]["error"]), case["id"]
        return
    expected = _outputs(case)
    if expected is None:
        return
    if "" in expected:
        expected = {next(iter(response.outputs)): expected[""]}
    assert response.outputs.keys() == expected.keys(), case["id"]
    for name, proto in response.outputs.items():
        np.testing.assert_allclose(
            to_array(proto), expected[name],
            rtol=1e-5, atol=1e-6, err_msg=case["id"],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "answers", "refusals"),
    [
        ("plain", 95, 10),
        ("per_model_batching", 25, 9),
        ("global_batching", 16, 21),
        ("labels", 7, 0),
    ],
)
def test_recorded_predictions(
    mode: str, answers: int, refusals: int, stubs: dict[str, Stub]
) -> None:
    found = [0, 0]
    for case in recorded_cases.of(mode):
        request = _request(case, stubs[mode])
        if request is None:
            continue
        try:
            response = stubs[mode].Predict(request, timeout=30)
        except grpc.RpcError as error:
            _check_refusal(case, error)
            found[1] += 1
        else:
            _check_answer(case, response)
            found[0] += 1
    assert found == [answers, refusals]
