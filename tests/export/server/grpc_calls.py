"""A gRPC server over given models, and the calls that tests make."""

import contextlib
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np

from export.protos import predict_pb2
from export.server import grpc_server
from export.server.metrics import Metrics
from export.tensors import to_proto
from tests.export.server.served_models import HeldModels


@contextlib.contextmanager
def served(
    manager: HeldModels, *, metrics: Metrics | None = None, **settings: Any
) -> Iterator[grpc.Channel]:
    """Serves models; yields a channel to them."""
    server = grpc_server.start(
        manager, metrics=metrics or Metrics(), **settings
    )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield channel
    finally:
        server.close()


def predict_request(
    name: str, signature_name: str = "", **inputs: np.ndarray
) -> predict_pb2.PredictRequest:
    """Returns a request for the newest version of a model."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature_name
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(to_proto(value))
    return request


def refusal(call: Any, request: Any) -> tuple[str, str]:
    """Returns the status code's name and the words of a refused call."""
    try:
        call(request, timeout=30)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    raise AssertionError("the call was answered")
