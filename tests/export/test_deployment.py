"""Compose and Kubernetes files: what they start, and how it is watched."""

import shutil
import socket
import subprocess
import threading
from typing import Any

import kubernetes_validate
import pytest
import yaml

from export import deployment, text_messages

FLAGS = [
    "--model_config_file=/models/models.config",
    "--monitoring_config_file=/models/monitoring.config",
    "--model_config_file_poll_wait_seconds=1",
    "--allow_version_labels_for_unavailable_models=true",
    "--enable_batching=true",
    "--enable_per_model_batching_parameters=true",
]
CORS = "--rest_api_enable_cors_support=true"


def compose(cors: bool = False) -> dict[str, Any]:
    text = deployment.compose(("decoder", "vae"), cors=cors)
    return yaml.safe_load(text)["services"]


def kubernetes(cors: bool = False) -> dict[str, dict[str, Any]]:
    text = deployment.kubernetes(("decoder", "vae"), cors=cors)
    return {part["kind"]: part for part in yaml.safe_load_all(text)}


def container() -> dict[str, Any]:
    spec = kubernetes()["Deployment"]["spec"]["template"]["spec"]
    (found,) = spec["containers"]
    return found


def test_compose_starts_the_official_image_on_the_folder() -> None:
    serving = compose()["serving"]
    assert serving["image"].split(":")[0] == "tensorflow/serving"
    assert serving["command"] == FLAGS
    assert serving["ports"] == [
        "127.0.0.1:8500:8500",
        "127.0.0.1:8501:8501",
    ]
    assert serving["volumes"] == [
        {
            "type": "bind",
            "source": ".",
            "target": "/models",
            "read_only": True,
        }
    ]


def test_calls_from_other_origins_are_an_option() -> None:
    assert compose(cors=True)["serving"]["command"] == [*FLAGS, CORS]
    spec = kubernetes(cors=True)["Deployment"]["spec"]["template"]["spec"]
    assert spec["containers"][0]["args"] == [*FLAGS, CORS]
    assert f"# - {CORS}" in deployment.compose(("decoder",), cors=False)


def test_prometheus_is_told_where_the_metrics_are() -> None:
    prometheus = compose()["prometheus"]
    assert prometheus["image"].split(":")[0] == "prom/prometheus"
    (mount,) = prometheus["volumes"]
    assert (mount["source"], mount["target"], mount["read_only"]) == (
        "./prometheus.yml",
        "/etc/prometheus/prometheus.yml",
        True,
    )
    (job,) = yaml.safe_load(deployment.PROMETHEUS)["scrape_configs"]
    monitoring = text_messages.read(
        "MonitoringConfig", deployment.MONITORING
    ).prometheus_config
    assert monitoring.enable
    assert job["metrics_path"] == monitoring.path
    assert job["static_configs"] == [{"targets": ["serving:8501"]}]


def test_kubernetes_starts_the_same() -> None:
    assert container()["image"] == compose()["serving"]["image"]
    assert container()["args"] == FLAGS
    (mount,) = container()["volumeMounts"]
    spec = kubernetes()["Deployment"]["spec"]["template"]["spec"]
    (volume,) = spec["volumes"]
    assert mount == {"name": "export", "mountPath": "/models", "readOnly": True}
    assert volume["name"] == mount["name"]
    claim = kubernetes()["PersistentVolumeClaim"]["metadata"]["name"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim


@pytest.mark.parametrize("version", ["1.28", "1.33", "1.37"])
@pytest.mark.parametrize("cors", [False, True])
def test_kubernetes_takes_every_part(cors: bool, version: str) -> None:
    parts = kubernetes(cors)
    assert set(parts) == {"PersistentVolumeClaim", "Deployment", "Service"}
    for part in parts.values():
        kubernetes_validate.validate(part, version, strict=True)


def test_kubernetes_schema_finds_a_wrong_word() -> None:
    part = kubernetes()["Deployment"]
    part["spec"]["template"]["spec"]["containers"][0]["readinessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinessp"):
        kubernetes_validate.validate(part, "1.37", strict=True)


def test_kubernetes_names_fit_each_other() -> None:
    parts = kubernetes()
    labels = parts["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selector = parts["Deployment"]["spec"]["selector"]["matchLabels"]
    assert labels == selector == parts["Service"]["spec"]["selector"]
    ports = {p["name"]: p["containerPort"] for p in container()["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    for port in parts["Service"]["spec"]["ports"]:
        assert ports[port["targetPort"]] == port["port"]
    for probe in ("startupProbe", "livenessProbe"):
        assert container()[probe]["tcpSocket"]["port"] in ports


CHECKS = [
    pytest.param(
        lambda: compose()["serving"]["healthcheck"]["test"][1:], id="compose"
    ),
    pytest.param(
        lambda: container()["readinessProbe"]["exec"]["command"],
        id="kubernetes",
    ),
]


@pytest.mark.parametrize("command", CHECKS)
@pytest.mark.parametrize("state", ["AVAILABLE", "LOADING"])
def test_check_looks_at_the_state(command: Any, state: str) -> None:
    bash, *arguments = command()
    assert shutil.which(bash)
    answer = f'HTTP/1.0 200 OK\r\n\r\n{{"state": "{state}"}}'
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                seen.extend(iter(lines.readline, b"\r\n"))
                connection.sendall(answer.encode())

        thread = threading.Thread(target=serve)
        thread.start()
        port = str(server.getsockname()[1])
        script = arguments[-1].replace("8501", port)
        result = subprocess.run(
            [bash, *arguments[:-1], script], timeout=10, check=False
        )
        thread.join()
    assert seen == [b"GET /v1/models/decoder HTTP/1.0\r\n"]
    assert (result.returncode == 0) == (state == "AVAILABLE")


@pytest.mark.parametrize("command", CHECKS)
def test_check_fails_where_nothing_listens(command: Any) -> None:
    bash, *arguments = command()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        script = arguments[-1].replace("8501", port)
        result = subprocess.run(
            [bash, *arguments[:-1], script],
            stderr=subprocess.DEVNULL, timeout=10, check=False,
        )  # fmt: skip
    assert result.returncode != 0
