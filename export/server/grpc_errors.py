"""An error of the server as a status of gRPC."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import grpc

from export.server.errors import TOO_LARGE, ServingError

LONGEST_MESSAGE = 1024  # bytes
STATUS_CODES = {status.value[0]: status for status in grpc.StatusCode}
Response = TypeVar("Response")


def answered(
    method: Callable[..., Response],
) -> Callable[[Any, Any, grpc.ServicerContext], Response]:
    """Lets a method of a service answer its ServingError as gRPC does."""

    @functools.wraps(method)
    def answer(
        self: Any, request: Any, context: grpc.ServicerContext
    ) -> Response:
        try:
            return method(self, request, context)
        except ServingError as error:
            return context.abort(
                STATUS_CODES[error.code], _shortened(error.message)
            )
        except MemoryError:
            return context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, TOO_LARGE)

    return answer


def _shortened(message: str) -> str:
    """Returns a message as the real server cuts it."""
    text = message.encode()
    if len(text) <= LONGEST_MESSAGE:
        return message
    start = text[:LONGEST_MESSAGE].decode(errors="ignore")
    return f"{start}...TRUNCATED"
