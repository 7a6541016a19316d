"""An export, a server that follows it, and rollouts between them."""

import pathlib
from collections.abc import Iterator

import pytest
from google.protobuf import text_format

from export import rollout, rollout_steps, serving_config
from export.protos import model_server_config_pb2
from tests.export import status_server


@pytest.fixture
def folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
    """An export with decoder 1, 2, 3 and vae 1, 2; both serve 1."""
    monkeypatch.setattr(rollout_steps, "LOOK_SECONDS", 0.01)
    for version in ("decoder/1", "decoder/2", "decoder/3", "vae/1", "vae/2"):
        (tmp_path / version).mkdir(parents=True)
        (tmp_path / version / "saved_model.pb").write_bytes(b"")
    serving_config.write(str(tmp_path), names=("decoder", "vae"))
    return tmp_path


@pytest.fixture
def server(folder: pathlib.Path) -> Iterator[status_server.StatusServer]:
    with status_server.running(status_server.StatusServer(folder)) as running:
        running.read()
        yield running


def config(folder: pathlib.Path) -> dict[str, tuple[list[int], int, int]]:
    """{model: (versions served, stable, canary)}."""
    read = text_format.Parse(
        (folder / "models.config").read_text(),
        model_server_config_pb2.ModelServerConfig(),
    )
    return {
        model.name: (
            list(model.model_version_policy.specific.versions),
            model.version_labels["stable"],
            model.version_labels["canary"],
        )
        for model in read.model_config_list.config
    }


def run(folder: pathlib.Path, action: str, *arguments: str) -> int:
    return rollout.main(
        ["rollout.py", action, f"--export_dir={folder}", *arguments]
    )
