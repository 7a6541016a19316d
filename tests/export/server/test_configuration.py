"""What flags and the files that they name say."""

import pathlib
import socket

import pytest
from google.protobuf import text_format

from export.batching import BatchingParameters
from export.protos import config_pb2, model_server_config_pb2
from export.server import configuration
from export.server.flags import ServerFlags
from export.server.options import Options
from tfvae.errors import InputError

READERS = {
    "model_config_file": configuration.read_config,
    "batching_parameters_file": configuration.read_options,
    "tensorflow_session_config_file": configuration.read_options,
    "monitoring_config_file": configuration.read_metrics_path,
    "ssl_config_file": configuration.read_ssl_config,
}


def test_one_model_is_named_on_the_command_line() -> None:
    config = configuration.read_config(
        ServerFlags(model_name="decoder", model_base_path="/models/decoder")
    )
    assert config == text_format.Parse(
        'model_config_list { config { name: "decoder" '
        'base_path: "/models/decoder" model_platform: "tensorflow" } }',
        model_server_config_pb2.ModelServerConfig(),
    )


def test_models_of_a_file_win(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "models"
    path.write_text('model_config_list { config { name: "a" } }')
    config = configuration.read_config(
        ServerFlags(model_config_file=str(path), model_base_path="/elsewhere")
    )
    assert [model.name for model in config.model_config_list.config] == ["a"]


def test_nothing_to_serve_is_told() -> None:
    with pytest.raises(InputError, match="nothing to serve; give --export_dir"):
        configuration.read_config(ServerFlags())


def test_options_are_the_flags() -> None:
    assert configuration.read_options(ServerFlags()) == Options()
    options = configuration.read_options(
        ServerFlags(
            file_system_poll_wait_seconds=7,
            model_config_file="models",
            model_config_file_poll_wait_seconds=3,
            max_num_load_retries=2,
            load_retry_interval_micros=9,
            allow_version_labels_for_unavailable_models=True,
            saved_model_tags="serve,gpu",
            enable_model_warmup=False,
            num_request_iterations_for_warmup=4,
            enable_batching=True,
            enable_per_model_batching_parameters=True,
            tensorflow_intra_op_parallelism=5,
            tensorflow_inter_op_parallelism=6,
        )
    )
    session = config_pb2.ConfigProto.FromString(options.session_config)
    assert session == config_pb2.ConfigProto(
        intra_op_parallelism_threads=5, inter_op_parallelism_threads=6
    )
    assert options == Options(
        file_system_poll_wait_seconds=7,
        model_config_file="models",
        model_config_file_poll_wait_seconds=3,
        max_num_load_retries=2,
        load_retry_interval_micros=9,
        allow_version_labels_for_unavailable_models=True,
        saved_model_tags=("serve", "gpu"),
        enable_model_warmup=False,
        num_request_iterations_for_warmup=4,
        enable_batching=True,
        enable_per_model_batching_parameters=True,
        session_config=options.session_config,
    )


def test_session_is_set_by_its_file_and_then_by_flags(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "session"
    path.write_text(
        "inter_op_parallelism_threads: 2 allow_soft_placement: true"
    )
    options = configuration.read_options(
        ServerFlags(
            tensorflow_session_config_file=str(path),
            tensorflow_session_parallelism=3,
        )
    )
    assert config_pb2.ConfigProto.FromString(options.session_config) == (
        config_pb2.ConfigProto(
            intra_op_parallelism_threads=3,
            inter_op_parallelism_threads=3,
            allow_soft_placement=True,
        )
    )


@pytest.mark.parametrize("kind", ["intra", "inter"])
def test_parallelism_is_set_once(kind: str) -> None:
    flags = ServerFlags(
        tensorflow_session_parallelism=2,
        **{f"tensorflow_{kind}_op_parallelism": 3},
    )
    with pytest.raises(InputError, match=r"sets both .*; give it, or these"):
        configuration.read_options(flags)


def test_batching_parameters_are_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "batching"
    path.write_text("max_batch_size { value: 5 }")
    options = configuration.read_options(
        ServerFlags(batching_parameters_file=str(path), enable_batching=True)
    )
    assert options.batching_parameters == BatchingParameters(max_batch_size=5)
    with pytest.raises(InputError, match=r"of no use .* --enable_batching too"):
        configuration.read_options(
            ServerFlags(batching_parameters_file=str(path))
        )


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (
            "prometheus_config { enable: true }",
            "/monitoring/prometheus/metrics",
        ),
        ('prometheus_config { enable: true path: "/own" }', "/own"),
        ('prometheus_config { path: "/own" }', None),
        ("", None),
    ],
)
def test_metrics_have_a_path(
    tmp_path: pathlib.Path, text: str, path: str | None
) -> None:
    (tmp_path / "monitoring").write_text(text)
    flags = ServerFlags(monitoring_config_file=str(tmp_path / "monitoring"))
    assert configuration.read_metrics_path(flags) == path
    assert configuration.read_metrics_path(ServerFlags()) is None


def test_tls_is_passed_on_as_it_stands(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ssl").write_text('server_key: "a" # here')
    flags = ServerFlags(ssl_config_file=str(tmp_path / "ssl"))
    assert configuration.read_ssl_config(flags) == 'server_key: "a" # here'
    assert configuration.read_ssl_config(ServerFlags()) == ""


@pytest.mark.parametrize("name", READERS)
def test_files_that_cannot_be_read_are_named(
    tmp_path: pathlib.Path, name: str
) -> None:
    path = tmp_path / "file"
    given = {name: str(path), "enable_batching": True}
    with pytest.raises(
        InputError, match=f"`{name}` {path} cannot be read: No such file"
    ):
        READERS[name](ServerFlags(**given))
    for content in (b"what {", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(
            InputError, match=f"`{name}` Invalid protobuf file: '{path}': "
        ):
            READERS[name](ServerFlags(**given))


def test_ports_are_there_and_differ() -> None:
    with pytest.raises(InputError, match="no port to listen on"):
        configuration.check_ports(ServerFlags(port=0), host="127.0.0.1")
    flags = ServerFlags(port=3, rest_api_port=3)
    with pytest.raises(InputError, match="cannot share port 3; give two"):
        configuration.check_ports(flags, host="127.0.0.1")


@pytest.mark.parametrize("name", ["port", "rest_api_port"])
def test_port_that_is_taken_is_told(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        flags = ServerFlags(**{"port": 0, name: taken})
        with pytest.raises(
            InputError,
            match=f"`{name}` {taken} cannot be had at 127.0.0.1: ",
        ):
            configuration.check_ports(flags, host="127.0.0.1")
    configuration.check_ports(flags, host="127.0.0.1")
    if socket.has_ipv6:
        configuration.check_ports(flags, host="::1")
