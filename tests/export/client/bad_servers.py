"""Servers on real sockets that answer badly, or do not answer at all."""

import contextlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator

Behave = Callable[[socket.socket, threading.Event], None]
JSON_OK = b'{"model_version_status": []}'


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextlib.contextmanager
def serving(behave: Behave) -> Iterator[tuple[int, list[float]]]:
    """Yields a port, and the moments at which connections were made.

    Args:
      behave: is given each connection, and an event that is set at the end.
    """
    moments: list[float] = []
    ended = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            moments.append(time.monotonic())
            with contextlib.suppress(OSError):
                behave(self.request, ended)

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1], moments
        finally:
            ended.set()
            server.shutdown()
            thread.join()


def refused_port() -> int:
    """Returns a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http(body: bytes, *, status: str = "200 OK", **headers: str) -> bytes:
    """Returns an answer; a header's underscores stand for dashes."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def says(answer: bytes) -> Behave:
    """Reads the request, writes that, and closes."""

    def behave(connection: socket.socket, ended: threading.Event) -> None:
        read_request(connection)
        connection.sendall(answer)

    return behave


def says_nothing(connection: socket.socket, ended: threading.Event) -> None:
    """Keeps the connection, and is silent."""
    ended.wait()


def hangs_up(connection: socket.socket, ended: threading.Event) -> None:
    """Reads the request, and closes."""
    read_request(connection)


def resets(connection: socket.socket, ended: threading.Event) -> None:
    """Reads the request, and breaks the connection off."""
    read_request(connection)
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def drips(answer: bytes, *, after: int = 0) -> Behave:
    """Writes so many bytes at once, then one every 20 milliseconds."""

    def behave(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(answer[:after])
        for place in range(after, len(answer)):
            connection.sendall(answer[place : place + 1])
            if ended.wait(0.02):
                return
        ended.wait()

    return behave


def floods(start: bytes, block: bytes) -> Behave:
    """Writes without an end."""

    def behave(connection: socket.socket, ended: threading.Event) -> None:
        read_request(connection)
        connection.sendall(start)
        while not ended.is_set():
            connection.sendall(block)

    return behave


def in_turn(*answers: bytes) -> Behave:
    """Gives each connection the next answer; the last one again and again."""
    left = list(answers)

    def behave(connection: socket.socket, ended: threading.Event) -> None:
        read_request(connection)
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return behave


def read_request(connection: socket.socket) -> bytes:
    """Returns a request, its body included."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
