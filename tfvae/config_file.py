"""Settings read from a config.json, checked one by one."""

from collections.abc import Mapping
from typing import Any

from tfvae import records, settings, storage
from tfvae.config import FIELDS
from tfvae.errors import InputError


def read_json(path: str) -> dict[str, Any]:
    """Returns the settings that a config.json holds, checked one by one.

    Args:
      path: of a JSON object with some or all of Config's fields.

    Raises:
      InputError: the file is missing, no JSON object, or has an unknown or
        ill-typed key.
    """
    content = read_object(path, flag="config")
    return checked(content, source=path)


def read_object(path: str, *, flag: str) -> dict[str, Any]:
    """Returns the JSON object that a file holds.

    Args:
      path: of the file, on any storage.
      flag: that names it, for messages.

    Raises:
      InputError: the file is missing, or holds no JSON object.
    """
    try:
        content = storage.read(path)
    except OSError as error:
        raise InputError(f"`{flag}` {path}: {error.strerror}.") from error
    return records.parse_object(content, source=f"`{flag}` {path}")


def checked(values: Mapping[str, Any], *, source: str) -> dict[str, Any]:
    """Returns `values` in their fields' own types.

    Raises:
      InputError: names the `source`, and the key that is unknown or ill-typed.
    """
    result = {}
    for name, value in values.items():
        if name not in FIELDS:
            raise settings.unknown(f"key in {source}:", name, FIELDS)
        try:
            result[name] = settings.check(FIELDS[name], value)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error
    return result
