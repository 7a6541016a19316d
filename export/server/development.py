"""The development server: models, REST and gRPC in this process."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping

from export import c_api
from export.server import (
    configuration,
    grpc_server,
    http,
    local_names,
    rest,
)
from export.server.ending import Ending
from export.server.errors import ServingError
from export.server.flags import ServerFlags
from export.server.manager import Manager
from export.server.metrics import Metrics
from tfvae import program
from tfvae.errors import FailedError

LOOK_SECONDS = 0.1  # between two looks whether to end, while models load
THREADS_PER_CPU = 4
Pages = Mapping[str, tuple[str, bytes]]


def run(
    flags: ServerFlags,
    *,
    host: str,
    max_request_bytes: int,
    pages: Pages,
    ending: Ending,
    on_ready: Callable[[], None],
) -> None:
    """Serves until it is told to end.

    Args:
      flags: as of tensorflow_model_server.
      host: the address to listen on.
      max_request_bytes: a larger request over REST is refused; 0: one that
        gRPC would not take either.
      pages: what REST shows beside its API, {path: (content type, body)}.
      ending: tells when.
      on_ready: is called once requests are answered.

    Raises:
      InputError: a flag, a file that it names, or a port is wrong.
      FailedError: a model cannot be loaded, where the real server ends.
    """
    config = configuration.read_config(flags)
    options = configuration.read_options(flags)
    metrics_path = configuration.read_metrics_path(flags)
    ssl_config = configuration.read_ssl_config(flags)
    configuration.check_ports(flags, host=host)
    if not flags.xla_cpu_compilation_enabled:
        with program.quiet_start():
            c_api.disable_xla()
    metrics = Metrics()
    with contextlib.ExitStack() as running:
        try:
            manager = Manager(config, options, metrics=metrics)
            running.callback(manager.close)
            if not _load(manager, ending):
                return
        except ServingError as error:
            raise FailedError(
                f"Failed to start server. Error: {error}"
            ) from error
        if flags.port:
            grpc = _start_grpc(flags, manager, metrics, host, ssl_config)
            running.callback(grpc.close)
        if flags.rest_api_port:
            app = rest.make_app(
                manager,
                metrics=metrics,
                metrics_path=metrics_path,
                cors=flags.rest_api_enable_cors_support,
                timeout_seconds=flags.rest_api_timeout_in_ms / 1000,
                max_request_bytes=max_request_bytes or rest.MOST_BODY_BYTES,
                is_local=local_names.is_local(host),
                pages=pages,
            )
            with _port("rest_api_port", flags.rest_api_port) as port:
                listening = http.start_http(app, host=host, port=port)
            running.callback(listening.close)
        on_ready()
        ending.wait()


def _load(manager: Manager, ending: Ending) -> bool:
    """Loads the models; False: it was told to end meanwhile."""
    manager.start()
    while not manager.wait_until_ready(LOOK_SECONDS):
        if ending.wait(0):
            return False
    return True


def _start_grpc(
    flags: ServerFlags,
    manager: Manager,
    metrics: Metrics,
    host: str,
    ssl_config: str,
) -> grpc_server.GrpcServer:
    with _port("port", flags.port) as port:
        return grpc_server.start(
            manager,
            metrics=metrics,
            host=host,
            port=port,
            max_threads=flags.grpc_max_threads or _threads(),
            ssl_config=ssl_config,
            health_check=flags.enable_grpc_healthcheck_service,
            as_content=flags.enable_serialization_as_tensor_content,
        )


@contextlib.contextmanager
def _port(name: str, number: int) -> Iterator[int]:
    """Tells of a port that was taken since it was looked at."""
    try:
        yield number
    except (OSError, RuntimeError) as error:  # of a socket, of gRPC
        raise FailedError(
            f"`{name}` {number} was taken while the models loaded: {error}."
        ) from error


def _threads() -> int:
    return THREADS_PER_CPU * (os.cpu_count() or 1)
