"""The files beside an export's models: what is written, and what is left."""

import pathlib

import pytest
from google.protobuf import text_format

from export import serving_config
from export.protos import model_server_config_pb2
from tfvae.errors import InputError

FILES = {
    "models.config", "monitoring.config", "compose.yaml", "prometheus.yml",
    "kubernetes.yaml",
}  # fmt: skip


def publish(folder: pathlib.Path, *versions: str) -> None:
    for version in versions:
        path = folder / version
        path.mkdir(parents=True)
        (path / "saved_model.pb").write_bytes(b"")


def labels(export_dir: pathlib.Path) -> dict[str, dict[str, int]]:
    config = text_format.Parse(
        (export_dir / "models.config").read_text(),
        model_server_config_pb2.ModelServerConfig(),
    )
    return {
        model.name: dict(model.version_labels)
        for model in config.model_config_list.config
    }


def test_first_export_gets_every_file(tmp_path: pathlib.Path) -> None:
    publish(tmp_path, "decoder/4", "vae/4")
    written = serving_config.write(str(tmp_path), names=("decoder", "vae"))
    assert {pathlib.Path(path) for path in written} == {
        tmp_path / name for name in FILES
    }
    visible = {p.name for p in tmp_path.iterdir() if p.name[0] != "."}
    assert visible == {*FILES, "decoder", "vae"}
    assert labels(tmp_path) == {
        "decoder": {"stable": 4, "canary": 4},
        "vae": {"stable": 4, "canary": 4},
    }


def test_next_version_moves_no_label(tmp_path: pathlib.Path) -> None:
    publish(tmp_path, "decoder/4")
    serving_config.write(str(tmp_path), names=("decoder",))
    texts = {name: (tmp_path / name).read_text() for name in FILES}
    publish(tmp_path, "decoder/5")
    assert serving_config.write(str(tmp_path), names=("decoder",)) == []
    assert texts == {name: (tmp_path / name).read_text() for name in FILES}


def test_model_that_is_new_is_added(tmp_path: pathlib.Path) -> None:
    publish(tmp_path, "decoder/4")
    serving_config.write(str(tmp_path), names=("decoder",))
    publish(tmp_path, "decoder/5", "vae/5")
    written = serving_config.write(str(tmp_path), names=("decoder", "vae"))
    assert written == [str(tmp_path / "models.config")]
    assert labels(tmp_path) == {
        "decoder": {"stable": 4, "canary": 4},
        "vae": {"stable": 5, "canary": 5},
    }


def test_lost_models_config_starts_with_the_first_version(
    tmp_path: pathlib.Path,
) -> None:
    publish(tmp_path, "decoder/10", "decoder/9")
    serving_config.write(str(tmp_path), names=("decoder",))
    assert labels(tmp_path) == {"decoder": {"stable": 9, "canary": 9}}


def test_files_that_were_edited_are_left(tmp_path: pathlib.Path) -> None:
    publish(tmp_path, "decoder/1")
    (tmp_path / "compose.yaml").write_text("mine")
    written = serving_config.write(str(tmp_path), names=("decoder",))
    assert (tmp_path / "compose.yaml").read_text() == "mine"
    assert str(tmp_path / "compose.yaml") not in written


@pytest.mark.parametrize("cors", [True, False])
def test_cors_is_passed_on(tmp_path: pathlib.Path, cors: bool) -> None:
    publish(tmp_path, "decoder/1")
    serving_config.write(str(tmp_path), names=("decoder",), cors=cors)
    for name in ("compose.yaml", "kubernetes.yaml"):
        lines = (tmp_path / name).read_text().splitlines()
        flag = "- --rest_api_enable_cors_support=true"
        assert (flag in [line.strip() for line in lines]) == cors


def test_broken_models_config_is_not_replaced(tmp_path: pathlib.Path) -> None:
    publish(tmp_path, "decoder/1")
    (tmp_path / "models.config").write_text("model {")
    with pytest.raises(InputError, match="is no ModelServerConfig"):
        serving_config.write(str(tmp_path), names=("decoder",))
    assert (tmp_path / "models.config").read_text() == "model {"
