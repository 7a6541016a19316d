"""The REST interface of TensorFlow Serving as an ASGI application."""

import asyncio
import concurrent.futures
import dataclasses
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from export.codes import Code
from export.server import local_names, request_body
from export.server.errors import ServingError
from export.server.front import TIMED_OUT, Answer, Front, Request
from export.server.manager import Manager
from export.server.metrics import Metrics

THREADS_PER_CPU = 4
MOST_BODY_BYTES = 2**31 - 1  # as gRPC
MOST_SKIPPED_BYTES = 1 << 28  # of a larger one
TOO_LARGE, ELSEWHERE, OTHER_HTTP = 413, 403, 400
VERSIONS = ("1.0", "1.1")
ENDING = "The server is ending"
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def make_app(
    manager: Manager,
    *,
    metrics: Metrics,
    metrics_path: str | None = None,
    cors: bool = False,
    timeout_seconds: float = 30.0,
    max_request_bytes: int = MOST_BODY_BYTES,
    is_local: bool = False,
    pages: Mapping[str, tuple[str, bytes]] | None = None,
    num_threads: int | None = None,
) -> App:
    """Returns an ASGI application.

    Args:
      manager: of the models.
      metrics: count the requests.
      metrics_path: where the metrics are shown; None: nowhere.
      cors: whether pages of other origins may ask.
      timeout_seconds: until a prediction is given up with 504; 0: never.
      max_request_bytes: a larger body is refused with 413.
      is_local: whether only this machine can ask; a request to another name
        then comes from a page that took its own for ours, and gets 403.
      pages: more to show, {path: (content type, body)}.
      num_threads: that answer requests; None: four for each processor.
    """
    front = Front(
        manager=manager,
        metrics=metrics,
        metrics_path=metrics_path,
        cors=cors,
        timeout_seconds=timeout_seconds,
        pages=pages or {},
    )
    threads = concurrent.futures.ThreadPoolExecutor(
        num_threads or THREADS_PER_CPU * (os.cpu_count() or 1),
        thread_name_prefix="rest",
    )

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        try:
            _check_head(scope, is_local=is_local)
            body = await _read(receive, most=max_request_bytes)
            answer = await _answer(front, scope, body, threads=threads)
        except _GoneError:
            return
        except asyncio.CancelledError:
            answer = front.refuse(ServingError(Code.UNAVAILABLE, ENDING))
        except _RefusedError as refusal:
            answer = front.refuse(refusal, status=refusal.status)
            headers = {**answer.headers, "connection": "close"}
            answer = dataclasses.replace(answer, headers=headers)
        await _send(send, answer)

    return app


class _GoneError(Exception):
    """The client has left in the midst of its request."""


class _RefusedError(ServingError):
    """A request that is refused before it is looked at.

    Args:
      status: of HTTP.
      code: that stands for it.
      message: why.
    """

    def __init__(self, status: int, code: Code, message: str) -> None:
        super().__init__(code, message)
        self.status = status


def _check_head(scope: Message, *, is_local: bool) -> None:
    """Refuses another HTTP than 1, and other names of this machine."""
    if scope["http_version"] not in VERSIONS:
        raise _RefusedError(
            OTHER_HTTP,
            Code.INVALID_ARGUMENT,
            f"HTTP/{scope['http_version']} is not spoken here; use HTTP/1.1",
        )
    if is_local and not local_names.is_meant(scope["headers"]):
        raise _RefusedError(
            ELSEWHERE, Code.PERMISSION_DENIED, local_names.NOT_MEANT
        )


async def _answer(
    front: Front,
    scope: Message,
    body: bytes,
    *,
    threads: concurrent.futures.Executor,
) -> Answer:
    """Has a thread answer; waits no longer for it than the time limit."""
    loop = asyncio.get_running_loop()
    answer = loop.run_in_executor(threads, _answer_now, front, scope, body)
    predicts = scope["method"] == "POST"
    limit = front.timeout_seconds if predicts else 0
    await asyncio.wait([answer], timeout=limit or None)
    if not answer.done():
        return front.refuse(ServingError(Code.DEADLINE_EXCEEDED, TIMED_OUT))
    return answer.result()


def _answer_now(front: Front, scope: Message, body: bytes) -> Answer:
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in reversed(scope["headers"])  # the first one counts
    }
    target = scope["raw_path"].decode("latin-1")
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode("latin-1")
    encoding = headers.get("content-encoding", "")
    return front.answer(
        Request(
            method=scope["method"],
            target=target,
            origin=headers.get("origin", ""),
            body=request_body.unpack(body, encoding=encoding),
        )
    )


async def _read(receive: Receive, *, most: int) -> bytes:
    """Returns the body, or raises where it has more bytes than that.

    It is then read on all the same, so that the client, who may be sending
    still, gets to see the answer; unless it has no end.
    """
    chunks: list[bytes] = []
    size, goes_on = 0, True
    while goes_on and size <= most + MOST_SKIPPED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            chunks.clear()
        else:
            chunks.append(chunk)
        goes_on = message.get("more_body", False)
    if size > most:
        raise _RefusedError(
            TOO_LARGE,
            Code.RESOURCE_EXHAUSTED,
            f"the request has more than {most} bytes; send fewer rows at once",
        )
    return b"".join(chunks)


async def _send(send: Send, answer: Answer) -> None:
    # The HTTP server leaves the body out where a HEAD was asked.
    headers = {
        "content-type": answer.content_type,
        "content-length": str(len(answer.body)),
        **answer.headers,
    }
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in headers.items()
            ],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})
