"""models.config: models, labels, versions, and who may write it."""

import fcntl
import os
import pathlib

import pytest
from google.protobuf import text_format

from export import models_config
from export.protos import model_server_config_pb2
from tfvae.errors import InputError

TEXT = """
# of somebody else
model_config_list {
  config {
    name: "decoder" base_path: "/models/decoder" model_platform: "tensorflow"
    model_version_policy { specific { versions: 2 versions: 1 } }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "best" value: 2 }
  }
  config {
    name: "far" base_path: "gs://bucket/far" model_platform: "tensorflow"
  }
}
"""


def parse(text: str) -> model_server_config_pb2.ModelServerConfig:
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())


def make_version(folder: pathlib.Path, name: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "saved_model.pb").write_bytes(b"")


def test_model_is_added_with_both_labels(tmp_path: pathlib.Path) -> None:
    with models_config.edit(str(tmp_path)) as config:
        models_config.add(config, "decoder", version=3)
    assert parse((tmp_path / "models.config").read_text()) == parse(
        'model_config_list { config { name: "decoder" '
        'base_path: "/models/decoder" model_platform: "tensorflow" '
        "model_version_policy { specific { versions: 3 } } "
        'version_labels { key: "stable" value: 3 } '
        'version_labels { key: "canary" value: 3 } } }'
    )


def test_versions_served_are_those_named_and_those_with_a_label() -> None:
    model = parse(TEXT).model_config_list.config[0]
    assert models_config.served(model) == [1, 2]
    models_config.serve(model, [5, 1])
    assert models_config.served(model) == [1, 2, 5]
    models_config.serve(model, [])
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    del model.version_labels["stable"]
    models_config.serve(model, [])
    assert models_config.served(model) == [2]


def test_policy_of_another_kind_becomes_specific() -> None:
    config = parse(
        'model_config_list { config { name: "a" model_version_policy { all {} '
        '} version_labels { key: "stable" value: 4 } } }'
    )
    models_config.serve(config.model_config_list.config[0], [])
    policy = config.model_config_list.config[0].model_version_policy
    assert policy.WhichOneof("policy_choice") == "specific"
    assert list(policy.specific.versions) == [4]


def test_nothing_is_there_before_the_first_export(
    tmp_path: pathlib.Path,
) -> None:
    assert models_config.read(str(tmp_path)) == parse("")
    assert models_config.published(str(tmp_path), "decoder") == []


def test_file_is_left_as_it_is_unless_its_meaning_changes(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "models.config").write_text(TEXT)
    before = os.stat(tmp_path / "models.config")
    with models_config.edit(str(tmp_path)) as config:
        assert config == parse(TEXT)
    after = os.stat(tmp_path / "models.config")
    assert (after.st_ino, after.st_mtime_ns) == (
        before.st_ino, before.st_mtime_ns
    )  # fmt: skip
    with models_config.edit(str(tmp_path)) as config:
        config.model_config_list.config[1].version_labels["new"] = 7
    assert os.stat(tmp_path / "models.config").st_ino != before.st_ino
    read = models_config.read(str(tmp_path))
    assert dict(read.model_config_list.config[1].version_labels) == {"new": 7}


def test_failed_edit_writes_nothing(tmp_path: pathlib.Path) -> None:
    (tmp_path / "models.config").write_text(TEXT)

    def fail() -> None:
        with models_config.edit(str(tmp_path)) as config:
            config.Clear()
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert (tmp_path / "models.config").read_text() == TEXT


def test_broken_file_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "models.config").write_text("model_config_list { config {")
    with pytest.raises(
        InputError, match=r"models.config is no ModelServerConfig: .*; mend or"
    ):
        models_config.read(str(tmp_path))


def test_file_that_cannot_be_read_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "models.config").mkdir()
    with pytest.raises(
        InputError, match=r"models.config cannot be read: Is a directory"
    ):
        models_config.read(str(tmp_path))


ODD_NAMES = [
    "", ".", "..", ".staging-1", "../decoder", "/etc", "a/b", "a\\\\b", "a\\nb",
    "-rf", "a'; reboot; '", "$(reboot)", "`reboot`", "a:b", "a\\000b", "{x}",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_of_models_are_refused(
    tmp_path: pathlib.Path, name: str
) -> None:
    """Names become paths, and words of a shell in compose.yaml."""
    text = f'model_config_list {{ config {{ name: "{name}" }} }}'
    (tmp_path / "models.config").write_text(text)
    with pytest.raises(
        InputError, match=r"has a model of the name ['\"].*['\"]; a name begins"
    ):
        models_config.read(str(tmp_path))


@pytest.mark.parametrize(
    "name", ["decoder", "a b", "v1.2", "_x", "modèle", "1"]
)
def test_names_of_folders_are_taken(tmp_path: pathlib.Path, name: str) -> None:
    with models_config.edit(str(tmp_path)) as config:
        models_config.add(config, name, version=3)
    (model,) = models_config.read(str(tmp_path)).model_config_list.config
    assert model.name == name


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/models", "/E/."),
        ("/models/a/../b", "/E/b"),
        ("/models/..b", "/E/..b"),
        ("/models/b/", "/E/b"),
        # As the server takes them: who writes the file says what is served.
        ("/models/../etc", "/models/../etc"),
        ("/modelsx", "/modelsx"),
        ("/etc", "/etc"),
        ("b", "b"),
        ("../b", "../b"),
        ("gs://bucket/b", "gs://bucket/b"),
        ("", ""),
    ],
)
def test_only_folders_below_models_are_the_export_s(
    path: str, local: str
) -> None:
    text = f'model_config_list {{ config {{ name: "a" base_path: "{path}" }} }}'
    found = parse(models_config.localise(text, export_dir="/E"))
    assert found.model_config_list.config[0].base_path == local


def test_one_edits_at_a_time(tmp_path: pathlib.Path) -> None:
    with (
        models_config.edit(str(tmp_path)),
        open(tmp_path / ".models.config.lock", "ab") as other,
        pytest.raises(BlockingIOError, match="unavailable"),
    ):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_published_versions_are_whole_numbers_with_a_model(
    tmp_path: pathlib.Path,
) -> None:
    for name in ("10", "9", "1", ".staging-1", "v2", "-3", "٣", "1.5"):
        make_version(tmp_path / "decoder", name)
    (tmp_path / "decoder" / "11").mkdir()
    (tmp_path / "decoder" / "12").write_text("a file")
    assert models_config.published(str(tmp_path), "decoder") == [1, 9, 10]


def test_folders_of_the_container_become_this_machine_s(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    local = parse(models_config.localise(TEXT, export_dir="E"))
    expected = parse(TEXT)
    expected.model_config_list.config[0].base_path = f"{tmp_path}/E/decoder"
    assert local == expected


def test_text_that_is_no_configuration_is_not_localised() -> None:
    with pytest.raises(ValueError, match='no field named "models"'):
        models_config.localise("models {}", export_dir="E")
