"""The gRPC interface of TensorFlow Serving on a port."""

from concurrent.futures import ThreadPoolExecutor

import grpc

from export import text_messages
from export.protos import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)
from export.server.manager import Manager
from export.server.metrics import Metrics
from export.server.model_service import ModelService
from export.server.prediction_service import PredictionService

LARGEST_MESSAGE = 2**31 - 1
MOST_REQUESTS = 1024  # under way or waiting; more get RESOURCE_EXHAUSTED
OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.server_handshake_timeout_ms", 30_000),
    ("grpc.max_connection_idle_ms", 600_000),
)
CLOSING_SECONDS = 5  # that requests under way have to end
# grpc.health.v1.HealthCheckResponse with status SERVING.
SERVING = b"\x08\x01"


class GrpcServer:
    """A running gRPC server.

    Args:
      server: that was started.
      threads: that answer its requests.
      port: on which it listens.
    """

    def __init__(
        self, server: grpc.Server, *, threads: ThreadPoolExecutor, port: int
    ) -> None:
        self._server, self._threads, self.port = server, threads, port

    def close(self) -> None:
        """Ends it once the requests under way are answered, within seconds."""
        self._server.stop(CLOSING_SECONDS).wait()
        # A request to reload may wait for the models, which end only later.
        self._threads.shutdown(wait=False, cancel_futures=True)


def start(
    manager: Manager,
    *,
    metrics: Metrics,
    host: str = "127.0.0.1",
    port: int = 0,
    max_threads: int = 16,
    ssl_config: str = "",
    health_check: bool = False,
    as_content: bool = False,
) -> GrpcServer:
    """Starts to listen.

    Args:
      manager: holds the models.
      metrics: take each prediction.
      host: the address to listen on.
      port: 0: a free one.
      max_threads: requests that are answered at once; others wait.
      ssl_config: text of an SSLConfig; empty: no TLS.
      health_check: whether grpc.health.v1.Health/Check is answered.
      as_content: whether outputs are sent as one run of bytes instead of
        numbers in the field of their type.

    Returns:
      server: running.

    Raises:
      RuntimeError: the port is taken.
    """
    threads = ThreadPoolExecutor(max_threads, thread_name_prefix="grpc")
    server = grpc.server(
        threads, options=OPTIONS, maximum_concurrent_rpcs=MOST_REQUESTS
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(manager, metrics=metrics, as_content=as_content),
        server,
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        ModelService(manager), server
    )
    if health_check:
        server.add_generic_rpc_handlers([_health()])
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if ssl_config:
        port = server.add_secure_port(address, _credentials(ssl_config))
    else:
        port = server.add_insecure_port(address)
    server.start()
    return GrpcServer(server, threads=threads, port=port)


def _credentials(text: str) -> grpc.ServerCredentials:
    config = text_messages.read("SSLConfig", text)
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def _health() -> grpc.GenericRpcHandler:
    """Returns the health service; it knows no service by name."""

    def check(request: bytes, context: grpc.ServicerContext) -> bytes:
        if request:
            context.abort(grpc.StatusCode.NOT_FOUND, "")
        return SERVING

    return grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health",
        {"Check": grpc.unary_unary_rpc_method_handler(check)},
    )
