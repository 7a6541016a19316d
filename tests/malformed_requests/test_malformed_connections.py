"""Whatever comes over a connection: 4xx, or the connection is closed soon."""

import contextlib
import socket
import time

import pytest

from tests.malformed_requests import answers
from tests.malformed_requests.answers import CLOSED, Ports
from tests.malformed_requests.conftest import LIMIT_SECONDS

GET = b"GET /v1/models/decoder HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/models/decoder:predict HTTP/1.1\r\nHost: localhost\r\n"
BODY = b'{"instances": [[1, 2, 3]]}'
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
NO_HTTP = "Invalid HTTP request received."
HELLO = bytes.fromhex("16030100c8010000c40303") + b"a" * 190
SSH = b"SSH-2.0-OpenSSH_9.6\r\n"
ELSEWHERE = "answers requests to localhost and 127.0.0.1 alone"

# (name, bytes, status, words); nothing follows the bytes.
RAW: tuple[tuple[str, bytes, int, str], ...] = (
    ("nothing", b"", CLOSED, ""),
    ("no line", b"GET", CLOSED, ""),
    ("no end of the line", b"GET /v1/models/decoder HTTP/1.1", CLOSED, ""),
    ("no end of the head", GET, CLOSED, ""),
    ("no body", POST + LENGTH, CLOSED, ""),
    ("half a body", POST + LENGTH + BODY[:9], CLOSED, ""),
    ("length lies", POST + b"Content-Length: 999\r\n\r\n" + BODY, CLOSED, ""),
    ("length of 1 PB", POST + b"Content-Length: 1%s\r\n\r\n{" % (b"0" * 15),
     CLOSED, ""),
    ("length too small", POST + b"Content-Length: 5\r\nConnection: close\r\n"
     b"\r\n" + BODY, 400, "JSON Parse error"),
    ("no length", POST + b"Connection: close\r\n\r\n" + BODY, 400,
     "The document is empty"),
    ("length below 0", POST + b"Content-Length: -1\r\n\r\n", 400, NO_HTTP),
    ("length in hex", POST + b"Content-Length: 0x1a\r\n\r\n", 400, NO_HTTP),
    ("length with a sign", POST + b"Content-Length: +26\r\n\r\n", 400, NO_HTTP),
    ("length in words", POST + b"Content-Length: all\r\n\r\n", 400, NO_HTTP),
    ("length of 30 digits", POST + b"Content-Length: %s\r\n\r\n" % (b"9" * 30),
     400, NO_HTTP),
    ("two lengths", POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
     400, NO_HTTP),
    ("gzip for a transfer", POST + b"Transfer-Encoding: gzip\r\n\r\n", 400,
     NO_HTTP),
    ("two transfers", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400,
     NO_HTTP),
    ("chunk of words", POST + CHUNKED + b"\r\nzz\r\n", 400, NO_HTTP),
    ("chunk below 0", POST + CHUNKED + b"\r\n-5\r\n", 400, NO_HTTP),
    ("chunk too long", POST + CHUNKED + b"\r\n3\r\nabcdef\r\n", 400, NO_HTTP),
    ("huge chunk", POST + CHUNKED + b"\r\n%s\r\n" % (b"f" * 21), 400, NO_HTTP),
    ("no last chunk", POST + CHUNKED + b"\r\n1a\r\n" + BODY + b"\r\n", CLOSED,
     ""),
    ("long chunk line", POST + CHUNKED + b"\r\n1;" + b"a" * (2 << 20), 400,
     NO_HTTP),
    ("length and chunks", POST + b"Content-Length: 3\r\nConnection: close\r\n"
     + CHUNKED + b"\r\n0\r\n\r\n", 400, "The document is empty"),
    ("random", bytes(range(256)) + b"\r\n\r\n", 400, NO_HTTP),
    ("NULs", bytes(99) + b"\r\n\r\n", 400, NO_HTTP),
    ("HTTP/0.9", b"GET /\r\n\r\n", 400, NO_HTTP),
    ("HTTP/2.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400,
     "HTTP/2.0 is not spoken here; use HTTP/1.1"),
    ("HTTP/3.0", b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", 400, "HTTP/3.0"),
    ("HTTP/1.1.1", b"GET / HTTP/1.1.1\r\nHost: localhost\r\n\r\n", 400,
     NO_HTTP),
    ("HTTX", b"GET / HTTX/1.1\r\nHost: localhost\r\n\r\n", 400, NO_HTTP),
    ("a TLS hello", HELLO + b"\r\n\r\n", 400, NO_HTTP),
    ("a short TLS hello", HELLO[:99], 400, NO_HTTP),
    ("SSH", SSH + b"\r\n", 400, NO_HTTP),
    ("SMTP", b"HELO localhost\r\n\r\n", 400, NO_HTTP),
    ("Redis", b"*1\r\n$4\r\nPING\r\n\r\n", 400, NO_HTTP),
    ("no host", b"GET /v1/models/decoder HTTP/1.1\r\n\r\n", 400, NO_HTTP),
    ("two hosts", GET + b"Host: localhost\r\n\r\n", 400, NO_HTTP),
    ("another host", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403,
     ELSEWHERE),
    ("a host like ours", b"GET / HTTP/1.1\r\nHost: localhost.evil.example:8501"
     b"\r\n\r\n", 403, ELSEWHERE),
    ("a host of the network", b"GET / HTTP/1.1\r\nHost: 192.168.1.2\r\n\r\n",
     403, ELSEWHERE),
    ("an empty host", b"GET / HTTP/1.1\r\nHost: \r\n\r\n", 403, ELSEWHERE),
    ("another host, POST", POST.replace(b"localhost", b"evil.example")
     + LENGTH + BODY, 403, ELSEWHERE),
    ("blank in the path", b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400,
     NO_HTTP),
    ("byte 255 in the path", b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
     400, NO_HTTP),
    ("NUL in the path", b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400,
     NO_HTTP),
    ("NUL in a header", GET + b"X: a\0b\r\n\r\n", 400, NO_HTTP),
    ("blank before a colon", GET + b"X : a\r\n\r\n", 400, NO_HTTP),
    ("no colon", GET + b"X\r\n\r\n", 400, NO_HTTP),
    ("no name", GET + b": a\r\n\r\n", 400, NO_HTTP),
    ("folded first", b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", 400,
     NO_HTTP),
    ("header of 2 MB", GET + b"X: " + b"a" * (2 << 20) + b"\r\n\r\n", 400,
     NO_HTTP),
    ("path of 2 MB", b"GET /" + b"a" * (2 << 20) + b" HTTP/1.1\r\n\r\n", 400,
     NO_HTTP),
    ("line of 2 MB", b"a" * (2 << 20), 400, NO_HTTP),
    ("websocket to no model", b"GET /v1/models/no HTTP/1.1\r\nHost: localhost"
     b"\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
     b"Sec-WebSocket-Key: AAAA\r\nSec-WebSocket-Version: 13\r\n\r\n", 404,
     "Could not find any versions of model no"),
    ("HTTP/2 upgrade of nothing", POST + b"Connection: Upgrade, close\r\n"
     b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 400, "is empty"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [pytest.param(*rest, id=name) for name, *rest in RAW if rest[1] != CLOSED],
)
def test_malformed_connection(
    ports: Ports,
    caplog: pytest.LogCaptureFixture,
    data: bytes,
    status: int,
    words: str,
) -> None:
    answer = answers.send(ports.rest, data)
    found, said = answers.status_and_words(answer)
    assert found == status, said
    assert words in said
    assert caplog.text == ""


UNFINISHED = pytest.mark.parametrize(
    "data",
    [raw for name, raw, status, _ in RAW if status == CLOSED],
    ids=[name for name, _, status, _ in RAW if status == CLOSED],
)


@pytest.mark.usefixtures("impatient")
@UNFINISHED
def test_unfinished_request_is_given_up(ports: Ports, data: bytes) -> None:
    assert answers.send(ports.rest, data) == b""


@UNFINISHED
def test_half_closed_connection(ports: Ports, data: bytes) -> None:
    answer = answers.send(ports.rest, data, ends=True)
    assert answers.status_and_words(answer)[0] in (CLOSED, 400)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"", b"G"),
        (GET, b"X: a\r\n"),
        (POST + b"Content-Length: 99999\r\n\r\n", b"{"),
        (POST + CHUNKED + b"\r\n", b"1\r\n \r\n"),
    ],
    ids=["line", "head", "body", "chunks"],
)
def test_slow_sender_is_given_up(
    ports: Ports, start: bytes, drop: bytes
) -> None:
    drops = [start] + [drop] * 999
    assert answers.send(ports.rest, *drops, pause=0.02) == b""


@pytest.mark.usefixtures("impatient")
def test_slow_sender_of_a_second_request_is_given_up(ports: Ports) -> None:
    with socket.create_connection(("127.0.0.1", ports.rest), 5) as connection:
        connection.sendall(GET + b"\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        end = time.monotonic() + answers.SECONDS
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end:
                connection.sendall(b"G")
                time.sleep(0.02)
        assert time.monotonic() < end


@pytest.mark.usefixtures("longer")
def test_sender_who_is_slow_but_goes_on_is_answered(ports: Ports) -> None:
    part = b" " * 20_000
    length = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % (
        len(BODY) + 6 * len(part)
    )
    answer = answers.send(
        ports.rest, POST + length, *[part] * 6, BODY, pause=LIMIT_SECONDS / 4
    )
    assert answer.startswith(b"HTTP/1.1 200 ")
