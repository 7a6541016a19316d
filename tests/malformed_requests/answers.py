"""Sends bytes to a port, and takes apart what comes back."""

import json
import re
import socket
import time
from typing import NamedTuple

SECONDS = 5.0  # until which any connection must be over
CLOSED = 0  # instead of a status: the connection is closed without an answer
HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n(.*?)\r\n\r\n(.*)", re.S)


class Ports(NamedTuple):
    """Where the server under test listens."""

    rest: int
    grpc: int


class Case(NamedTuple):
    """A request over HTTP, and what has to be said of it.

    Attributes:
      name: of the case.
      method: of HTTP.
      path: as it is sent.
      headers: as they are sent, beside those of every request.
      body: of any bytes.
      status: of HTTP.
      words: that the answer must hold.
    """

    name: str
    method: str
    path: bytes
    headers: bytes
    body: bytes
    status: int
    words: str

    @property
    def request(self) -> bytes:
        """The request as bytes."""
        return (
            b"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n%s\r\n%s"
        ) % (
            self.method.encode(),
            self.path,
            len(self.body),
            self.headers,
            self.body,
        )


def send(
    port: int, *parts: bytes, pause: float = 0, ends: bool = False
) -> bytes:
    """Returns all that comes back until the connection is closed.

    Args:
      port: of the server.
      *parts: of a request, each sent by itself.
      pause: seconds after each.
      ends: whether the client then tells that it sends no more.
    """
    end = time.monotonic() + SECONDS
    answer = b""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                answer += part
        except ConnectionError:
            pass  # it is closed before all was sent
    assert time.monotonic() < end, "the connection was kept for too long"
    return answer


def status_and_words(answer: bytes) -> tuple[int, str]:
    """Returns the status of an answer and what it says, in one line."""
    if not answer:
        return CLOSED, ""
    found = HEAD.match(answer)
    assert found, answer[:200]
    status, headers, body = int(found[1]), found[2].lower(), found[3]
    if b"transfer-encoding: chunked" in headers:
        body = body.partition(b"\r\n")[2]
    text = body.decode(errors="replace")
    if b"application/json" in headers and text:
        found = json.loads(text)
        assert found.keys() == {"error"}
        text = found["error"]
    assert "Traceback" not in text
    return status, " ".join(text.split())
