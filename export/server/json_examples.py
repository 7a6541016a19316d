"""Examples in a request to classify or to regress: what is refused."""

from typing import Any, NoReturn

from export.codes import Code
from export.server import json_values
from export.server.errors import ServingError
from export.server.json_text import JsonObject

LARGEST_INTEGER = 2**63 - 1
# {what a value is in JSON: what a feature of such values holds}
KINDS = {bool: "int64", int: "int64", float: "float", str: "bytes"}


def check(example: Any) -> None:
    """Refuses what is no object of features, each a value or a list of them.

    Raises:
      ServingError: INVALID_ARGUMENT, it is not; or a feature mixes types.
    """
    if not isinstance(example, JsonObject):
        _invalid(
            "Example must be JSON object but got JSON "
            f"{json_values.json_type(example)}"
        )
    for name, content in zip(example.names, example.values, strict=True):
        kind = None
        for value in content if isinstance(content, list) else [content]:
            kind = _check_value(value, name, kind=kind)


def _check_value(value: Any, name: str, *, kind: str | None) -> str:
    """Returns the kind of a feature's value, which must be that before it."""
    is_base64 = json_values.is_base64(value)
    found = "bytes" if is_base64 else KINDS.get(type(value))
    if found is None:
        _invalid(
            f"Feature: {name} has element with unexpected JSON type: "
            f"{json_values.json_type(value)}"
        )
    if kind not in (None, found):
        _invalid(
            f"Unexpected element type in feature: {name} expecting type: {kind}"
        )
    if is_base64:
        json_values.to_bytes(value)
    if isinstance(value, int) and value > LARGEST_INTEGER:
        _invalid(
            f"Feature: {name} has uint64 element. Only int64 is supported."
        )
    return found


def _invalid(message: str) -> NoReturn:
    raise ServingError(Code.INVALID_ARGUMENT, message)
