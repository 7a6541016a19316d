"""The toy models behind a real socket, over gRPC."""

import concurrent.futures
import contextlib
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np

from export.protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tests.export.client.toy_models import BOOL, FLOAT, INT64, STRING, Toy


class _Service(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    def __init__(self, toy: Toy) -> None:
        self.toy = toy

    def Predict(self, request: Any, context: Any) -> Any:
        self._look(context)
        if self.toy.refusals:
            _, code, words = self.toy.refusals.pop(0)
            context.abort(code, words)
        spec = request.model_spec
        inputs = {
            name: _from_proto(proto) for name, proto in request.inputs.items()
        }
        version = {"version": f"versions/{spec.version.value}"}.get(
            spec.WhichOneof("version_choice") or "",
            f"labels/{spec.version_label}" if spec.version_label else "",
        )
        _, found = self.toy.call(
            spec.name, version, spec.signature_name, inputs
        )
        response = predict_pb2.PredictResponse()
        for name, array in found.items():
            _fill(response.outputs[name], array)
        return response

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        self._look(context)
        assert list(request.metadata_field) == ["signature_def"]
        name = request.model_spec.name
        if name not in self.toy.models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no {name}")
        self.toy.metadata_seen.append(name)
        found = get_model_metadata_pb2.SignatureDefMap()
        for signature, (inputs, outputs, _) in self.toy.models[name].items():
            made = found.signature_def[signature]
            for specs, infos in (
                (inputs, made.inputs), (outputs, made.outputs)
            ):  # fmt: skip
                for of, (kind, shape) in specs.items():
                    infos[of].dtype = {FLOAT: 1, INT64: 9, STRING: 7, BOOL: 10}[
                        kind
                    ]
                    for size in shape:
                        infos[of].tensor_shape.dim.add(size=size)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(found)
        return response

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        self._look(context)
        if request.model_spec.name not in self.toy.models:
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"no {request.model_spec.name}"
            )
        response = get_model_status_pb2.GetModelStatusResponse()
        for version, state, code, message in self.toy.states:
            one = response.model_version_status.add(version=version)
            one.state = get_model_status_pb2.ModelVersionStatus.State.Value(
                state
            )
            one.status.error_code = code
            one.status.error_message = message
        return response

    def _look(self, context: Any) -> None:
        self.toy.headers = dict(context.invocation_metadata())


def _from_proto(proto: Any) -> np.ndarray:
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.dtype == 7:
        array = np.empty(shape[0], object)
        array[:] = list(proto.string_val) or _pieces(proto.tensor_content)
        return array
    dtype = {1: np.float32, 9: np.int64, 10: np.bool_}[proto.dtype]
    return np.frombuffer(proto.tensor_content, dtype).reshape(shape)


def _pieces(content: bytes) -> list[bytes]:
    """Returns strings of fewer than 128 bytes each, after their lengths."""
    for count in range(1, len(content)):
        lengths = list(content[:count])
        if count + sum(lengths) == len(content):
            found, place = [], count
            for length in lengths:
                found.append(content[place : place + length])
                place += length
            return found
    return [b""]


def _fill(proto: Any, array: np.ndarray) -> None:
    number, field = {
        "f": (1, "float_val"), "i": (9, "int64_val"), "O": (7, "string_val"),
        "b": (10, "bool_val"),
    }[array.dtype.kind]  # fmt: skip
    proto.dtype = number
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, field).extend(array.reshape(-1).tolist())


@contextlib.contextmanager
def over_grpc(toy: Toy, *, port: int = 0) -> Iterator[str]:
    """Yields the URL at which a toy is served over gRPC."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        server = grpc.server(
            pool, options=[("grpc.max_send_message_length", -1)]
        )
        service = _Service(toy)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            service, server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            service, server
        )
        port = server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        try:
            yield f"grpc://127.0.0.1:{port}"
        finally:
            server.stop(None).wait()
