"""PredictionService: what a model answers, over gRPC."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, NoReturn

import grpc
import numpy as np

from export.codes import Code
from export.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
    tensor_pb2,
)
from export.server import example_requests
from export.server.errors import ServingError
from export.server.grpc_errors import answered
from export.server.manager import Manager
from export.server.metrics import Metrics
from export.server.predict import DEFAULT_SIGNATURE, predict
from export.server.servable import Servable
from export.tensors import to_array, to_proto

SIGNATURES = "signature_def"  # the one metadata field there is


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers as the real server does.

    Args:
      manager: holds the models.
      metrics: take each request.
      as_content: whether outputs are sent as one run of bytes.
    """

    def __init__(
        self, manager: Manager, *, metrics: Metrics, as_content: bool
    ) -> None:
        self._manager, self._metrics = manager, metrics
        self._as_content = as_content

    @answered
    def Predict(
        self,
        request: predict_pb2.PredictRequest,
        context: grpc.ServicerContext,
    ) -> predict_pb2.PredictResponse:
        """Runs a signature."""
        spec = request.model_spec
        with self._counted("Predict", spec), self._use(request) as servable:
            outputs = predict(
                servable,
                signature_name=spec.signature_name,
                inputs=_Inputs(request.inputs),
                output_filter=request.output_filter,
                metrics=self._metrics,
            )
            response = predict_pb2.PredictResponse(
                model_spec=model_pb2.ModelSpec(
                    name=spec.name,
                    signature_name=spec.signature_name or DEFAULT_SIGNATURE,
                    version={"value": servable.version},
                )
            )
            for name, array in outputs.items():
                proto = to_proto(array, as_content=self._as_content)
                response.outputs[name].CopyFrom(proto)
            return response

    @answered
    def GetModelMetadata(
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Tells a model's signatures."""
        _check_spec(request)
        if not request.metadata_field:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "GetModelMetadataRequest must specify at least one "
                "metadata_field",
            )
        for field in request.metadata_field:
            if field != SIGNATURES:
                # The real server leaves its %s unfilled.
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"Metadata field %s is not supported{field}",
                )
        with self._use(request) as servable:
            response = get_model_metadata_pb2.GetModelMetadataResponse(
                model_spec=model_pb2.ModelSpec(
                    name=servable.name, version={"value": servable.version}
                )
            )
            response.metadata[SIGNATURES].Pack(signature_map(servable))
            return response

    @answered
    def Classify(
        self,
        request: classification_pb2.ClassificationRequest,
        context: grpc.ServicerContext,
    ) -> classification_pb2.ClassificationResponse:
        """Refuses."""
        self._refuse("Classify", request, method=example_requests.CLASSIFY)

    @answered
    def Regress(
        self,
        request: regression_pb2.RegressionRequest,
        context: grpc.ServicerContext,
    ) -> regression_pb2.RegressionResponse:
        """Refuses."""
        self._refuse("Regress", request, method=example_requests.REGRESS)

    @answered
    def MultiInference(
        self,
        request: inference_pb2.MultiInferenceRequest,
        context: grpc.ServicerContext,
    ) -> inference_pb2.MultiInferenceResponse:
        """Refuses."""
        first = (*request.tasks, inference_pb2.InferenceTask())[0]
        with _held(self._manager, first.model_spec) as servable:
            example_requests.refuse_all(servable, request.tasks)

    def _refuse(self, api: str, request: Any, *, method: str) -> NoReturn:
        """Refuses a request for a signature that takes examples."""
        spec = request.model_spec
        with self._counted(api, spec), self._use(request) as servable:
            example_requests.refuse(
                servable, signature_name=spec.signature_name, method=method
            )

    def _use(
        self, request: predict_pb2.PredictRequest
    ) -> AbstractContextManager[Servable]:
        """Returns the version that any request asks, held while in use."""
        _check_spec(request)
        return _held(self._manager, request.model_spec)

    @contextlib.contextmanager
    def _counted(self, api: str, spec: model_pb2.ModelSpec) -> Iterator[None]:
        """Counts a request, however it ends."""
        start, code = time.perf_counter(), Code.UNKNOWN
        try:
            yield
            code = Code.OK
        except ServingError as error:
            code = error.code
            raise
        finally:
            self._metrics.request(
                model_name=spec.name,
                entrypoint="GRPC",
                code=code,
                seconds=time.perf_counter() - start,
                api=api,
            )


def signature_map(
    servable: Servable,
) -> get_model_metadata_pb2.SignatureDefMap:
    """Returns a version's signatures as its metadata tell them.

    Defaults of inputs are left out.
    """
    table = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in servable.signatures.items():
        table.signature_def[name].CopyFrom(signature)
        table.signature_def[name].ClearField("defaults")
    return table


class _Inputs(Mapping[str, np.ndarray]):
    """Tensors of a request, each read when it is asked for."""

    def __init__(self, protos: Mapping[str, tensor_pb2.TensorProto]) -> None:
        self._protos = protos

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return to_array(self._protos[name])
        except ValueError as error:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"tensor parsing error: {name}"
            ) from error

    def __contains__(self, name: object) -> bool:
        return name in self._protos

    def __iter__(self) -> Iterator[str]:
        return iter(self._protos)

    def __len__(self) -> int:
        return len(self._protos)


def _check_spec(request: predict_pb2.PredictRequest) -> None:
    if not request.HasField("model_spec"):
        raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")


def _held(
    manager: Manager, spec: model_pb2.ModelSpec
) -> AbstractContextManager[Servable]:
    """Returns the version that a spec names, held while in use."""
    if not spec.name:
        raise ServingError(
            Code.INVALID_ARGUMENT, "ModelSpec has no name specified."
        )
    return manager.use(
        spec.name,
        version=spec.version.value if spec.HasField("version") else None,
        label=spec.version_label if spec.HasField("version_label") else None,
    )
