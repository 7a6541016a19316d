"""Which versions of a model its folder offers, and which of them are wanted."""

import os
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from export.codes import Code
from export.protos import model_server_config_pb2
from export.server.errors import ServingError, from_os_error

ModelConfig: TypeAlias = model_server_config_pb2.ModelConfig
# As the server reads a number: blanks around it, a sign, zeros before it.
NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)[ \t\n\v\f\r]*")
INT64 = range(-(2**63), 2**63)


def parse(name: str) -> int | None:
    """Returns the version that a name stands for; None: it is no version."""
    found = NUMBER.fullmatch(name)
    if found is None or int(found[1]) not in INT64:
        return None
    return int(found[1])


def find(model: ModelConfig) -> dict[int, str]:
    """Returns the versions to serve, as they now lie in the base path.

    Whether a version is a folder, and one of a saved model, is not looked at.

    Args:
      model: with a base path and a version policy; without a policy: the
        latest version.

    Returns:
      folders: {version: its folder}.

    Raises:
      ServingError: the base path cannot be read.
    """
    base = model.base_path
    if not os.path.exists(base):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Could not find base path {base} for servable {model.name} with "
            f"error NOT_FOUND: {base} not found",
        )
    try:
        names = sorted(os.listdir(base), key=os.fsencode)
    except OSError as error:
        raise from_os_error(error) from error
    policy = model.model_version_policy.WhichOneof("policy_choice") or "latest"
    if policy == "all":
        names.reverse()
    # Of two names of one version the last counts; with `all`, the first.
    folders = {
        version: os.path.join(base, name)
        for name in names
        if (version := parse(name)) is not None
    }
    return POLICIES[policy](folders, model)


def _latest(folders: Mapping[int, str], model: ModelConfig) -> dict[int, str]:
    count = max(model.model_version_policy.latest.num_versions, 1)
    return dict(sorted(folders.items(), reverse=True)[:count])


def _all(folders: Mapping[int, str], model: ModelConfig) -> dict[int, str]:
    return dict(folders)


def _specific(folders: Mapping[int, str], model: ModelConfig) -> dict[int, str]:
    named = model.model_version_policy.specific.versions
    return {number: folders[number] for number in named if number in folders}


# {the version policy: which of the versions it wants}
POLICIES: dict[
    str, Callable[[Mapping[int, str], ModelConfig], dict[int, str]]
] = {"latest": _latest, "all": _all, "specific": _specific}
