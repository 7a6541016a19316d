"""The real server's flags: names, defaults, spellings."""

import json
import pathlib

import pytest

from export.server import flags as server_flags
from export.server.flags import ServerFlags
from tfvae import flags
from tfvae.errors import InputError

MODES = pathlib.Path(__file__).parents[1] / "recorded" / "modes.json"
# {flag: default}, of tensorflow_model_server's own help.
DEFAULTS = {
    "port": 8500,
    "grpc_socket_path": "",
    "grpc_channel_arguments": "",
    "rest_api_port": 0,
    "rest_api_timeout_in_ms": 30000,
    "rest_api_enable_cors_support": False,
    "model_name": "default",
    "model_base_path": "",
    "model_config_file": "",
    "model_config_file_poll_wait_seconds": 0,
    "file_system_poll_wait_seconds": 1,
    "enable_batching": False,
    "batching_parameters_file": "",
    "enable_per_model_batching_parameters": False,
    "allow_version_labels_for_unavailable_models": False,
    "num_load_threads": 0,
    "max_num_load_retries": 5,
    "load_retry_interval_micros": 60_000_000,
    "flush_filesystem_caches": True,
    "tensorflow_session_parallelism": 0,
    "tensorflow_intra_op_parallelism": 0,
    "tensorflow_inter_op_parallelism": 0,
    "tensorflow_session_config_file": "",
    "saved_model_tags": "serve",
    "enable_model_warmup": True,
    "num_request_iterations_for_warmup": 0,
    "monitoring_config_file": "",
    "ssl_config_file": "",
    "enable_signature_method_name_check": False,
    "xla_cpu_compilation_enabled": False,
    "xla_gpu_compilation_enabled": False,
    "mixed_precision": "",
    "enable_profiler": True,
    "enable_grpc_healthcheck_service": False,
    "enable_serialization_as_tensor_content": False,
    "per_process_gpu_memory_fraction": 0.0,
}


def parse(*arguments: str) -> ServerFlags:
    return flags.parse_as(ServerFlags, ["serve.py", *arguments], summary="")


def test_defaults_are_the_real_ones() -> None:
    none = parse()
    assert {name: getattr(none, name) for name in DEFAULTS} == DEFAULTS
    for name in ("grpc_max_threads", "rest_api_num_threads"):
        assert getattr(none, name) == 0  # as many as the processors ask for


def test_recorded_command_lines_are_accepted() -> None:
    modes = json.loads(MODES.read_text())
    assert len(modes) == 7
    for arguments in modes.values():
        parsed = parse(*arguments)
        assert parsed.model_config_file.startswith("{config}/")


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--port=1"], "port", 1),
        (["-port", "1"], "port", 1),
        (["--enable_batching"], "enable_batching", True),
        (["--enable_batching=true"], "enable_batching", True),
        (["--enable_batching", "--noenable_batching"],
         "enable_batching", False),
        (["--noenable_model_warmup"], "enable_model_warmup", False),
        (["--enable_model_warmup=false"], "enable_model_warmup", False),
        (["--load_retry_interval_micros=5000000000"],
         "load_retry_interval_micros", 5_000_000_000),
        (["--load_retry_interval_micros=-1"], "load_retry_interval_micros", -1),
        (["--file_system_poll_wait_seconds=-1"],
         "file_system_poll_wait_seconds", -1),
        (["--per_process_gpu_memory_fraction=0.5"],
         "per_process_gpu_memory_fraction", 0.5),
    ],
)  # fmt: skip
def test_spellings(arguments: list[str], name: str, value: object) -> None:
    assert getattr(parse(*arguments), name) == value


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--rest_port_api=1", "unknown flag `rest_port_api`; did you mean `re"),
        ("--port=70000", "`port` must be .* at most 65535; got 70,?000"),
        ("--port=x", "`port` must be a whole number"),
        ("--max_num_load_retries=-1", "`max_num_load_retries` must be .* 0"),
        ("stray", "unexpected argument 'stray'"),
    ],
)
def test_wrong_flags_are_told(argument: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        # The settings themselves check what the parser does not.
        parse(argument)


def test_flags_without_a_meaning_here_are_named() -> None:
    given = parse(
        "--noenable_profiler", "--num_load_threads=2", "--port=3",
        "--mixed_precision=bfloat16", "--flush_filesystem_caches=true",
    )  # fmt: skip
    assert server_flags.unused(given) == [
        "--num_load_threads",
        "--mixed_precision",
        "--enable_profiler",
    ]
    assert server_flags.unused(parse()) == []


def test_real_server_is_told_the_same() -> None:
    arguments = [
        "--rest_api_port=3",
        "--model_name=a b",
        "--enable_batching=true",
        "--enable_model_warmup=false",
    ]
    assert server_flags.to_argv(parse(*arguments)) == arguments
    assert parse(*server_flags.to_argv(parse(*arguments))) == parse(*arguments)
    assert server_flags.to_argv(parse()) == []
