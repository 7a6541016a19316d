"""Servers that are slow, dead, talk nonsense or hang up: the right error each,
within the deadline."""

import gzip
import json
import time

import pytest

from export.client import (
    BadAnswer,
    Client,
    ClientError,
    ConnectionFailed,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Unavailable,
    Unknown,
    retrying,
)
from export.client import over_rest as rest
from tests.export.client import bad_servers as bad
from tests.export.client.bad_servers import http, serving

TIMEOUT = 0.15
GRACE = 2.0  # seconds, for a busy machine
STATUS = json.dumps(
    {
        "model_version_status": [
            {"version": "3", "state": "AVAILABLE", "status": {}}
        ]
    }
).encode()
PAGE = b"<html><body>Welcome to nginx!</body></html>"
HEAD = b"HTTP/1.1 200 OK\r\n"


def _slow(*values: object) -> object:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.01)


def _fails(url: str, timeout: float = 5) -> ClientError:
    """Returns the error of a call, which comes in time."""
    with Client(url, timeout=timeout) as client:
        began = time.monotonic()
        with pytest.raises(ClientError) as failed:
            client.status()
        assert time.monotonic() - began < timeout + GRACE
    return failed.value


def _fails_with(
    behave: bad.Behave, *, scheme: str = "http", timeout: float = 5
) -> ClientError:
    with serving(behave) as (port, _):
        return _fails(f"{scheme}://127.0.0.1:{port}", timeout)


@pytest.mark.parametrize(
    "scheme", ["http", "grpc", _slow("https"), _slow("grpcs")]
)
def test_nothing_listens(scheme: str) -> None:
    port = bad.refused_port()
    error = _fails(f"{scheme}://127.0.0.1:{port}")
    assert type(error) is ConnectionFailed
    assert error.may_retry
    address = f"cannot connect to {scheme}://127.0.0.1:{port}: "
    assert str(error).startswith(address)
    assert "onnect" in str(error).removeprefix(address)


@pytest.mark.parametrize("scheme", ["http", "grpc", "grpcs"])
def test_a_silent_server(scheme: str) -> None:
    error = _fails_with(bad.says_nothing, scheme=scheme, timeout=TIMEOUT)
    assert type(error) is DeadlineExceeded, str(error)


# On a busy machine the deadline comes first, and then asyncio, which has to
# close the connection, says that it did.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_is_silent_while_encryption_is_agreed_on() -> None:
    error = _fails_with(bad.says_nothing, scheme="https", timeout=TIMEOUT)
    assert type(error) in (ConnectionFailed, DeadlineExceeded)


@pytest.mark.parametrize(
    "behave",
    [
        _slow(bad.drips(http(STATUS))),
        bad.drips(http(STATUS), after=20),
        bad.drips(http(STATUS), after=len(http(STATUS)) - 90),
        _slow(
            bad.drips(
                HEAD
                + b"Transfer-Encoding: chunked\r\n\r\n"
                + b"1\r\n \r\n" * 99
            )
        ),
        _slow(bad.drips(b"HTTP/1.1 100 Continue\r\n\r\n" * 99)),
    ],
    ids=["at once", "in headers", "in body", "in chunks", "continue"],
)
def test_a_server_that_drips(behave: bad.Behave) -> None:
    error = _fails_with(behave, timeout=TIMEOUT)
    assert type(error) is DeadlineExceeded
    assert error.message == f"no answer within {TIMEOUT:g} seconds"


def test_a_server_that_drips_over_grpc() -> None:
    # A SETTINGS frame of HTTP/2, then pieces of another.
    frames = b"\0\0\0\4\0\0\0\0\0" + b"\0\0\6\4\0\0\0\0\0" * 9
    error = _fails_with(
        bad.drips(frames, after=9), scheme="grpc", timeout=TIMEOUT
    )
    assert type(error) is DeadlineExceeded


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (bad.hangs_up, "Server disconnected"),
        (bad.says(HEAD + b"Content-"), "Server disconnected"),
        (bad.says(http(STATUS)[:-9]), "peer closed connection"),
        (
            bad.says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
            "peer closed connection",
        ),
        (bad.resets, ""),
    ],
    ids=["at once", "in headers", "in body", "in chunks", "reset"],
)
def test_a_server_that_hangs_up(behave: bad.Behave, words: str) -> None:
    with serving(behave) as (port, moments):
        error = _fails(f"http://127.0.0.1:{port}")
    assert type(error) is ConnectionFailed
    assert not error.may_retry
    assert len(moments) == 1  # it may have done what it was asked
    lost = f"lost the connection to http://127.0.0.1:{port}: {words}"
    assert str(error).startswith(lost)


@pytest.mark.parametrize("behave", [bad.hangs_up, bad.resets])
def test_a_server_that_hangs_up_over_grpc(behave: bad.Behave) -> None:
    assert type(_fails_with(behave, scheme="grpc")) is ConnectionFailed


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x00\xff\x13 what?\r\n\r\n" * 9, "does not speak HTTP"),
        (http(PAGE), "an answer that is not JSON: '<html><body>Welcome"),
        (http(b""), "an answer that is not JSON: ''"),
        (http(STATUS[:-5]), "an answer that is not JSON"),
        (http(b"[1, 2]"), r"an answer that is no JSON object: '\[1, 2\]'"),
        (http(b"[" * 100_000), "an answer that is not JSON"),
        (http(b'{"a": ' + b"9" * 9999 + b"}"), "an answer that is not JSON"),
        (http(b"{}"), "a status without versions"),
        (http(b'{"model_version_status": 3}'), "not understood: "),
        (
            http(b'{"model_version_status": [{"version": "x"}]}'),
            "not understood: ",
        ),
        (http(STATUS, Content_Encoding="gzip"), "does not speak HTTP"),
        (
            http(b"", status="307 Temporary", Location="http://other/"),
            "redirects to 'http://other/'; use that address",
        ),
    ],
)
def test_a_server_that_talks_nonsense(answer: bytes, words: str) -> None:
    error = _fails_with(bad.says(answer))
    with pytest.raises(BadAnswer, match=words):
        raise error


@pytest.mark.slow
@pytest.mark.parametrize("answer", [b"\0" * 99, http(PAGE), b"SSH-2.0\r\n"])
def test_a_server_that_talks_nonsense_over_grpc(answer: bytes) -> None:
    # gRPC itself takes it for no connection, and tries again.
    error = _fails_with(bad.says(answer), scheme="grpc", timeout=1)
    assert type(error) in (ConnectionFailed, DeadlineExceeded)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_a_server_without_encryption(scheme: str) -> None:
    plain = http(STATUS)
    with serving(bad.drips(plain, after=len(plain))) as (port, moments):
        error = _fails(f"{scheme}://127.0.0.1:{port}", timeout=5)
        assert type(error) is ConnectionFailed
        if scheme == "https":
            assert len(moments) == 1  # another try would not help


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (
            "400 Bad Request",
            b'{"error": "my words"}',
            InvalidArgument,
            "my wor",
        ),
        ("404 Not Found", PAGE, NotFound, "HTTP status 404, without a model"),
        ("502 Bad Gateway", PAGE, Unavailable, "HTTP status 502, without"),
        ("503 Busy", b'{"error": 3}', Unavailable, "HTTP status 503, without"),
        ("304 Not Modified", b"", Unknown, "HTTP status 304, without"),
        ("418 Teapot", b"", InvalidArgument, "HTTP status 418, without"),
    ],
)
def test_a_refusal_of_whomever(
    status: str, body: bytes, kind: type, words: str
) -> None:
    answer = http(body, status=status, Connection="close")
    with serving(bad.says(answer)) as (port, moments):
        error = _fails(f"http://127.0.0.1:{port}")
        assert len(moments) == (4 if kind is Unavailable else 1)
    assert type(error) is kind
    assert error.message.startswith(words)


def test_a_server_that_comes_back() -> None:
    busy = http(b'{"error": "busy"}', status="503 Busy", Connection="close")
    with (
        serving(bad.in_turn(busy, busy, http(STATUS))) as (port, moments),
        Client(f"http://127.0.0.1:{port}", timeout=2) as client,
    ):
        assert client.status()[0].version == 3
    assert len(moments) == 3


@pytest.fixture
def _small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "MOST_ANSWER_BYTES", 100_000)


@pytest.mark.usefixtures("_small_answers")
@pytest.mark.parametrize(
    ("start", "block"),
    [
        (HEAD + b"Content-Length: 99999999999\r\n\r\n", b"[" * 9999),
        (HEAD + b"Connection: close\r\n\r\n", b"[" * 9999),
        (
            HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n",
            gzip.compress(b"[" * 1_000_000),
        ),
    ],
    ids=["sized", "unsized", "packed"],
)
def test_an_answer_without_an_end(start: bytes, block: bytes) -> None:
    error = _fails_with(bad.floods(start, block))
    assert type(error) is BadAnswer
    assert str(error) == "an answer of more than 100000 bytes"


def test_no_proxy_of_the_environment_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        serving(bad.says(http(STATUS))) as (port, moments),
        serving(bad.says(http(STATUS))) as (proxy, wrong_moments),
    ):
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with Client(f"http://127.0.0.1:{port}", timeout=5) as client:
            assert client.status()[0].version == 3
        _fails(f"grpc://127.0.0.1:{bad.refused_port()}", timeout=1)
    assert len(moments) == 1
    assert wrong_moments == []


def test_headers_without_an_end() -> None:
    error = _fails_with(bad.floods(HEAD, b"X-A: " + b"a" * 9999 + b"\r\n"))
    assert type(error) is BadAnswer
