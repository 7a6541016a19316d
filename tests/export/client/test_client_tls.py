"""Encrypted connections: certificates that are trusted, or not."""

import contextlib
import http.server
import pathlib
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest

from export.client import Client, ConnectionFailed
from export.protos import get_model_status_pb2, model_service_pb2_grpc
from tests.export.client import bad_servers, toy_server
from tests.export.client.toy_server import Toy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a certificate for 127.0.0.1 and its key, in PEM."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
            "-keyout", "key.pem", "-out", "cert.pem", "-days", "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@contextlib.contextmanager
def _https(toy: Toy, folder: pathlib.Path, *, asks: bool) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "cert.pem")

    class Handler(toy_server._RestHandler):
        served = toy

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that does not trust us hangs up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _grpcs(toy: Toy, folder: pathlib.Path, *, asks: bool) -> Iterator[str]:
    key, cert = (
        (folder / name).read_bytes() for name in ("key.pem", "cert.pem")
    )
    credentials = grpc.ssl_server_credentials(
        [(key, cert)], cert if asks else None, asks
    )

    class Service(model_service_pb2_grpc.ModelServiceServicer):
        def GetModelStatus(self, request: object, context: object) -> object:
            response = get_model_status_pb2.GetModelStatusResponse()
            response.model_version_status.add(version=2, state=30)
            return response

    with futures.ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            Service(), server
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        try:
            yield f"grpcs://127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


SERVERS = pytest.mark.parametrize("server", [_https, _grpcs])


@SERVERS
def test_a_certificate_that_is_trusted(
    server: object, folder: pathlib.Path, toy: Toy
) -> None:
    ca = str(folder / "cert.pem")
    with (
        server(toy, folder, asks=False) as url,  # type: ignore[operator]
        Client(url, ca=ca, timeout=10) as client,
    ):
        assert client.status()[0].version == 2


@SERVERS
def test_a_certificate_that_is_not_trusted(
    server: object, folder: pathlib.Path, toy: Toy
) -> None:
    with (
        server(toy, folder, asks=False) as url,  # type: ignore[operator]
        Client(url, timeout=10) as client,
        pytest.raises(ConnectionFailed, match=r"(?i)certificate.verify.failed"),
    ):
        client.status()


@SERVERS
def test_a_certificate_of_our_own(
    server: object, folder: pathlib.Path, toy: Toy
) -> None:
    ca, key = str(folder / "cert.pem"), str(folder / "key.pem")
    with server(toy, folder, asks=True) as url:  # type: ignore[operator]
        with Client(url, ca=ca, cert=ca, key=key, timeout=10) as client:
            assert client.status()[0].version == 2
        for _ in range(5):  # the refusal comes before or after the request
            with (
                Client(url, ca=ca, timeout=10) as client,
                pytest.raises(ConnectionFailed),
            ):
                client.status()


def test_another_try_makes_no_certificate_good(folder: pathlib.Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    def behave(connection: object, ended: object) -> None:
        with context.wrap_socket(connection, server_side=True):  # type: ignore[arg-type]
            pass

    with (
        bad_servers.serving(behave) as (port, moments),
        Client(f"https://127.0.0.1:{port}", timeout=5) as client,
        pytest.raises(ConnectionFailed, match="certificate verify failed"),
    ):
        client.status()
    assert len(moments) == 1
