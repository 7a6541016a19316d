"""Runs the requests that a version brings along, before it serves others."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from google.protobuf.message import DecodeError

from export.codes import Code
from export.protos import (
    classification_pb2,
    inference_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
    tensor_pb2,
)
from export.server import example_requests, records
from export.server.errors import ServingError, from_os_error
from export.server.metrics import Metrics
from export.server.predict import predict
from export.server.servable import Servable
from export.tensors import to_array

PredictionLog: TypeAlias = prediction_log_pb2.PredictionLog
FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000


def run(servable: Servable, *, iterations: int, metrics: Metrics) -> None:
    """Runs every record of a version's warm-up file; it may have none.

    Args:
      servable: the version; the name of the model in a record is not heeded.
      iterations: how often each record is run.
      metrics: take the time.

    Raises:
      ServingError: a record cannot be read or run, or there are too many.
    """
    path = os.path.join(servable.folder, FILE)
    if not os.path.exists(path):
        return
    start = time.perf_counter()
    for count, log in enumerate(_read(path), start=1):
        for _ in range(iterations):
            _run_log(servable, log)
        if count > MOST_RECORDS:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "Number of warmup records exceeds the maximum "
                f"({MOST_RECORDS}) at {path}",
            )
    metrics.warmup(
        model_path=servable.folder,
        status=Code.OK.name,
        seconds=time.perf_counter() - start,
    )


def _read(path: str) -> Iterator[PredictionLog]:
    """Yields the records of a file."""
    try:
        with open(path, "rb") as file:
            for record in records.read(file):
                yield _parse(record, path=path)
    except OSError as error:
        raise from_os_error(error) from error
    except records.BrokenFileError as error:
        raise ServingError(
            error.code,
            f"{error.message}. Please verify your warmup data is in TFRecord "
            "format.",
        ) from error


def _parse(record: bytes, *, path: str) -> PredictionLog:
    try:
        return PredictionLog.FromString(record)
    except DecodeError as error:
        text = record.decode(errors="replace")
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Failed to parse warmup record: {text} from {path}",
        ) from error


def _run_log(servable: Servable, log: PredictionLog) -> None:
    """Runs one record; an empty one is no request."""
    kind = log.WhichOneof("log_type")
    if kind is None:
        return
    if kind not in RUNS:
        number = log.DESCRIPTOR.fields_by_name[kind].number
        raise ServingError(
            Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {number}"
        )
    RUNS[kind](servable, getattr(log, kind).request)


def _predict(servable: Servable, request: predict_pb2.PredictRequest) -> None:
    predict(
        servable,
        signature_name=request.model_spec.signature_name,
        inputs={
            name: _to_array(proto, name=name)
            for name, proto in request.inputs.items()
        },
        output_filter=request.output_filter,
    )


def _classify(
    servable: Servable, request: classification_pb2.ClassificationRequest
) -> None:
    name = request.model_spec.signature_name
    example_requests.refuse(
        servable, signature_name=name, method=example_requests.CLASSIFY
    )


def _regress(
    servable: Servable, request: regression_pb2.RegressionRequest
) -> None:
    name = request.model_spec.signature_name
    example_requests.refuse(
        servable, signature_name=name, method=example_requests.REGRESS
    )


def _multi_inference(
    servable: Servable, request: inference_pb2.MultiInferenceRequest
) -> None:
    example_requests.refuse_all(servable, request.tasks)


# {the kind of a record: what runs its request}
RUNS: dict[str, Callable[[Servable, Any], None]] = {
    "predict_log": _predict,
    "classify_log": _classify,
    "regress_log": _regress,
    "multi_inference_log": _multi_inference,
}


def _to_array(proto: tensor_pb2.TensorProto, *, name: str) -> np.ndarray:
    try:
        return to_array(proto)
    except ValueError as error:
        raise ServingError(
            Code.INVALID_ARGUMENT, f"tensor parsing error: {name}"
        ) from error
