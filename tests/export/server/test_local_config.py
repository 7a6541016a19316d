"""The copy of models.config for this machine: as the original, by rename."""

import os
import pathlib
import time

import pytest
from google.protobuf import text_format

from export import models_config
from export.protos import model_server_config_pb2
from export.server import local_config
from tfvae.errors import InputError


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_config, "LOOK_SECONDS", 0.01)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    with models_config.edit(str(tmp_path)) as config:
        models_config.add(config, "decoder", version=1)
    return tmp_path


def model(path: str) -> model_server_config_pb2.ModelConfig:
    config = text_format.Parse(
        pathlib.Path(path).read_text(),
        model_server_config_pb2.ModelServerConfig(),
    )
    return config.model_config_list.config[0]


def replace(path: pathlib.Path, text: str) -> None:
    (path.parent / "new").write_text(text)
    (path.parent / "new").rename(path)


def wait_for_version(path: str, version: int) -> None:
    end = time.monotonic() + 60
    while model(path).version_labels["stable"] != version:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_copy_follows_the_original(folder: pathlib.Path) -> None:
    with local_config.local_config(str(folder)) as local:
        assert model(local).base_path == str(folder / "decoder")
        assert model(local).version_labels["stable"] == 1
        first = os.stat(local).st_ino
        with models_config.edit(str(folder)) as config:
            config.model_config_list.config[0].version_labels["stable"] = 2
        wait_for_version(local, 2)
        second = os.stat(local)
        assert second.st_ino != first
        time.sleep(0.1)
        assert os.stat(local).st_mtime_ns == second.st_mtime_ns
    assert not os.path.exists(local)


def test_what_is_no_configuration_is_passed_over(folder: pathlib.Path) -> None:
    good = (folder / "models.config").read_text()
    with local_config.local_config(str(folder)) as local:
        replace(folder / "models.config", "model {")
        time.sleep(0.05)
        assert model(local).version_labels["stable"] == 1
        (folder / "models.config").unlink()
        time.sleep(0.05)
        replace(folder / "models.config", good.replace("e: 1", "e: 5"))
        wait_for_version(local, 5)


def test_copy_that_says_the_same_is_left(folder: pathlib.Path) -> None:
    with local_config.local_config(str(folder)) as local:
        before = os.stat(local)
        os.utime(folder / "models.config")
        time.sleep(0.05)
        after = os.stat(local)
        assert (after.st_ino, after.st_mtime_ns) == (
            before.st_ino, before.st_mtime_ns
        )  # fmt: skip


def test_folder_without_an_export_is_told(tmp_path: pathlib.Path) -> None:
    with (
        pytest.raises(InputError, match=r"holds no export: .* cannot be read;"),
        local_config.local_config(str(tmp_path)),
    ):
        pass
    (tmp_path / "models.config").write_text("model {")
    with (
        pytest.raises(InputError, match=r"models.config is no ModelServerConf"),
        local_config.local_config(str(tmp_path)),
    ):
        pass
