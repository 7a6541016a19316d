"""A port for an application."""

import http.client
import socket
import threading
from typing import Any

import pytest

from export.server.http import start_http


class App:
    """Answers each request once it is let."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.entered.set()
        assert self.go_on.wait(10)
        start = {"type": "http.response.start", "status": 204, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": b""})


def _status(host: str, port: int) -> int:
    connection = http.client.HTTPConnection(host, port, 10)
    connection.request("GET", "/")
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def test_starts_on_a_free_port_and_stops() -> None:
    server = start_http(App(), host="127.0.0.1", port=0)
    assert server.port > 0
    assert _status("127.0.0.1", server.port) == 204
    server.close()
    with pytest.raises(ConnectionRefusedError):
        _status("127.0.0.1", server.port)


def test_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="Address already in use"):
            start_http(App(), host="127.0.0.1", port=port)


def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    server = start_http(App(), host="::1", port=0)
    assert _status("::1", server.port) == 204
    server.close()


def test_requests_under_way_are_answered_before_the_end() -> None:
    app = App()
    app.go_on.clear()
    server = start_http(app, host="127.0.0.1", port=0)
    statuses: list[int] = []
    client = threading.Thread(
        target=lambda: statuses.append(_status("127.0.0.1", server.port))
    )
    client.start()
    assert app.entered.wait(10)
    closing = threading.Thread(target=server.close)
    closing.start()
    app.go_on.set()
    closing.join(10)
    client.join(10)
    assert statuses == [204]
