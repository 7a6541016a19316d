"""models.config: which versions are served, and which labels they bear.

A model is served at the versions to which its labels point, and while a label
moves at both its ends; a version just published is not, until a rollout names
it. The file names folders as a container sees them, under /models; `localise`
gives the same for the machine that holds the export.
"""

import contextlib
import os
import re
from collections.abc import Iterator

from google.protobuf import text_format

from export import locking
from export.protos import model_server_config_pb2 as config_pb2
from tfvae import storage
from tfvae.errors import InputError
from tfvae.folder import Folder, reading

MODELS = "models.config"
CONTAINER_ROOT = "/models"  # where a container has the export folder
STABLE, CANARY = "stable", "canary"
LABELS = (STABLE, CANARY)
# A model's name is that of its folder, and stands in shell scripts.
NAME = re.compile(r"\w[\w .-]*")


def parse(text: str) -> config_pb2.ModelServerConfig:
    """Returns the configuration that a text holds.

    Raises:
      ValueError: it holds none.
    """
    try:
        return text_format.Parse(text, config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise ValueError(str(error)) from error


def read(export_dir: str) -> config_pb2.ModelServerConfig:
    """Returns models.config; without models where there is no such file.

    Raises:
      InputError: the file holds no configuration, cannot be read, or has a
        model whose name could not be that of a folder in the export.
    """
    path = os.path.join(export_dir, MODELS)
    try:
        with reading(path):
            content = storage.read(path)
    except FileNotFoundError:
        return config_pb2.ModelServerConfig()
    try:
        config = parse(content.decode())
    except ValueError as error:
        raise InputError(
            f"{path} is no ModelServerConfig: {error}; mend or remove it."
        ) from error
    for model in config.model_config_list.config:
        if not NAME.fullmatch(model.name):
            raise InputError(
                f"{path} has a model of the name {model.name!r}; a name "
                "begins with a letter, a digit or _, and has no others but "
                "these, blanks, - and .: mend it."
            )
    return config


@contextlib.contextmanager
def edit(export_dir: str) -> Iterator[config_pb2.ModelServerConfig]:
    """Lends models.config, and writes it by rename if its block changed it.

    No other process edits it meanwhile.

    Args:
      export_dir: the export folder.
    """
    with locking.locked(export_dir, MODELS):
        config = read(export_dir)
        before = config.SerializeToString(deterministic=True)
        yield config
        if config.SerializeToString(deterministic=True) != before:
            text = text_format.MessageToString(config).encode()
            Folder(export_dir).write(MODELS, lambda file: file.write(text))


def add(
    config: config_pb2.ModelServerConfig, name: str, *, version: int
) -> None:
    """Adds a model, with every label at one version.

    Args:
      config: is changed.
      name: of the model, and of its folder in the export.
      version: that it is served at.
    """
    model = config.model_config_list.config.add(
        name=name,
        base_path=f"{CONTAINER_ROOT}/{name}",
        model_platform="tensorflow",
    )
    for label in LABELS:
        model.version_labels[label] = version
    serve(model, [version])


def serve(model: config_pb2.ModelConfig, versions: list[int]) -> None:
    """Sets at which versions a model is served, beside those with a label.

    Args:
      model: is changed.
      versions: their numbers.
    """
    wanted = sorted({*versions, *model.version_labels.values()})
    model.model_version_policy.specific.versions[:] = wanted


def served(model: config_pb2.ModelConfig) -> list[int]:
    """Returns the versions at which a model is served, rising."""
    return sorted(model.model_version_policy.specific.versions)


def published(export_dir: str, name: str) -> list[int]:
    """Returns the versions of a model that are in its folder, rising."""
    folder = os.path.join(export_dir, name)
    names = storage.names(folder) if storage.is_folder(folder) else []
    return sorted(
        int(name)
        for name in names
        if name.isascii() and name.isdecimal()
        and storage.exists(os.path.join(folder, name, "saved_model.pb"))
    )  # fmt: skip


def localise(text: str, *, export_dir: str) -> str:
    """Returns models.config with the folders of this machine.

    A base path that is not below /models stays as it is: whoever writes the
    file says what is served, as with the real server.

    Args:
      text: of models.config.
      export_dir: the export folder.

    Raises:
      ValueError: the text is no configuration.
    """
    config = parse(text)
    here = export_dir
    if storage.is_local(export_dir):
        here = os.path.abspath(export_dir)
    for model in config.model_config_list.config:
        path = os.path.normpath(model.base_path)
        if f"{path}/".startswith(f"{CONTAINER_ROOT}/"):
            path = os.path.relpath(path, CONTAINER_ROOT)
            model.base_path = os.path.join(here, path)
    return text_format.MessageToString(config)
