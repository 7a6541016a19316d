"""A request's JSON as error messages repeat it."""

import math
from typing import Any

from export.server import json_numbers
from export.server.json_text import JsonObject

INDENT = "    "
ESCAPES = {point: f"\\u{point:04X}" for point in range(32)} | {
    ord(sign): f"\\{letter}"
    for sign, letter in zip('\b\f\n\r\t"\\', 'bfnrt"\\', strict=True)
}
CONSTANTS = {None: "null", True: "true", False: "false"}


def quote(text: str) -> str:
    """Returns a string as JSON; what is beyond ASCII stays as it is."""
    return f'"{text.translate(ESCAPES)}"'


def to_text(value: Any) -> str:
    """Returns a value with lists on one line and objects on several.

    It is cut short at a number that is not finite, as the server's is.
    """
    pieces: list[str] = []
    _write(value, 0, pieces)
    return "".join(pieces)


def _write(value: Any, depth: int, pieces: list[str]) -> bool:
    """Returns whether to go on."""
    if isinstance(value, list):
        return _write_list(value, depth, pieces)
    if isinstance(value, JsonObject):
        return _write_object(value, depth, pieces)
    if isinstance(value, float):
        if not math.isfinite(value):
            return False
        pieces.append(json_numbers.to_text(value))
    elif isinstance(value, str):
        pieces.append(quote(value))
    elif value is None or isinstance(value, bool):
        pieces.append(CONSTANTS[value])
    else:
        pieces.append(str(value))
    return True


def _write_list(value: list[Any], depth: int, pieces: list[str]) -> bool:
    pieces.append("[")
    for place, item in enumerate(value):
        pieces.append(", " if place else "")
        if not _write(item, depth + 1, pieces):
            return False
    pieces.append("]")
    return True


def _write_object(value: JsonObject, depth: int, pieces: list[str]) -> bool:
    pieces.append("{")
    members = zip(value.names, value.values, strict=True)
    for place, (name, item) in enumerate(members):
        pieces.append(",\n" if place else "\n")
        pieces.append(f"{INDENT * (depth + 1)}{quote(name)}: ")
        if not _write(item, depth + 1, pieces):
            return False
    pieces.append(f"\n{INDENT * depth}}}" if value.names else "}")
    return True
