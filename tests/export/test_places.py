"""The files beside the models, and rollouts, wherever an export lies."""

import os

import pytest

from export import locking, models_config, rollout, serve, serving_config
from export.protos import model_server_config_pb2
from tests.export.places import place, tree
from tfvae import holding, storage
from tfvae.errors import InputError
from tfvae.folder import Folder

__all__ = ["place"]  # a fixture


def make_versions(path: str) -> None:
    """Makes an export with vae 1, 2 and 30; it serves 1."""
    for version in ("1", "2", "30"):
        folder = Folder(os.path.join(path, "vae", version))
        folder.write("saved_model.pb", lambda file: file.write(b""))
    serving_config.write(path, names=("vae",))


def labels(path: str) -> dict[str, int]:
    (model,) = models_config.read(path).model_config_list.config
    return dict(model.version_labels)


def run(path: str, action: str, *arguments: str) -> int:
    return rollout.main(
        ["rollout.py", action, f"--export_dir={path}", *arguments]
    )


def test_files_beside_the_models_are_written_once(place: str) -> None:
    make_versions(place)
    assert tree(place) == {
        *(f"vae/{version}/saved_model.pb" for version in (1, 2, 30)),
        "models.config", "monitoring.config", "compose.yaml",
        "prometheus.yml", "kubernetes.yaml",
    }  # fmt: skip
    assert models_config.published(place, "vae") == [1, 2, 30]
    assert serving_config.write(place, names=("vae",)) == []


def test_labels_move_without_a_server(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_versions(place)
    assert run(place, "canary", "--offline", "--version=2") == 0
    assert labels(place) == {"stable": 1, "canary": 2}
    assert run(place, "promote", "--offline", "--version=30") == 0
    assert run(place, "rollback", "--offline") == 0
    assert labels(place) == {"stable": 1, "canary": 1}
    assert run(place, "status") == 0
    assert "vae: canary 1, stable 1\n" in capsys.readouterr().out
    assert not storage.exists(os.path.join(place, ".lock"))


def test_one_program_at_a_time_changes_a_store(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "RENEW_SECONDS", 0.02)
    make_versions(place)
    with locking.alone(Folder(place)):
        if storage.is_local(place):
            assert run(place, "promote", "--offline") == 0
        else:
            with pytest.raises(InputError, match=r"E is in use by .*; wait"):
                run(place, "promote", "--offline")
    assert run(place, "promote", "--offline") == 0
    assert labels(place) == {"stable": 30, "canary": 30}


def test_server_takes_local_folders_only() -> None:
    with pytest.raises(
        InputError, match=r"`export_dir` gs://b/E must be a local folder; copy"
    ):
        serve.main(["serve", "--export_dir=gs://b/E"])


def test_base_paths_in_a_store_are_the_store_s() -> None:
    text = 'model_config_list { config { name: "a" base_path: "/models/a" } }'
    config = model_server_config_pb2.ModelServerConfig()
    localised = models_config.localise(text, export_dir="gs://bucket/E")
    config.CopyFrom(models_config.parse(localised))
    assert config.model_config_list.config[0].base_path == "gs://bucket/E/a"
