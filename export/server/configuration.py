"""What the server's flags, and the files that they name, say."""

import dataclasses
import socket
from typing import Any

from google.protobuf import text_format

from export import batching, text_messages
from export.deployment import METRICS_PATH
from export.protos import config_pb2, model_server_config_pb2
from export.server.flags import ServerFlags
from export.server.options import Options
from tfvae.errors import InputError

SHARING = {"port": socket.SO_REUSEPORT, "rest_api_port": socket.SO_REUSEADDR}


def read_config(
    flags: ServerFlags,
) -> model_server_config_pb2.ModelServerConfig:
    """Returns which models are to be served.

    Raises:
      InputError: none is named, or the file holds no ModelServerConfig.
    """
    config = model_server_config_pb2.ModelServerConfig()
    if flags.model_config_file:
        return _parse("model_config_file", flags, config)
    if not flags.model_base_path:
        raise InputError(
            "there is nothing to serve; give --export_dir=E, "
            "--model_base_path=FOLDER or --model_config_file=FILE."
        )
    config.model_config_list.config.add(
        name=flags.model_name,
        base_path=flags.model_base_path,
        model_platform="tensorflow",
    )
    return config


def read_options(flags: ServerFlags) -> Options:
    """Returns what the manager of the models heeds.

    Raises:
      InputError: flags contradict each other, or a file holds another thing.
    """
    values: dict[str, Any] = {
        field.name: getattr(flags, field.name)
        for field in dataclasses.fields(Options)
        if hasattr(flags, field.name)
    }
    values["saved_model_tags"] = tuple(flags.saved_model_tags.split(","))
    values["session_config"] = _session_config(flags)
    values["batching_parameters"] = _batching_parameters(flags)
    return Options(**values)


def read_metrics_path(flags: ServerFlags) -> str | None:
    """Returns where Prometheus finds the metrics; None: nowhere.

    Raises:
      InputError: the file holds no MonitoringConfig.
    """
    if not flags.monitoring_config_file:
        return None
    text = _text("monitoring_config_file", flags)
    try:
        config = text_messages.read("MonitoringConfig", text).prometheus_config
    except ValueError as error:
        raise _wrong("monitoring_config_file", flags, error) from error
    return (config.path or METRICS_PATH) if config.enable else None


def read_ssl_config(flags: ServerFlags) -> str:
    """Returns the text of an SSLConfig; empty: there is no TLS.

    Raises:
      InputError: the file holds no SSLConfig.
    """
    if not flags.ssl_config_file:
        return ""
    text = _text("ssl_config_file", flags)
    try:
        text_messages.read("SSLConfig", text)
    except ValueError as error:
        raise _wrong("ssl_config_file", flags, error) from error
    return text


def check_ports(flags: ServerFlags, *, host: str) -> None:
    """Makes sure, before anything is loaded, that the ports can be had.

    Several servers may share one port of gRPC, as those of
    tensorflow_model_server do; a port of REST they may not.

    Args:
      flags: that name them.
      host: the address to listen on.

    Raises:
      InputError: there is none, they are the same, or one is taken.
    """
    ports = {"port": flags.port, "rest_api_port": flags.rest_api_port}
    used = {name: port for name, port in ports.items() if port}
    if not used:
        raise InputError("no port to listen on; give --port=8500.")
    if len(set(used.values())) < len(used):
        raise InputError(
            f"REST and gRPC cannot share port {flags.port}; give two ports."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for name, port in used.items():
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, SHARING[name], 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise InputError(
                    f"`{name}` {port} cannot be had at {host}: "
                    f"{error.strerror}; give another port, or end what "
                    "listens there."
                ) from error


def _batching_parameters(
    flags: ServerFlags,
) -> batching.BatchingParameters | None:
    if not flags.batching_parameters_file:
        return None
    if not flags.enable_batching:
        raise InputError(
            "`batching_parameters_file` is of no use without batching; give "
            "--enable_batching too."
        )
    text = _text("batching_parameters_file", flags)
    try:
        return batching.read(text)
    except ValueError as error:
        raise _wrong("batching_parameters_file", flags, error) from error


def _session_config(flags: ServerFlags) -> bytes:
    both, intra, inter = (
        flags.tensorflow_session_parallelism,
        flags.tensorflow_intra_op_parallelism,
        flags.tensorflow_inter_op_parallelism,
    )
    if both and (intra or inter):
        raise InputError(
            "`tensorflow_session_parallelism` sets both "
            "`tensorflow_intra_op_parallelism` and "
            "`tensorflow_inter_op_parallelism`; give it, or these."
        )
    config = config_pb2.ConfigProto()
    if flags.tensorflow_session_config_file:
        config = _parse("tensorflow_session_config_file", flags, config)
    if both or intra:
        config.intra_op_parallelism_threads = both or intra
    if both or inter:
        config.inter_op_parallelism_threads = both or inter
    return config.SerializeToString()


def _parse(name: str, flags: ServerFlags, message: Any) -> Any:
    """Returns the message in the file that a flag names."""
    try:
        return text_format.Parse(_text(name, flags), message)
    except text_format.ParseError as error:
        raise _wrong(name, flags, error) from error


def _text(name: str, flags: ServerFlags) -> str:
    path = getattr(flags, name)
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise InputError(
            f"`{name}` {path} cannot be read: {error.strerror}."
        ) from error
    except UnicodeDecodeError as error:
        raise _wrong(name, flags, error) from error


def _wrong(name: str, flags: ServerFlags, error: Exception) -> InputError:
    path = getattr(flags, name)
    return InputError(f"`{name}` Invalid protobuf file: '{path}': {error}")
