"""gRPC servers that answer nonsense, are lost, or come up late."""

import concurrent.futures
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import grpc
import numpy as np
import pytest

from export.client import BadAnswer, Client, ConnectionFailed
from export.protos import predict_pb2
from tests.export.client import bad_servers, toy_server
from tests.export.client.toy_server import Toy

METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"  # an empty frame of HTTP/2
Z = np.zeros([3, 2])


@contextlib.contextmanager
def _answering(answer: Callable[[str], bytes | None]) -> Iterator[str]:
    """Yields the URL of a server that answers with bytes, by method."""

    class Handler(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> object:
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: answer(details.method)
            )

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=[Handler()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"grpc://127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def _metadata() -> bytes:
    """Returns the metadata that a toy answers with."""
    with toy_server.over_grpc(Toy()) as url:
        channel = grpc.insecure_channel(url.removeprefix("grpc://"))
        with channel:
            ask = channel.unary_unary(METADATA)
            # model_spec {name: "vectors"}, metadata_field: "signature_def"
            return ask(b"\x0a\x09\x0a\x07vectors\x12\x0dsignature_def")


def test_bytes_that_are_no_message() -> None:
    with (
        _answering(lambda method: b"\xff\xff nonsense") as url,
        Client(url, timeout=5) as client,
    ):
        for ask in (client.status, client.metadata):
            with pytest.raises(BadAnswer, match="does not speak this service"):
                ask()


def test_metadata_without_signatures() -> None:
    with (
        _answering(lambda method: b"") as url,
        Client(url, timeout=5) as client,
        pytest.raises(BadAnswer, match="metadata without signatures"),
    ):
        client.metadata()


def test_a_tensor_that_cannot_be_read() -> None:
    response = predict_pb2.PredictResponse()
    response.outputs["x"].dtype = 1
    response.outputs["x"].tensor_shape.dim.add(size=-7)
    answers = {METADATA: _metadata()}
    with (
        _answering(
            lambda method: answers.get(method, response.SerializeToString())
        ) as url,
        Client(url, timeout=5, model="vectors") as client,
    ):
        with pytest.raises(BadAnswer, match="a tensor that cannot be read: "):
            client.decode(Z)
        response.outputs["x"].float_val.append(0.5)
        response.outputs["x"].tensor_shape.dim[0].size = 1 << 28  # of 1 GB
        with pytest.raises(BadAnswer, match="too large a tensor: "):
            client.decode(Z)
        response.outputs["x"].tensor_shape.dim[0].size = 3
        with pytest.raises(BadAnswer, match=r"`x` should be \[batch, 6\]; the"):
            client.decode(Z)
        response.Clear()
        with pytest.raises(
            BadAnswer, match="the answer of `decode` has no 'x'"
        ):
            client.decode(Z)


def test_a_connection_that_is_lost() -> None:
    def behave(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(SETTINGS)
        data = b""
        while b"GetModelStatus" not in data:
            data += connection.recv(65536)

    with (
        bad_servers.serving(behave) as (port, moments),
        Client(f"grpc://127.0.0.1:{port}", timeout=5) as client,
        pytest.raises(ConnectionFailed, match="lost the connection") as failed,
    ):
        client.status()
    assert not failed.value.may_retry
    assert len(moments) <= 2  # gRPC itself may connect again


@pytest.mark.parametrize("transport", list(toy_server.TRANSPORTS))
def test_a_server_that_comes_up_late(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = bad_servers.refused_port()
    url = {"rest": "http", "grpc": "grpc"}[transport]
    serve = toy_server.TRANSPORTS[transport]
    with Client(f"{url}://127.0.0.1:{port}") as client:
        found = []
        thread = threading.Thread(
            target=lambda: found.extend(client.wait_ready(timeout=60))
        )
        thread.start()
        time.sleep(0.2)
        assert not found
        with serve(Toy(), port=port):
            began = time.monotonic()
            thread.join()
            assert time.monotonic() - began < 20
    assert found[0].version == 2
