"""The flags of tensorflow_model_server, its names and its defaults."""

import dataclasses
from typing import Any

from tfvae import settings
from tfvae.settings import setting

MOST = 2**63 - 1
FOR_THE_REAL_ONE = "for the real server alone"


def _port(default: int, help: str) -> Any:
    return setting(default, help, number=int, minimum=0, maximum=65535)


def _seconds(default: int, help: str) -> Any:
    return setting(default, help, number=int, minimum=-settings.LARGEST_INT)


def _count(default: int, help: str, maximum: int = MOST) -> Any:
    return setting(default, help, number=int, minimum=0, maximum=maximum)


def _switch(default: bool, help: str) -> Any:
    return setting(default, help, is_switch=True)


def _unused(default: Any) -> Any:
    """A flag without a meaning on the processor, in one process of Python."""
    rules: dict[type, dict[str, Any]] = {
        bool: {"is_switch": True},
        int: {"number": int},
        float: {"number": float},
        str: {},
    }
    return setting(default, FOR_THE_REAL_ONE, **rules[type(default)])


@dataclasses.dataclass(frozen=True)
class ServerFlags:
    """What tensorflow_model_server is told on its command line."""

    port: int = _port(8500, "of gRPC; 0: none")
    rest_api_port: int = _port(0, "of REST; 0: none")
    model_name: str = setting("default", "of the model at model_base_path")
    model_base_path: str = setting(
        "", "absolute folder of a model, with a folder for each version"
    )
    model_config_file: str = setting(
        "", "a ModelServerConfig with the models to serve"
    )
    model_config_file_poll_wait_seconds: int = _seconds(
        0, "between two looks at model_config_file; 0: it is read once"
    )
    file_system_poll_wait_seconds: int = _seconds(
        1, "between two looks for new versions; 0: once; below: never"
    )
    enable_batching: bool = _switch(False, "join requests into batches")
    batching_parameters_file: str = setting(
        "", "BatchingParameters for all models"
    )
    enable_per_model_batching_parameters: bool = _switch(
        False, "read them from each version's own batching_params.pbtxt"
    )
    allow_version_labels_for_unavailable_models: bool = _switch(
        False, "labels may name versions that are not loaded yet"
    )
    max_num_load_retries: int = _count(5, "tries after a failed load")
    load_retry_interval_micros: int = setting(
        60_000_000,
        "between these tries",
        number=int, minimum=-MOST, maximum=MOST,
    )  # fmt: skip
    enable_model_warmup: bool = _switch(True, "run a version's warm-up records")
    num_request_iterations_for_warmup: int = _count(
        0, "times that each is run; 0: once"
    )
    saved_model_tags: str = setting(
        "serve", "of the graph to load, with commas between"
    )
    rest_api_timeout_in_ms: int = _count(30_000, "for a request over REST")
    rest_api_enable_cors_support: bool = _switch(
        False, "let pages of other origins call REST"
    )
    monitoring_config_file: str = setting(
        "", "a MonitoringConfig: counts and latencies for Prometheus"
    )
    ssl_config_file: str = setting("", "an SSLConfig: TLS for gRPC")
    grpc_max_threads: int = _count(
        0, "for gRPC; 0: four a processor", settings.LARGEST_INT
    )
    enable_grpc_healthcheck_service: bool = _switch(
        False, "answer gRPC's own health checks"
    )
    enable_serialization_as_tensor_content: bool = _switch(
        False, "answer over gRPC with raw bytes, not with typed fields"
    )
    tensorflow_session_config_file: str = setting("", "a ConfigProto")
    tensorflow_session_parallelism: int = _count(
        0, "threads of TensorFlow; 0: its own choice", settings.LARGEST_INT
    )
    tensorflow_intra_op_parallelism: int = _count(
        0, "threads of one operation", settings.LARGEST_INT
    )
    tensorflow_inter_op_parallelism: int = _count(
        0, "operations at a time", settings.LARGEST_INT
    )
    xla_cpu_compilation_enabled: bool = _switch(False, "allow XLA")
    version: bool = _switch(False, "print the version, and end")
    grpc_channel_arguments: str = _unused("")
    grpc_socket_path: str = _unused("")
    rest_api_num_threads: int = _unused(0)
    num_load_threads: int = _unused(0)
    num_unload_threads: int = _unused(0)
    flush_filesystem_caches: bool = _unused(True)
    per_process_gpu_memory_fraction: float = _unused(0.0)
    platform_config_file: str = _unused("")
    use_alts_credentials: bool = _unused(False)
    remove_unused_fields_from_bundle_metagraph: bool = _unused(True)
    prefer_tflite_model: bool = _unused(False)
    num_tflite_pools: int = _unused(0)
    num_tflite_interpreters_per_pool: int = _unused(0)
    enable_signature_method_name_check: bool = _unused(False)
    xla_gpu_compilation_enabled: bool = _unused(False)
    mixed_precision: str = _unused("")
    enable_profiler: bool = _unused(True)
    thread_pool_factory_config_file: str = _unused("")


def unused(flags: ServerFlags) -> list[str]:
    """Returns the flags that were given, and mean nothing here."""
    return [
        f"--{field.name}"
        for field in dataclasses.fields(ServerFlags)
        if settings.rule_of(field).help == FOR_THE_REAL_ONE
        and getattr(flags, field.name) != field.default
    ]


def to_argv(flags: ServerFlags) -> list[str]:
    """Returns the arguments that tell the real server the same.

    Args:
      flags: of which those that differ from the defaults are told.
    """
    return [
        f"--{field.name}={settings.to_text(getattr(flags, field.name))}"
        for field in dataclasses.fields(ServerFlags)
        if getattr(flags, field.name) != field.default
    ]
