"""Servers in processes of their own: start, answers, rollouts, end."""

import json
import pathlib
import shutil
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest

from export import rollout, serving_config
from tests.export.server_process import REAL, ServerProcess, free_port
from tfvae.errors import FailedError

MODELS = pathlib.Path(__file__).parent / "recorded" / "models"
# Of the recorded decoders at this code.
Z = [0.1, -0.2, 0.3]
FIRST_PIXEL = {1: 0.513862371, 2: 0.310302019}
ours = pytest.mark.skipif(bool(REAL), reason="of the program, not the server")


def get(server: ServerProcess, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(server.url + path, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def first_pixel(server: ServerProcess, at: str = "") -> float:
    request = urllib.request.Request(
        f"{server.url}/v1/models/decoder{at}:predict",
        data=json.dumps({"instances": [Z]}).encode(),
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["predictions"][0][0][0][0]


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """An export of the recorded decoder, version 1, then 2."""
    shutil.copytree(MODELS / "decoder" / "1", tmp_path / "decoder" / "1")
    serving_config.write(str(tmp_path), names=("decoder",))
    shutil.copytree(MODELS / "decoder" / "2", tmp_path / "decoder" / "2")
    return tmp_path


@ours
@pytest.mark.slow
def test_export_is_served_promoted_and_rolled_back(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def roll(action: str, *arguments: str) -> None:
        argv = ["rollout.py", action, f"--export_dir={folder}"]
        url = f"--url={server.url}"
        assert rollout.main([*argv, url, "--timeout=20", *arguments]) == 0

    def labels() -> dict[str, float]:
        return {
            label: first_pixel(server, f"/labels/{label}")
            for label in ("stable", "canary")
        }

    one, two = (pytest.approx(FIRST_PIXEL[v], abs=1e-5) for v in (1, 2))
    with ServerProcess(f"--export_dir={folder}") as server:
        server.ready()
        assert labels() == {"stable": one, "canary": one}
        roll("canary")
        assert labels() == {"stable": one, "canary": two}
        roll("promote")
        assert labels() == {"stable": two, "canary": two}
        roll("rollback")
        assert labels() == {"stable": one, "canary": one}
        assert first_pixel(server) == one
        roll("status")
        status, page = get(server, "/explorer")
        assert status == 200
        assert page.startswith(b"<!DOCTYPE html>")
        status, metrics = get(server, "/monitoring/prometheus/metrics")
        assert b":tensorflow:serving:request_count{" in metrics
        assert server.stop(signal.SIGINT) == 130
        (line,) = server.output().splitlines()
        assert line == (
            "development server (not for production) answers: "
            f"REST {server.url}, gRPC {server.grpc_address}"
        )
    assert "server: 2 END" in capsys.readouterr().out


@ours
@pytest.mark.slow
def test_broken_version_is_not_promoted(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = folder / "decoder" / "2" / "saved_model.pb"
    graph.chmod(0o600)
    graph.write_bytes(graph.read_bytes()[:1000])
    before = (folder / "models.config").read_text()
    flags = ("--max_num_load_retries=0", f"--export_dir={folder}")
    with ServerProcess(*flags) as server:
        server.ready()
        with pytest.raises(
            FailedError,
            match=r"version 2 of decoder cannot be loaded: [A-Z_]+:",
        ):
            rollout.main(
                [
                    "rollout.py", "promote", f"--export_dir={folder}",
                    f"--url={server.url}", "--timeout=20",
                ]
            )  # fmt: skip
        assert (folder / "models.config").read_text() == before
        one = pytest.approx(FIRST_PIXEL[1], abs=1e-5)
        assert first_pixel(server, "/labels/stable") == one


@pytest.mark.slow
def test_request_under_way_is_answered_before_the_end() -> None:
    flags = ("--model_name=decoder", f"--model_base_path={MODELS / 'decoder'}")
    body = json.dumps({"instances": [Z] * 3}).encode()
    with ServerProcess(*flags) as server:
        server.ready()
        if REAL:
            pytest.skip("the real server ends at once")
        with socket.create_connection(("127.0.0.1", server.port), 10) as sent:
            sent.sendall(
                b"POST /v1/models/decoder:predict HTTP/1.1\r\n"
                b"Host: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
            )
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            sent.sendall(body)
            answer = b""
            while part := sent.recv(1 << 16):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200")
        content = answer.partition(b"\r\n\r\n")[2]
        assert len(json.loads(content)["predictions"]) == 3
        assert server.process.wait(15) == 0


@pytest.mark.slow
def test_only_version_that_is_broken_ends_the_process(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "decoder" / "1").mkdir(parents=True)
    (tmp_path / "decoder" / "1" / "saved_model.pb").write_bytes(b"garbage")
    flags = (
        "--model_name=decoder",
        f"--model_base_path={tmp_path / 'decoder'}",
        "--max_num_load_retries=0",
    )
    with ServerProcess(*flags) as server:
        assert not server.listens(30)
        assert server.process.wait(15) == (255 if REAL else 1)
        assert "Failed to start server. Error: " in server.output()
        last = server.output().splitlines()[-1]
        assert REAL or last.startswith("serve.py: Failed to start server.")


@ours
@pytest.mark.slow
def test_server_that_waits_for_a_version_ends_when_told(
    tmp_path: pathlib.Path,
) -> None:
    with ServerProcess(f"--model_base_path={tmp_path}") as server:
        assert not server.listens(4)
        assert not server.exited()
        assert server.stop() == 0


@ours
@pytest.mark.slow
@pytest.mark.parametrize("which", ["--rest_api_port", "--port"])
def test_port_that_is_taken_is_told(which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flags = (f"--model_base_path={MODELS / 'decoder'}", f"{which}={port}")
        with ServerProcess(*flags) as server:
            assert server.process.wait(30) == 2
            assert f"{port} cannot be had at 127.0.0.1" in server.output()


@ours
@pytest.mark.slow
def test_servers_may_share_the_port_of_grpc_but_not_of_rest() -> None:
    flags = (f"--model_base_path={MODELS / 'decoder'}",)
    with ServerProcess(*flags) as first:
        first.ready()
        with ServerProcess(*flags, f"--port={first.grpc_port}") as second:
            second.ready()
        with ServerProcess(*flags, f"--rest_api_port={first.port}") as third:
            assert third.process.wait(30) == 2
            assert f"`rest_api_port` {first.port}" in third.output()


@pytest.mark.slow
def test_relative_base_path_ends_the_process(tmp_path: pathlib.Path) -> None:
    config = tmp_path / "models.config"
    config.write_text(
        'model_config_list { config { name: "decoder" base_path: "decoder" '
        'model_platform: "tensorflow" } }'
    )
    with ServerProcess(f"--model_config_file={config}") as server:
        assert not server.listens(30)
        assert server.process.wait(15) != 0
        assert "to have an absolute path or URI" in server.output()


def test_free_ports_are_free() -> None:
    with socket.create_server(("127.0.0.1", free_port())):
        pass
