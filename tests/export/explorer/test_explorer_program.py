"""python -m export.explorer: what it accepts, asks and shows."""

import http.client
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from export import explorer
from export.explorer import __main__ as program
from export.explorer import local, reach
from export.server.http import HttpServer
from tests.export.client.bad_servers import http as http_answer
from tests.export.client.bad_servers import says, serving
from tests.export.explorer.row_server import RowServer
from tfvae.errors import InputError
from tfvae.flags import HelpRequested

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture
def server() -> Iterator[RowServer]:
    """A server of small models."""
    server = RowServer()
    yield server
    server.close()


def test_model_is_found(server: RowServer) -> None:
    assert reach.find_model(server.url, "") == "vae"
    assert reach.find_model(server.url, "cvae") == "cvae"
    server.models["decoder"] = server.models.pop("vae")
    assert reach.find_model(server.url, "") == "decoder"


@pytest.mark.parametrize(
    ("name", "named"), [("", "`vae` or `decoder`"), ("v a/e", "`v a/e`")]
)
def test_model_that_is_not_there(
    server: RowServer, name: str, named: str
) -> None:
    del server.models["vae"]
    with pytest.raises(
        InputError,
        match=f"does not show a model {named} .Servable not found for request: "
        "/v1/models/.*; give --model=NAME of one that it serves",
    ):
        reach.find_model(server.url, name)


def test_server_must_let_pages_ask(server: RowServer) -> None:
    server.allows_pages = False
    with pytest.raises(
        InputError,
        match="does not let a page from elsewhere read its answers; start it "
        "with --rest_api_enable_cors_support=true",
    ):
        reach.find_model(server.url, "")


def test_redirect_is_not_followed_nor_a_proxy_asked(
    server: RowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = http_answer(
        b"", status="302 Found", Location=f"{server.url}/v1/models/vae"
    )
    with serving(says(elsewhere)) as (port, moments):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert reach.find_model(server.url, "") == "vae"
        assert moments == []
        with pytest.raises(
            InputError, match="answers 302, but not as TensorFlow"
        ):
            reach.find_model(f"http://127.0.0.1:{port}", "vae")


def test_server_must_be_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(
            InputError,
            match=f"no answer from `url` {url}: Connection refused; give the "
            "address of a server's REST port .not gRPC's., or start one",
        ):
            reach.find_model(url, "")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x00\x00\x12\x04\x00\x00", "no answer from `url` .*; give the add"),
        (b"", "no answer from `url` .*; give the address of a server's REST"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<ht>",
            "answers 200, but not as TensorFlow Serving does; give the add",
        ),
        (
            b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n[]",
            "answers 404, but not as TensorFlow Serving does",
        ),
    ],
)
def test_server_must_speak_its_language(answer: bytes, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = listening.getsockname()[1]
        with pytest.raises(InputError, match=words):
            reach.find_model(f"http://127.0.0.1:{port}", "")
        thread.join()


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--url=", "`url` must be an address as http://localhost:8501; got ''"),
        ("--url=localhost:8501", "`url` must be an address as http"),
        ("--url=http://a;b", "`url` must be an address as http"),
        ("--url=http://a:8501/?x", "`url` must be an address as http"),
        ("--url=http://a:99999", "http://a:99999 must have a port from 1 to"),
        ("--url=http://[::1]:0", "must have a port from 1 to 65535"),
        ("--port=70000", "`port` must be a whole number of at least 0 and at"),
        ("--modle=x", "unknown flag `modle`; did you mean `model`"),
    ],
)
def test_wrong_flag_is_refused(flag: str, words: str) -> None:
    argv = ["explorer", "--url=http://localhost:8501", flag]
    with pytest.raises(InputError, match=re.escape(words)):
        program.main(argv)


@pytest.mark.parametrize(
    "url",
    [
        "http://a-b.c:8501",
        "https://h/prefix/x",
        "http://[::1]:8501",
        "http://a/",
    ],
)
def test_address_is_accepted(url: str) -> None:
    assert program.Exploring(url=url).url == url


def test_help_says_how_to_start_the_server() -> None:
    with pytest.raises(
        HelpRequested, match="--rest_api_enable_cors_support=true"
    ):
        program.main(["explorer", "--help"])


PAGE = explorer.page()


@pytest.fixture(scope="module")
def shown() -> Iterator[HttpServer]:
    """The page, shown."""
    shown = local.listen(PAGE, host="127.0.0.1", port=0)
    yield shown
    shown.close()


@pytest.mark.parametrize(
    ("method", "path", "host", "status", "words"),
    [
        ("GET", "/", "localhost:8600", 200, PAGE),
        ("GET", "/?x=1", "127.0.0.1", 200, PAGE),
        ("HEAD", "/", "[::1]:8600", 200, b""),
        ("GET", "/other", "localhost", 404, b"the page is at /"),
        ("GET", "/%2e%2e/etc/passwd", "localhost", 404, b"the page is at /"),
        ("POST", "/", "localhost", 405, b"only GET is answered"),
        (
            "GET", "/", "evil.example", 403,
            b"this server answers requests to localhost and 127.0.0.1 alone; "
            b"to serve others, start it with another --host",
        ),
    ],
)  # fmt: skip
def test_page_is_shown_at_its_root_alone(
    shown: HttpServer,
    method: str,
    path: str,
    host: str,
    status: int,
    words: bytes,
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shown.port, 10)
    connection.request(method, path, headers={"Host": host})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (status, words)
    headers = {name.lower(): value for name, value in answer.getheaders()}
    assert headers["content-security-policy"] == "frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    connection.close()


def test_port_that_is_taken(shown: HttpServer) -> None:
    with pytest.raises(
        InputError,
        match=f"`port` {shown.port} of `host` 127.0.0.1 cannot be listened on: "
        "Address already in use; give others, as --port=0",
    ):
        local.listen(PAGE, host="127.0.0.1", port=shown.port)


def test_program_shows_the_page_until_it_is_stopped(server: RowServer) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "export.explorer", f"--url={server.url}/",
         "--model=cvae", "--port=0"],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    try:
        line = process.stdout.readline()
        found = re.fullmatch(
            rf"Explore cvae of {server.url} at (http://127.0.0.1:\d+/) "
            r"\(Ctrl-C ends\)\n",
            line,
        )
        assert found, line
        with urllib.request.urlopen(found[1], timeout=60) as answer:
            page = answer.read()
        assert page == explorer.page(server.url, model="cvae")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate()
