"""The program that serves: its flags, and which server it starts."""

import os
import pathlib
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

import pytest

from export import models_config, serve
from export.server import development, real
from tfvae.errors import InputError
from tfvae.flags import HelpRequested

ROOT = pathlib.Path(__file__).parents[2]
PRESET = {
    "model_config_file_poll_wait_seconds": 1,
    "allow_version_labels_for_unavailable_models": True,
    "enable_batching": True,
    "enable_per_model_batching_parameters": True,
}


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What either server was started with; both answer and end at once."""
    calls = []

    def record(kind: str) -> Callable[..., int]:
        def run(flags: Any, **rest: Any) -> int:
            path = flags.model_config_file
            text = pathlib.Path(path).read_text() if path else ""
            calls.append({"kind": kind, "flags": flags, "models": text, **rest})
            rest["on_ready"]()
            return 9

        return run

    monkeypatch.setattr(development, "run", record("development"))
    monkeypatch.setattr(real, "run", record("real"))
    monkeypatch.setattr(real, "find", lambda: None)
    return calls


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    with models_config.edit(str(tmp_path)) as config:
        models_config.add(config, "decoder", version=1)
    return tmp_path


def main(*arguments: str) -> int:
    return serve.main(["serve.py", *arguments])


def test_export_is_served_with_its_flags(
    folder: pathlib.Path,
    started: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(f"--export_dir={folder}") == 0
    (call,) = started
    flags = call["flags"]
    assert {name: getattr(flags, name) for name in PRESET} == PRESET
    assert (flags.port, flags.rest_api_port) == (8500, 8501)
    assert flags.monitoring_config_file == ""
    assert f'base_path: "{folder}/decoder"' in call["models"]
    assert not os.path.exists(flags.model_config_file)
    assert (call["host"], call["max_request_bytes"]) == ("127.0.0.1", 0)
    kind, page = call["pages"]["/explorer"]
    assert kind == "text/html; charset=utf-8"
    assert page.startswith(b"<!DOCTYPE html>")
    assert capsys.readouterr() == (
        "development server (not for production) answers: "
        "REST http://127.0.0.1:8501, gRPC 127.0.0.1:8500\n",
        "",
    )


def test_further_flags_win(
    folder: pathlib.Path, started: list[dict[str, Any]]
) -> None:
    (folder / "monitoring.config").write_text("")
    main(
        f"--export_dir={folder}", "--rest_port=1", "--grpc_port=2",
        "--noenable_batching", "--max_request_bytes=3", "--host=::1",
    )  # fmt: skip
    (call,) = started
    flags = call["flags"]
    assert (flags.rest_api_port, flags.port) == (1, 2)
    assert not flags.enable_batching
    assert flags.enable_per_model_batching_parameters
    assert flags.monitoring_config_file == str(folder / "monitoring.config")
    assert (call["host"], call["max_request_bytes"]) == ("::1", 3)
    main(f"--export_dir={folder}", "--rest_api_port=4", "--port=5")
    flags = started[1]["flags"]
    assert (flags.rest_api_port, flags.port) == (4, 5)


def test_real_server_s_command_line_moves_over(
    started: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    main("--model_base_path=/m", "--model_name=m", "--num_load_threads=2")
    (call,) = started
    flags = call["flags"]
    assert (flags.port, flags.rest_api_port) == (8500, 0)
    assert (flags.model_base_path, flags.model_name) == ("/m", "m")
    assert not any(getattr(flags, name) for name in PRESET)
    assert capsys.readouterr() == (
        "development server (not for production) answers: "
        "gRPC 127.0.0.1:8500\n",
        "of no meaning to the development server: --num_load_threads\n",
    )


def test_real_server_is_taken_where_there_is_one(
    folder: pathlib.Path,
    started: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(real, "find", lambda: "/bin/the_server")
    for choice in ("auto", "real"):
        arguments = (f"--export_dir={folder}", f"--server={choice}")
        assert main(*arguments) == 9
        assert capsys.readouterr().out == (
            "tensorflow_model_server answers: REST http://*:8501, gRPC *:8500\n"
        )
    main(f"--export_dir={folder}", "--server=development")
    assert [call["kind"] for call in started] == [
        "real", "real", "development"
    ]  # fmt: skip
    assert started[0]["binary"] == "/bin/the_server"
    assert {name: getattr(started[0]["flags"], name) for name in PRESET} == (
        PRESET
    )


def test_status_is_the_signal_s(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(flags: Any, *, ending: Any, **rest: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert ending.wait(60)

    monkeypatch.setattr(development, "run", run)
    assert main("--model_base_path=/m") == 130


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--server=real"], "PATH has no tensorflow_model_server; install"),
        (["--server=other"], "`server` must be auto, real or development"),
        (["--rest_port=1", "--rest_api_port=2"], "are the same; give one of"),
        (["--grpc_port=1", "--port=2"], "`grpc_port` and `port` are the same"),
        (
            ["--export_dir=E", "--model_base_path=/m"],
            "`export_dir` and `model_base_path` exclude each other",
        ),
        (
            ["--export_dir=E", "--model_config_file=c"],
            "`export_dir` and `model_config_file` exclude each other",
        ),
        (["--export_dir=/nowhere"], "/nowhere holds no export: "),
        (["--rest_port=70000"], "`rest_port` must be auto or a whole number"),
        (["--rest_prot=7"], "unknown flag `rest_prot`; did you mean `rest_por"),
    ],
)
def test_wrong_input_is_told(
    started: list[dict[str, Any]], arguments: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        main(*arguments)
    assert started == []


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("--version") == 0
    assert capsys.readouterr().out == (
        f"TensorFlow Library: {metadata.version('tensorflow')}\n"
    )


def test_help_says_what_it_is() -> None:
    with pytest.raises(HelpRequested, match="for development, not for produ"):
        main("--help")


@pytest.mark.parametrize("program", ["export.serve", "export.rollout"])
def test_help_is_quick(program: str) -> None:
    def seconds() -> float:  # of the processor: it may be busy otherwise
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    start = seconds()
    done = subprocess.run(
        [sys.executable, "-m", program, "--help"],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert f"usage: python -m {program}" in done.stdout
    assert seconds() - start < 1
