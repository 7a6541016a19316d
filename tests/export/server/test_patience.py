"""Clients who keep a connection waiting lose it; slow models do not."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from export.server import patience
from export.server.http import HttpServer, start_http

SECONDS = 0.12
LONG_SECONDS = 1.2  # no machine is so busy that a thread rests so long
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"


def _limit(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", seconds)
    monkeypatch.setattr(patience, "STALL_SECONDS", seconds)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a client who waits is soon over."""
    _limit(monkeypatch, SECONDS)


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits for who is slow, and is not to be given up."""
    _limit(monkeypatch, LONG_SECONDS)


@contextlib.contextmanager
def _served(size: int = 2, *, takes: float = 0) -> Iterator[HttpServer]:
    """Serves an application that reads, computes, and answers so much."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        await asyncio.sleep(takes)
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": bytes(size)})

    server = start_http(app, host="127.0.0.1", port=0)
    try:
        yield server
    finally:
        server.close()


def _connect(server: HttpServer) -> socket.socket:
    connection = socket.socket()
    # Small, or the system would take an answer in the client's stead.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(5)
    connection.connect(("127.0.0.1", server.port))
    return connection


def _take(connection: socket.socket, size: int) -> bytes:
    """Returns what came, at most so many bytes; fails if nothing will."""
    part = connection.recv(size)
    assert part, "the connection was closed"
    return part


def _is_open(connection: socket.socket) -> bool:
    state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return struct.unpack("B", state)[0] == 1  # TCP_ESTABLISHED


def _seconds_open(connection: socket.socket) -> float:
    """Returns how long a client who does nothing is kept, at most 5 seconds."""
    start = time.monotonic()
    while _is_open(connection) and time.monotonic() < start + 5:
        time.sleep(0.005)
    return time.monotonic() - start


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        HEAD + b"Content-Length: 9\r\n\r\n1234",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    ],
    ids=["nothing", "head", "body", "chunks"],
)
def test_request_that_does_not_come(data: bytes) -> None:
    with _served() as server, _connect(server) as connection:
        connection.sendall(data)
        assert SECONDS / 2 < _seconds_open(connection) < 5


@pytest.mark.usefixtures("long")
def test_body_that_keeps_coming_is_waited_for() -> None:
    part = bytes(patience.LEAST_BYTES)
    with _served() as server, _connect(server) as connection:
        length = b"Content-Length: %d\r\n\r\n" % (7 * len(part))
        connection.sendall(HEAD + length)
        for _ in range(7):
            connection.sendall(part)
            time.sleep(LONG_SECONDS / 4)
        assert connection.recv(99).startswith(b"HTTP/1.1 200")


@pytest.mark.usefixtures("short")
def test_model_that_takes_long_is_waited_for() -> None:
    takes = 3 * SECONDS
    with _served(takes=takes) as server, _connect(server) as connection:
        for _ in range(2):
            connection.sendall(HEAD + b"Content-Length: 1\r\n\r\na")
            answer = b""
            while not answer.endswith(b"\r\n0\r\n\r\n"):
                answer += _take(connection, 999)
        assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.usefixtures("short")
def test_client_who_says_nothing_more_is_kept_as_ever() -> None:
    with _served() as server, _connect(server) as connection:
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        assert connection.recv(999).startswith(b"HTTP/1.1 200")
        time.sleep(2 * SECONDS)  # uvicorn closes it, after a minute
        assert _is_open(connection)


@pytest.mark.usefixtures("short")
def test_answer_that_is_not_taken() -> None:
    with _served(1 << 24) as server, _connect(server) as connection:
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        # Nor does it help to ask for more meanwhile.
        time.sleep(SECONDS / 2)
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        # The client would be told of the end behind the rest of the answer.
        kept, end = (
            server._server.server_state.connections,
            time.monotonic() + 5,
        )
        while kept:
            assert time.monotonic() < end, "it is kept"
            time.sleep(0.005)


@pytest.mark.usefixtures("long")
def test_answer_that_is_taken_slowly() -> None:
    size, taken = 1 << 24, 0
    with _served(size) as server, _connect(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        end = time.monotonic() + 2 * LONG_SECONDS
        while taken < size:
            taken += len(_take(connection, 1 << 19))
            if time.monotonic() < end:
                time.sleep(LONG_SECONDS / 16)


def test_too_many_connections_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("export.server.http.MOST_CONNECTIONS", 3)
    with _served() as server, contextlib.ExitStack() as held:
        for _ in range(2):
            held.enter_context(_connect(server))
        last = held.enter_context(_connect(server))
        last.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        assert last.recv(999).startswith(b"HTTP/1.1 503 Service Unavailable")
