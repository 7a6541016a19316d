"""Requests over HTTP, in the REST form of TensorFlow Serving."""

import ssl
import urllib.parse
from http import HTTPStatus
from typing import Any

import httpx

from export.client import rest_json
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
)
from tfvae.errors import InputError

# Statuses that the server makes of several codes stand for the commonest.
CODES: dict[int, Code] = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    409: Code.ABORTED,
    429: Code.RESOURCE_EXHAUSTED,
    499: Code.CANCELLED,
    500: Code.INTERNAL,
    501: Code.UNIMPLEMENTED,
    502: Code.UNAVAILABLE,  # of a proxy; gRPC's http-grpc-status-mapping.md
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
}
# Below the five seconds after which common servers close an idle connection,
# so that none is closed just as the next request is sent.
IDLE_SECONDS = 2.0
# Of the time that is left: a connection that is given up from outside, while
# encryption is agreed on, is not closed by the library.
CONNECT_SHARE = 0.9
# What answers that are no HTTP raise, and how the words of these begin where
# a connection has ended instead.
NOT_HTTP = (httpx.RemoteProtocolError, httpx.DecodingError)
ENDED = ("Server disconnected", "peer closed connection")


class RestTransport:
    """See `Transport`.

    Args:
      address: of scheme http or https.
      security: headers and certificates.
    """

    def __init__(self, address: Address, security: Security) -> None:
        self._address = address
        headers = {"Accept-Encoding": "identity", **security.headers}
        self._http = httpx.AsyncClient(
            headers=headers,
            # Without encryption there is nothing to verify, and reading the
            # system's certificates takes time.
            verify=address.is_secure and _ssl_context(security),
            limits=httpx.Limits(keepalive_expiry=IDLE_SECONDS),
            # Requests, and what their headers say, go to that address alone,
            # not to a proxy that some environment variable names.
            trust_env=False,
        )

    async def predict(
        self,
        target: Target,
        signature: Signature,
        inputs: Arrays,
        *,
        timeout: float,
    ) -> Arrays:
        """See `Transport.predict`."""
        body = rest_json.write_request(signature, inputs)
        path = f"{_path(target)}:predict"
        return rest_json.read_answer(
            signature, await self._send("POST", path, timeout, body)
        )

    async def metadata(self, target: Target, *, timeout: float) -> Metadata:
        """See `Transport.metadata`."""
        path = f"{_path(target)}/metadata"
        body = await self._send("GET", path, timeout)
        answer = rest_json.read_object(body)
        found: Any = answer.get("metadata")
        found = found.get("signature_def") if isinstance(found, dict) else None
        if found is None:
            raise BadAnswer("metadata without signatures")
        return Metadata(
            rest_json.read_message(
                answer.get("model_spec", {}), model_pb2.ModelSpec()
            ),
            rest_json.read_message(
                found, get_model_metadata_pb2.SignatureDefMap()
            ),
        )

    async def status(
        self, target: Target, *, timeout: float
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """See `Transport.status`."""
        body = await self._send("GET", _path(target), timeout)
        found = rest_json.read_object(body)
        if "model_version_status" not in found:
            raise BadAnswer("a status without versions")
        into = get_model_status_pb2.GetModelStatusResponse()
        return rest_json.read_message(found, into)

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._http.aclose()

    async def _send(
        self,
        method: str,
        path: str,
        timeout: float,
        body: bytes | None = None,
    ) -> bytes:
        """Returns the body of an answer whose status is 200."""
        url = f"{self._address}{path}"
        # Of the call as a whole, not of a read: the caller sees to it.
        limits = httpx.Timeout(None, connect=CONNECT_SHARE * timeout)
        try:
            async with self._http.stream(
                method, url, content=body, timeout=limits
            ) as response:
                answer = await _read(response)
        # What TLS tells after the handshake, the library passes on as it is.
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise self._failure(error) from error
        if response.has_redirect_location:
            raise BadAnswer(
                f"{self._address} redirects to "
                f"{response.headers['location']!r}; use that address"
            )
        if response.status_code != HTTPStatus.OK:
            raise _refusal(response.status_code, answer)
        return answer

    def _failure(self, error: httpx.HTTPError | ssl.SSLError) -> ClientError:
        words = str(error) or type(error).__name__
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            cause = _system_error(error)
            return ConnectionFailed(
                f"cannot connect to {self._address}: {cause or words}",
                # Another try cannot make a certificate good.
                may_retry=not isinstance(cause, ssl.SSLError),
            )
        is_garbage = isinstance(error, NOT_HTTP)
        if is_garbage and not words.startswith(ENDED):
            return BadAnswer(f"{self._address} does not speak HTTP: {words}")
        return ConnectionFailed(
            f"lost the connection to {self._address}: {words}", may_retry=False
        )


async def _read(response: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MOST_ANSWER_BYTES:
            raise BadAnswer(f"an answer of more than {MOST_ANSWER_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _refusal(status: int, answer: bytes) -> ClientError:
    """Returns the error of a status that is not 200."""
    code = CODES.get(status)
    if code is None:
        is_client_s = 400 <= status < 500
        code = Code.INVALID_ARGUMENT if is_client_s else Code.UNKNOWN
    try:
        message = rest_json.read_object(answer).get("error")
    except BadAnswer:
        message = None
    if not isinstance(message, str):
        message = f"HTTP status {status}, without a model server's words"
    return server_error(code, message)


def _path(target: Target) -> str:
    path = f"/v1/models/{urllib.parse.quote(target.name, safe='')}"
    if target.version is not None:
        return f"{path}/versions/{target.version}"
    if target.label:
        return f"{path}/labels/{urllib.parse.quote(target.label, safe='')}"
    return path


def _ssl_context(security: Security) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=security.ca or None)
        if security.cert:
            context.load_cert_chain(security.cert, security.key)
    except OSError as error:  # ssl.SSLError too
        files = ", ".join(
            filter(None, [security.ca, security.cert, security.key])
        )
        raise InputError(
            f"`ca`, `cert` and `key` must be files of PEM: {files}: {error}."
        ) from error
    return context


def _system_error(error: BaseException | None) -> OSError | None:
    """Returns what the system said, of which the libraries say less."""
    found = None
    while error is not None:
        if isinstance(error, OSError):
            found = error
        error = error.__cause__ or error.__context__
    return found
