"""What the configuration of models may say, and what may follow it."""

import pathlib
from typing import Any

import pytest

from export.codes import Code
from export.protos import model_server_config_pb2
from export.server import model_config
from export.server.errors import ServingError
from tests.export.server.fake_models import make_config

Config = model_server_config_pb2.ModelServerConfig
NONE = Config()


def _config(**values: Any) -> Config:
    """Returns a configuration of one model."""
    config = Config()
    config.model_config_list.config.add(
        **{"name": "m", "base_path": "/m", "model_platform": "tensorflow"}
        | values
    )
    return config


def test_file_is_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "models.config"
    path.write_text(
        'model_config_list { config { name: "m" base_path: "/m" '
        'model_platform: "tensorflow" version_labels { key: "a" value: 3 } } }'
    )
    config = model_config.read(str(path))
    assert config == _config(version_labels={"a": 3})


@pytest.mark.parametrize(
    "content",
    [b"model_config_list { config { name: ", b"colour: 1", b"\xff\xfe"],
)
def test_broken_file_is_refused(content: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "models.config"
    path.write_bytes(content)
    with pytest.raises(ServingError) as error:
        model_config.read(str(path))
    assert error.value.code == Code.INVALID_ARGUMENT
    assert error.value.message == f"Invalid protobuf file: '{path}'"


def test_missing_file_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ServingError, match="No such file") as error:
        model_config.read(str(tmp_path / "gone"))
    assert error.value.code == Code.NOT_FOUND


@pytest.mark.parametrize(
    "config",
    [
        NONE,
        make_config({}),
        make_config({"m": "/m", "n": "/m"}),
        _config(base_path="gs://bucket/m"),
        _config(model_platform="", model_type="TENSORFLOW"),
    ],
)
def test_good_configuration_is_taken(config: Config) -> None:
    model_config.check(config, before=NONE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"base_path": "m/n"},
            "Expected model m to have an absolute path or URI; got "
            "base_path()=m/n",
        ),
        ({"base_path": ""}, "Expected model m to have an absolute path"),
        ({"base_path": "3s://m"}, "Expected model m to have an absolute path"),
        (
            {"model_platform": ""},
            "Illegal setting neither ModelServerConfig::model_type "
            "(deprecated) nor ModelServerConfig::model_platform.",
        ),
        (
            {"model_type": "TENSORFLOW"},
            "Illegal setting both ModelServerConfig::model_type (deprecated) "
            "and ModelServerConfig::model_platform.",
        ),
        (
            {"model_platform": "", "model_type": "OTHER"},
            "ModelServerConfig::model_type choice 2 not supported.",
        ),
        (
            {"model_platform": "torch"},
            "Model m requests unsupported platform torch",
        ),
    ],
)
def test_wrong_model_is_refused(values: dict, message: str) -> None:
    with pytest.raises(ServingError) as error:
        model_config.check(_config(**values), before=NONE)
    assert error.value.code == Code.INVALID_ARGUMENT
    assert error.value.message.startswith(message)


def test_model_cannot_be_listed_twice() -> None:
    config = _config()
    config.MergeFrom(_config(base_path="/n"))
    with pytest.raises(ServingError, match="list model m multiple times in"):
        model_config.check(config, before=NONE)


def test_list_is_followed_by_a_list_only() -> None:
    custom = Config()
    custom.custom_model_config.SetInParent()
    model_config.check(make_config({}), before=_config())
    for config in (NONE, custom):
        with pytest.raises(ServingError, match="Cannot transition") as error:
            model_config.check(config, before=_config())
        assert error.value.code == Code.FAILED_PRECONDITION
    with pytest.raises(ServingError, match="support custom model config"):
        model_config.check(custom, before=NONE)


def _labels(
    labels: dict[str, int],
    *,
    before: dict[str, int],
    allow: bool = False,
) -> model_config.Labels:
    """Returns the labels of a model whose versions 1 and 2 are available."""
    return model_config.new_labels(
        make_config({"m": "/m"}, labels=labels),
        before={"m": before, "other": {"new": 9, "used": 9}},
        is_available=lambda name, version: (name, version) in AVAILABLE,
        allow_unavailable=allow,
    )


AVAILABLE = {("m", 1), ("m", 2), ("other", 3)}


@pytest.mark.parametrize("allow", [False, True])
def test_label_moves_to_an_available_version(allow: bool) -> None:
    labels = {"used": 2, "new": 1}
    found = _labels(labels, before={"used": 1, "old": 2}, allow=allow)
    assert found == {"m": labels}


def test_new_label_may_wait_for_its_version_where_allowed() -> None:
    assert _labels({"new": 3}, before={}, allow=True) == {"m": {"new": 3}}
    with pytest.raises(ServingError) as error:
        _labels({"new": 3}, before={})
    assert error.value.code == Code.FAILED_PRECONDITION
    assert error.value.message == (
        "Request to assign label to version 3 of model m, which is not "
        "currently available for inference"
    )


def test_label_in_use_never_moves_to_an_unavailable_version() -> None:
    with pytest.raises(ServingError, match="label to version 3 of model m"):
        _labels({"used": 3}, before={"used": 1}, allow=True)


def test_label_may_stay_where_it_is_where_allowed() -> None:
    assert _labels({"used": 7}, before={"used": 7}, allow=True)
    with pytest.raises(ServingError, match="label to version 7 of model m"):
        _labels({"used": 7}, before={"used": 7})
