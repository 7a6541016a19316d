"""The gRPC server: ports, TLS, health, size, closing."""

import shutil
import socket
import subprocess
import threading
import time

import grpc
import numpy as np
import pytest
from google.protobuf import text_format

from export import text_messages
from export.protos import (
    meta_graph_pb2,
    prediction_service_pb2_grpc,
)
from export.server import grpc_server
from export.server.metrics import Metrics
from export.server.servable import Servable
from tests.export.server import served_models
from tests.export.server.fake_models import until
from tests.export.server.grpc_calls import predict_request, served

Stub = prediction_service_pb2_grpc.PredictionServiceStub


class _Echo:
    """A session that answers y = x, once it may."""

    def __init__(self) -> None:
        self.started, self.may_go = threading.Event(), threading.Event()
        self.may_go.set()

    def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
        self.started.set()
        assert self.may_go.wait(100)
        return [feeds["x:0"]]


@pytest.fixture
def echo() -> _Echo:
    return _Echo()


@pytest.fixture
def manager(echo: _Echo) -> served_models.HeldModels:
    graph = meta_graph_pb2.MetaGraphDef()
    signature = graph.signature_def["serving_default"]
    signature.inputs["x"].name = "x:0"
    signature.outputs["y"].name = "y:0"
    return served_models.HeldModels(Servable("echo", 1, "", graph, echo))


def _start(
    manager: served_models.HeldModels, **settings: object
) -> grpc_server.GrpcServer:
    return grpc_server.start(manager, metrics=Metrics(), **settings)


def test_large_requests_are_taken(manager: served_models.HeldModels) -> None:
    x = np.zeros(2_000_000, np.float32)  # 8 MB; gRPC's own limit is 4 MiB
    with served(manager) as channel:
        method = "/tensorflow.serving.PredictionService/Predict"
        call = channel.unary_unary(method, response_deserializer=len)
        request = predict_request("echo", x=x).SerializeToString()
        with pytest.raises(grpc.RpcError) as caught:
            call(request)
    # It is the answer that this client's limit refuses.
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "CLIENT: Received message larger" in caught.value.details()


def test_a_taken_port_is_refused(manager: served_models.HeldModels) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(RuntimeError, match="Failed to bind"),
    ):
        _start(manager, port=other.getsockname()[1])


def test_servers_may_share_a_port(manager: served_models.HeldModels) -> None:
    first = _start(manager)
    second = _start(manager, port=first.port)
    assert second.port == first.port
    second.close()
    first.close()


def test_a_port_may_be_chosen_and_is_free_again(
    manager: served_models.HeldModels,
) -> None:
    first = _start(manager)
    first.close()
    second = _start(manager, port=first.port)
    assert second.port == first.port
    second.close()


def test_an_address_of_version_6_is_served(
    manager: served_models.HeldModels,
) -> None:
    server = _start(manager, host="::1")
    with grpc.insecure_channel(f"[::1]:{server.port}") as channel:
        request = predict_request("echo", x=np.ones(3))
        assert Stub(channel).Predict(request, timeout=10).outputs["y"]
    server.close()


def test_closing_lets_a_request_end(
    manager: served_models.HeldModels, echo: _Echo
) -> None:
    server = _start(manager)
    echo.may_go.clear()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        future = Stub(channel).Predict.future(
            predict_request("echo", x=np.ones(3))
        )
        assert echo.started.wait(60)
        closing = threading.Thread(target=server.close)
        closing.start()
        time.sleep(0.05)
        assert closing.is_alive()
        echo.may_go.set()
        assert future.result(10).outputs["y"].double_val == [1, 1, 1]
        closing.join(10)
        assert not closing.is_alive()


def test_closing_waits_for_no_request_for_ever(
    manager: served_models.HeldModels,
    echo: _Echo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grpc_server, "CLOSING_SECONDS", 0.1)
    server = _start(manager)
    echo.may_go.clear()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        future = Stub(channel).Predict.future(
            predict_request("echo", x=np.ones(3))
        )
        assert echo.started.wait(60)
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < 20
        echo.may_go.set()
        assert future.code().name in ("CANCELLED", "UNAVAILABLE")


def test_too_many_requests_are_told(
    manager: served_models.HeldModels,
    echo: _Echo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grpc_server, "MOST_REQUESTS", 2)
    echo.may_go.clear()
    with served(manager, max_threads=1) as channel:
        request = predict_request("echo", x=np.ones(3))
        futures = [Stub(channel).Predict.future(request) for _ in range(5)]
        until(lambda: sum(future.done() for future in futures) == 3)
        echo.may_go.set()
        codes = [future.code().name for future in futures]
    assert sorted(codes) == ["OK"] * 2 + ["RESOURCE_EXHAUSTED"] * 3


def test_a_request_given_up_leaves_the_server_alive(
    manager: served_models.HeldModels, echo: _Echo
) -> None:
    echo.may_go.clear()
    with served(manager, max_threads=1) as channel:
        request = predict_request("echo", x=np.ones(3))
        future = Stub(channel).Predict.future(request)
        assert echo.started.wait(60)
        future.cancel()
        echo.may_go.set()
        assert Stub(channel).Predict(request, timeout=10).outputs["y"]


def test_requests_beyond_the_threads_wait(
    manager: served_models.HeldModels, echo: _Echo
) -> None:
    echo.may_go.clear()
    with served(manager, max_threads=1) as channel:
        request = predict_request("echo", x=np.ones(3))
        futures = [Stub(channel).Predict.future(request) for _ in range(3)]
        assert echo.started.wait(60)
        time.sleep(0.1)
        assert manager.held == ["echo"]
        echo.may_go.set()
        for future in futures:
            assert future.result(10).outputs["y"]


def test_health_is_told_only_where_asked_for(
    manager: served_models.HeldModels,
) -> None:
    def check(channel: grpc.Channel, request: bytes) -> object:
        method = "/grpc.health.v1.Health/Check"
        try:
            return channel.unary_unary(method)(request, timeout=10)
        except grpc.RpcError as error:
            return error.code()

    with served(manager, health_check=True) as channel:
        assert check(channel, b"") == b"\x08\x01"
        assert check(channel, b"\x0a\x01a") == grpc.StatusCode.NOT_FOUND
    with served(manager) as channel:
        assert check(channel, b"") == grpc.StatusCode.UNIMPLEMENTED


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A key of localhost and its certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-keyout", "key", "-out", "cert",
        ],
        cwd=folder, capture_output=True, check=True,
    )  # fmt: skip
    return {name: (folder / name).read_text() for name in ("key", "cert")}


def _answer(port: int, credentials: grpc.ChannelCredentials | None) -> str:
    """Returns the name of the status with which a request is answered."""
    target = f"localhost:{port}"
    channel = (
        grpc.insecure_channel(target)
        if credentials is None
        else grpc.secure_channel(target, credentials)
    )
    with channel:
        request = predict_request("echo", x=np.ones(3))
        future = Stub(channel).Predict.future(request, timeout=10)
        return future.code().name


@pytest.mark.parametrize("client_verify", [False, True])
def test_tls(
    manager: served_models.HeldModels,
    pem: dict[str, str],
    client_verify: bool,
) -> None:
    config = text_messages.make(
        "SSLConfig",
        server_key=pem["key"],
        server_cert=pem["cert"],
        custom_ca=pem["cert"] if client_verify else "",
        client_verify=client_verify,
    )
    text = text_format.MessageToString(config)
    server = _start(manager, host="localhost", ssl_config=text)
    key, cert = pem["key"].encode(), pem["cert"].encode()
    stranger = grpc.ssl_channel_credentials(cert)
    known = grpc.ssl_channel_credentials(cert, key, cert)
    assert _answer(server.port, known) == "OK"
    strangers = "UNAVAILABLE" if client_verify else "OK"
    assert _answer(server.port, stranger) == strangers
    assert _answer(server.port, None) == "UNAVAILABLE"
    server.close()
