"""Requests over gRPC, in the protocol buffers of TensorFlow Serving."""

import asyncio
import concurrent.futures
import pathlib
from typing import Any

import grpc

from export import tensors
from export.client.address import Address, Security, Target
from export.client.errors import (
    BadAnswer,
    ClientError,
    ConnectionFailed,
    server_error,
)
from export.client.servable import Arrays, Signature
from export.client.transport import MOST_ANSWER_BYTES, Metadata
from export.codes import Code
from export.protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tfvae.errors import InputError

SIGNATURES = "signature_def"
OPTIONS = (
    # The default, 4 MiB, is less than a batch of images.
    ("grpc.max_receive_message_length", MOST_ANSWER_BYTES),
    ("grpc.max_send_message_length", -1),
    # No proxy that an environment variable names, as over REST.
    ("grpc.enable_http_proxy", 0),
    # Another client's lost connection is none of this one's business.
    ("grpc.use_local_subchannel_pool", 1),
    # A further try is to be a new connection: by default, none is made for a
    # second after one that failed.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
# How gRPC's own words begin, which come from no server: before anything was
# sent, and after.
NOT_CONNECTED = ("failed to connect", "DNS resolution failed", "empty address")
LOST = (
    "Socket closed",
    "Stream removed",
    "recvmsg",
    "Connection reset",
    "Broken pipe",
    "GOAWAY",
)
NOT_READ = "Exception deserializing response!"


class GrpcTransport:
    """See `Transport`.

    Args:
      address: of scheme grpc or grpcs.
      security: headers and certificates.
    """

    def __init__(self, address: Address, security: Security) -> None:
        self._address = address
        self._metadata = [
            (name.lower(), value) for name, value in security.headers.items()
        ]
        if address.is_secure:
            self._channel = grpc.secure_channel(
                address.netloc, _credentials(security), options=OPTIONS
            )
        else:
            self._channel = grpc.insecure_channel(
                address.netloc, options=OPTIONS
            )
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel
        )
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    async def predict(
        self,
        target: Target,
        signature: Signature,
        inputs: Arrays,
        *,
        timeout: float,
    ) -> Arrays:
        """See `Transport.predict`."""
        request = predict_pb2.PredictRequest(model_spec=_spec(target))
        request.model_spec.signature_name = signature.name
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(
                tensors.to_proto(array, as_content=True)
            )
        response = await self._send(
            self._predictions.Predict, request, timeout=timeout
        )
        try:
            return {
                name: tensors.to_array(proto)
                for name, proto in response.outputs.items()
            }
        except ValueError as error:
            raise BadAnswer(f"a tensor that cannot be read: {error}") from error

    async def metadata(self, target: Target, *, timeout: float) -> Metadata:
        """See `Transport.metadata`."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=_spec(target), metadata_field=[SIGNATURES]
        )
        response = await self._send(
            self._predictions.GetModelMetadata, request, timeout=timeout
        )
        found = get_model_metadata_pb2.SignatureDefMap()
        if not response.metadata[SIGNATURES].Unpack(found):
            raise BadAnswer("metadata without signatures")
        return Metadata(response.model_spec, found)

    async def status(
        self, target: Target, *, timeout: float
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """See `Transport.status`."""
        request = get_model_status_pb2.GetModelStatusRequest(
            model_spec=_spec(target)
        )
        return await self._send(
            self._models.GetModelStatus, request, timeout=timeout
        )

    async def close(self) -> None:
        """See `Transport.close`."""
        self._channel.close()

    async def _send(self, method: Any, request: Any, *, timeout: float) -> Any:
        call = method.future(request, timeout=timeout, metadata=self._metadata)
        done: concurrent.futures.Future = concurrent.futures.Future()
        call.add_done_callback(done.set_result)
        try:
            # Shielded: gRPC sets the result whether or not it is waited for.
            await asyncio.shield(asyncio.wrap_future(done))
        finally:
            call.cancel()
        if call.code() != grpc.StatusCode.OK:
            raise self._failure(call)
        return call.result()

    def _failure(self, call: Any) -> ClientError:
        code, details = Code(call.code().value[0]), call.details() or ""
        if code == Code.UNAVAILABLE and details.startswith(NOT_CONNECTED):
            return ConnectionFailed(
                f"cannot connect to {self._address}: {details}", may_retry=True
            )
        if code == Code.UNAVAILABLE and details.startswith(LOST):
            return ConnectionFailed(
                f"lost the connection to {self._address}: {details}",
                may_retry=False,
            )
        if details.startswith(NOT_READ):
            return BadAnswer(f"{self._address} does not speak this service")
        return server_error(code, details)


def _spec(target: Target) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=target.name)
    if target.version is not None:
        spec.version.value = target.version
    if target.label:
        spec.version_label = target.label
    return spec


def _credentials(security: Security) -> grpc.ChannelCredentials:
    paths = (security.ca, security.key, security.cert)
    try:
        ca, key, cert = (
            pathlib.Path(path).read_bytes() if path else None for path in paths
        )
    except OSError as error:
        raise InputError(
            f"`ca`, `cert` and `key` must be files of PEM: {error}."
        ) from error
    return grpc.ssl_channel_credentials(ca, key, cert)
