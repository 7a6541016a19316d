"""The REST interface over real connections."""

import asyncio
import concurrent.futures
import contextlib
import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from export.codes import Code
from export.protos import meta_graph_pb2
from export.server import rest
from export.server.errors import ServingError
from export.server.http import HttpServer, start_http
from export.server.metrics import Metrics
from export.server.servable import Servable, VersionStatus

PREDICT = "/v1/models/m:predict"


class Gate:
    """A session that gives back what it is fed, when it is let."""

    def __init__(self) -> None:
        self.open, self.entered = threading.Event(), threading.Semaphore(0)

    def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
        """Waits for the gate where the first number is negative."""
        (value,) = feeds.values()
        if value.size and value.flat[0] < 0:
            self.entered.release()
            assert self.open.wait(10)
        return [value for _ in fetches]


class Models:
    """One model, "m", with an identity."""

    def __init__(self) -> None:
        self.gate = Gate()
        info = meta_graph_pb2.TensorInfo(name="x:0", dtype=1)
        graph = meta_graph_pb2.MetaGraphDef()
        signature = graph.signature_def["serving_default"]
        signature.inputs["x"].CopyFrom(info)
        signature.outputs["y"].CopyFrom(info)
        self.servable = Servable("m", 3, "", graph, self.gate)

    def use(self, name: str, **_: Any) -> contextlib.nullcontext:
        """Lends the model."""
        if name != "m":
            raise ServingError(Code.NOT_FOUND, f"no {name}")
        return contextlib.nullcontext(self.servable)

    def statuses(self, name: str, **_: Any) -> list[VersionStatus]:
        """Tells one that cannot be loaded."""
        return [VersionStatus(3, "END", Code.DATA_LOSS, 'bit "rot"\n')]


@contextlib.contextmanager
def _served(
    models: Models | None = None, **options: Any
) -> Iterator[HttpServer]:
    app = rest.make_app(models or Models(), metrics=Metrics(), **options)
    server = start_http(app, host="127.0.0.1", port=0)
    try:
        yield server
    finally:
        server.close()


def _ask(
    server: HttpServer,
    method: str,
    path: str,
    body: bytes | None = None,
    **headers: str,
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, 10)
    names = {name.replace("_", "-"): headers[name] for name in headers}
    connection.request(method, path, body, names)
    answer = connection.getresponse()
    try:
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    """Shared by the tests that need no options."""
    with _served(pages={"/page": ("text/plain", b"text")}) as server:
        yield server


def test_prediction_and_its_headers(server: HttpServer) -> None:
    body = b'{"instances": [[1, 2.5], [3, 4], [5, 6]]}'
    status, headers, content = _ask(server, "POST", PREDICT, body)
    assert status == 200
    assert json.loads(content) == {"predictions": [[1, 2.5], [3, 4], [5, 6]]}
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(content))
    assert "server" not in headers


def test_gzip(server: HttpServer) -> None:
    body = gzip.compress(b'{"inputs": [7, 8, 9]}')
    _, _, content = _ask(server, "POST", PREDICT, body, content_encoding="gzip")
    assert json.loads(content) == {"outputs": [7.0, 8.0, 9.0]}
    _, _, content = _ask(server, "POST", PREDICT, body, content_encoding="GZIP")
    assert b"Invalid value. at offset: 0" in content


def test_first_of_two_headers_counts(server: HttpServer) -> None:
    body = gzip.compress(b'{"inputs": [7, 8, 9]}')
    connection = http.client.HTTPConnection("127.0.0.1", server.port, 10)
    connection.putrequest("POST", PREDICT)
    connection.putheader("Content-Encoding", "gzip")
    connection.putheader("Content-Encoding", "identity")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    assert (answer.status, answer.read()[:2]) == (200, b"{\n")
    connection.close()


def test_path_is_not_decoded_and_keeps_its_query(server: HttpServer) -> None:
    status, _, _ = _ask(server, "GET", "/v1/models/a%2Fb/metadata")
    assert status == 404
    _, _, content = _ask(server, "GET", "/v1/models/a%2Fb?c=d/metadata")
    assert json.loads(content) == {"error": "no a/b?c=d"}


def test_status_quotes_messages(server: HttpServer) -> None:
    _, _, content = _ask(server, "GET", "/v1/models/m")
    (found,) = json.loads(content)["model_version_status"]
    assert found == {
        "version": "3", "state": "END",
        "status": {"error_code": "DATA_LOSS", "error_message": 'bit "rot"\n'},
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/models/m", "/nope", "/page"])
def test_head_has_no_body(server: HttpServer, path: str) -> None:
    status, _, content = _ask(server, "HEAD", path)
    assert status == {"/v1/models/m": 400, "/nope": 404, "/page": 200}[path]
    assert content == b""


def test_connection_is_kept_alive(server: HttpServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, 10)
    connection.connect()
    first = connection.sock
    for body in (b'{"inputs": [1]}', b"{", b'{"inputs": [2]}'):
        connection.request("POST", PREDICT, body)
        connection.getresponse().read()
        assert connection.sock is first
    connection.request("GET", "/nope")
    answer = connection.getresponse()
    assert answer.getheader("connection") == "close"
    connection.close()


def test_chunked_request(server: HttpServer) -> None:
    chunks = iter([b'{"inputs"', b": [1, 2", b", 3]}"])
    _, _, content = _ask(server, "POST", PREDICT, chunks)  # type: ignore[arg-type]
    assert json.loads(content) == {"outputs": [1.0, 2.0, 3.0]}


def test_slow_model_holds_up_nobody_else() -> None:
    models = Models()
    threads = concurrent.futures.ThreadPoolExecutor(3)
    with _served(models, num_threads=4) as server, threads:
        slow = [
            threads.submit(_ask, server, "POST", PREDICT, b'{"inputs": [-1]}')
            for _ in range(3)
        ]
        for _ in slow:
            assert models.gate.entered.acquire(timeout=10)
        status, _, _ = _ask(server, "POST", PREDICT, b'{"inputs": [1]}')
        assert status == 200
        assert not any(answer.done() for answer in slow)
        models.gate.open.set()
        assert [answer.result()[0] for answer in slow] == [200] * 3


def test_time_limit() -> None:
    models = Models()
    with _served(models, timeout_seconds=0.1, cors=True) as server:
        start = time.monotonic()
        status, headers, content = _ask(
            server, "POST", PREDICT, b'{"inputs": [-1]}'
        )
        assert 0.1 <= time.monotonic() - start < 20
        models.gate.open.set()
    assert status == 504
    assert json.loads(content) == {
        "error": "Timed out waiting for notification"
    }
    assert headers["access-control-allow-origin"] == "*"


def test_request_too_large() -> None:
    body = b'{"inputs": [1, 2, 3]}'
    with _served(max_request_bytes=len(body)) as server:
        assert _ask(server, "POST", PREDICT, body)[0] == 200
        for more in (body + b" ", body + b" " * 300_000):
            status, _, content = _ask(server, "POST", PREDICT, more)
            assert status == 413
            assert json.loads(content)["error"] == (
                "the request has more than 21 bytes; send fewer rows at once"
            )


def test_metrics_and_cors() -> None:
    with _served(metrics_path="/m", cors=True) as server:
        _, headers, content = _ask(server, "GET", "/m")
        assert content.startswith(b"# TYPE")
        assert headers["content-type"] == "text/plain"
        status, headers, _ = _ask(server, "OPTIONS", PREDICT, origin="http://a")
        assert status == 200
        assert headers["access-control-allow-methods"] == "POST, GET"


def test_a_large_batch_comes_back_to_the_bit(server: HttpServer) -> None:
    images = np.random.RandomState(0).rand(5, 64, 64, 3).astype(np.float32)
    body = json.dumps({"instances": images.tolist()}).encode()
    _, _, content = _ask(server, "POST", PREDICT, body)
    values = np.array(json.loads(content)["predictions"], np.float32)
    np.testing.assert_array_equal(values, images)


def test_request_that_does_not_come_holds_up_no_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("export.server.http.CLOSING_SECONDS", 0.2)
    with contextlib.ExitStack() as served:
        server = served.enter_context(_served())
        connection = socket.create_connection(("127.0.0.1", server.port), 10)
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
        connection.sendall(head + b"{")
        time.sleep(0.1)
        served.close()
        answer = connection.recv(999)
        connection.close()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b'"error": "The server is ending"\n}')
    assert "Traceback" not in caplog.text


def test_other_versions_and_other_hosts_are_refused() -> None:
    with _served(is_local=True) as server:
        for host in ("localhost", "127.0.0.1:1", "[::1]"):
            assert _ask(server, "GET", "/v1/models/m", host=host)[0] == 200
        status, headers, content = _ask(
            server, "GET", "/v1/models/m", host="evil.example"
        )
        assert (status, headers["connection"]) == (403, "close")
        assert json.loads(content)["error"].startswith(
            "this server answers requests to localhost and 127.0.0.1 alone; to"
        )
    with _served() as server:
        assert _ask(server, "GET", "/v1/models/m", host="a.example")[0] == 200


def test_body_without_an_end_is_read_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rest, "MOST_SKIPPED_BYTES", 1 << 17)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"ffff\r\n%s\r\n" % bytes(0xFFFF)
    with (
        _served(max_request_bytes=9) as server,
        socket.create_connection(("127.0.0.1", server.port), 10) as connection,
    ):
        connection.sendall(head)
        end = time.monotonic() + 30
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end:
                connection.sendall(chunk)
        assert time.monotonic() < end


def test_whoever_leaves_in_the_midst_of_a_request_gets_nothing() -> None:
    messages: list[dict] = [
        {"type": "http.request", "body": b'{"inputs": [1]}', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[dict] = []

    async def receive() -> dict:
        return messages.pop(0)

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"http_version": "1.1", "headers": [], "method": "POST",
             "raw_path": PREDICT.encode(), "query_string": b""}  # fmt: skip
    app = rest.make_app(Models(), metrics=Metrics())
    asyncio.run(app(scope, receive, send))
    assert sent == messages == []
