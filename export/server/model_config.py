"""Which models a server is to serve: the rules for that configuration."""

import os
import re
from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from google.protobuf import text_format

from export.codes import Code
from export.protos import model_server_config_pb2
from export.server.errors import ServingError, from_os_error

Config: TypeAlias = model_server_config_pb2.ModelServerConfig
ModelConfig: TypeAlias = model_server_config_pb2.ModelConfig
Labels: TypeAlias = Mapping[str, Mapping[str, int]]  # {model: {label: version}}

URI = re.compile(r"[A-Za-z][0-9A-Za-z.]*://")
TENSORFLOW = "tensorflow"  # the one platform there is
LIST = "model_config_list"  # the one kind of configuration there is


def read(path: str) -> Config:
    """Returns the configuration that a text file holds.

    Raises:
      ServingError: the file cannot be read, or holds another thing.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return text_format.Parse(file.read(), Config())
    except OSError as error:
        raise from_os_error(error) from error
    except (UnicodeDecodeError, text_format.ParseError) as error:
        raise ServingError(
            Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{path}'"
        ) from error


def check(config: Config, *, before: Config) -> None:
    """Makes sure that a configuration may follow another.

    Args:
      config: the new one; it may be empty at the start.
      before: the one in use; empty at the start.

    Raises:
      ServingError: it is of another kind, or a model in it is wrong.
    """
    kind = config.WhichOneof("config")
    if before.WhichOneof("config") is not None and kind != LIST:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            "Cannot transition to requested config. It is only legal to "
            "transition from one ModelConfigList to another.",
        )
    if kind not in (LIST, None):
        raise ServingError(
            Code.UNIMPLEMENTED,
            "ModelServer does not yet support custom model config.",
        )
    names = set()
    for model in config.model_config_list.config:
        if model.name in names:
            raise _invalid(
                f"Illegal to list model {model.name} multiple times in config "
                "list"
            )
        names.add(model.name)
        _check_model(model)


def places(config: Config, path: str) -> frozenset[str]:
    """Returns the folders from which whoever asks may have models loaded.

    The graph of a model may read and write files, so they are those of the
    person who started the server: around its first models and its own file.

    Args:
      config: the first one.
      path: of its file; empty: none.
    """
    paths = [model.base_path for model in config.model_config_list.config]
    return frozenset(
        os.path.dirname(os.path.realpath(known))
        for known in filter(None, [*paths, path])
    )


def check_places(config: Config, *, places: Collection[str]) -> None:
    """Makes sure that models lie in certain folders.

    Args:
      config: a later one.
      places: these folders; none: anywhere.

    Raises:
      ServingError: one does not.
    """
    for model in config.model_config_list.config:
        _check_model(model)
        if places and not _lies_in(model.base_path, places=places):
            raise ServingError(
                Code.PERMISSION_DENIED,
                f"Model {model.name} is at {model.base_path}; a request may "
                "only load what lies beside the models, or the configuration, "
                "with which this development server was started",
            )


def _lies_in(path: str, *, places: Collection[str]) -> bool:
    try:
        found = os.path.realpath(path)
    except ValueError:  # it has a NUL
        return False
    return any(os.path.commonpath([place, found]) == place for place in places)


def new_labels(
    config: Config,
    *,
    before: Labels,
    is_available: Callable[[str, int], bool],
    allow_unavailable: bool,
) -> Labels:
    """Returns the labels of a configuration.

    Args:
      config: that gives them.
      before: the labels in use.
      is_available: tells whether a version of a model is.
      allow_unavailable: whether a label may point at a version that is not;
        one that is in use may not be moved there.

    Raises:
      ServingError: a label points at a version that is not available.
    """
    labels: dict[str, dict[str, int]] = {}
    for model in config.model_config_list.config:
        labels[model.name] = dict(model.version_labels)
        for label, version in model.version_labels.items():
            used = before.get(model.name, {}).get(label, version)
            if allow_unavailable and used == version:
                continue
            if not is_available(model.name, version):
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model "
                    f"{model.name}, which is not currently available for "
                    "inference",
                )
    return labels


def _check_model(model: ModelConfig) -> None:
    if not (URI.match(model.base_path) or os.path.isabs(model.base_path)):
        raise _invalid(
            f"Expected model {model.name} to have an absolute path or URI; got "
            f"base_path()={model.base_path}"
        )
    platform = _platform(model)
    if platform != TENSORFLOW:
        raise _invalid(
            f"Model {model.name} requests unsupported platform {platform}"
        )


def _platform(model: ModelConfig) -> str:
    """Returns `model_platform`, or what the older `model_type` stands for."""
    types = model_server_config_pb2.ModelType
    if model.model_type == types.MODEL_TYPE_UNSPECIFIED:
        if not model.model_platform:
            raise _invalid(
                "Illegal setting neither ModelServerConfig::model_type "
                "(deprecated) nor ModelServerConfig::model_platform."
            )
        return model.model_platform
    if model.model_platform:
        raise _invalid(
            "Illegal setting both ModelServerConfig::model_type (deprecated) "
            "and ModelServerConfig::model_platform."
        )
    if model.model_type != types.TENSORFLOW:
        raise _invalid(
            f"ModelServerConfig::model_type choice {model.model_type} not "
            "supported."
        )
    return TENSORFLOW


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
