"""Values of a request's JSON as those of a TensorFlow type."""

import base64
import itertools
import re
from typing import Any, NoReturn

from export.codes import Code
from export.protos import types_pb2
from export.server import json_echo
from export.server.errors import ServingError
from export.server.json_text import JsonObject

# {DataType: (smallest, largest)}; narrower integers are read as int32, and
# wrap. What is not here cannot be read from JSON, but strings and booleans.
INTEGERS = {
    types_pb2.DT_INT32: (-(2**31), 2**31 - 1),
    types_pb2.DT_INT16: (-(2**31), 2**31 - 1),
    types_pb2.DT_INT8: (-(2**31), 2**31 - 1),
    types_pb2.DT_UINT8: (-(2**31), 2**31 - 1),
    types_pb2.DT_INT64: (-(2**63), 2**63 - 1),
    types_pb2.DT_UINT32: (0, 2**32 - 1),
    types_pb2.DT_UINT64: (0, 2**64 - 1),
}
# {DataType: what its values are in JSON}
KINDS: dict[int, tuple[type, ...]] = {
    types_pb2.DT_FLOAT: (int, float),
    types_pb2.DT_DOUBLE: (int, float),
    types_pb2.DT_BOOL: (bool,),
    types_pb2.DT_STRING: (str, JsonObject),
} | dict.fromkeys(INTEGERS, (int,))
JSON_TYPES = {
    type(None): "Null",
    int: "Number",
    float: "Number",
    str: "String",
    list: "Array",
    JsonObject: "Object",
}
B64 = "b64"
BASE64 = re.compile(r"([A-Za-z0-9+/]*)([=.]*)")
BLANKS = str.maketrans("", "", " \t\n\v\f\r")
PADDING = {0: 0, 2: 2, 3: 1}  # {digits in the last group of four: signs}


def dense(value: Any, *, dtype: int) -> tuple[tuple[int, ...], list[Any]]:
    """Returns (shape, values in row-major order) of nested lists.

    Args:
      value: a single value, or lists of one size at each level.
      dtype: of TensorFlow; strings are returned as bytes.

    Raises:
      ServingError: for the first part that does not fit.
    """
    shape, item = [], value
    while isinstance(item, list):
        shape.append(len(item))
        if not item:
            break
        item = item[0]
    level = [value]
    for size in shape:
        if {*map(type, level)} - {list} or {*map(len, level)} - {size}:
            _refuse(value, 0, shape=shape, dtype=dtype)
        level = list(itertools.chain.from_iterable(level))
    if not _are_of(level, dtype=dtype):
        _refuse(value, 0, shape=shape, dtype=dtype)
    if dtype == types_pb2.DT_STRING:
        level = [to_bytes(value) for value in level]
    return tuple(shape), level


def _are_of(values: list[Any], *, dtype: int) -> bool:
    if not values:
        return True
    if not {*map(type, values)} <= set(KINDS.get(dtype, ())):
        return False
    if dtype in INTEGERS:
        least, most = INTEGERS[dtype]
        return least <= min(values) and max(values) <= most
    return dtype != types_pb2.DT_STRING or all(
        isinstance(value, str) or is_base64(value) for value in values
    )


def _refuse(value: Any, level: int, *, shape: list[int], dtype: int) -> None:
    """Raises for the first part of a value that does not fit."""
    if not isinstance(value, list):
        if level != len(shape):
            _invalid(
                f"JSON Value: {json_echo.to_text(value)} found at incorrect "
                f"level: {level + 1} in the JSON DOM. Expected at level: "
                f"{len(shape)}"
            )
        _refuse_value(value, dtype=dtype)
        return
    if level >= len(shape):
        _invalid(
            f"Encountered list at unexpected level: {level} expected < "
            f"{len(shape)}"
        )
    if len(value) != shape[level]:
        _invalid(
            f"Encountered list at unexpected size: {len(value)} at level: "
            f"{level} expected size: {shape[level]}"
        )
    for item in value:
        _refuse(item, level + 1, shape=shape, dtype=dtype)


def _refuse_value(value: Any, *, dtype: int) -> None:
    """Raises unless a single value is one of the type."""
    text = f"JSON Value: {json_echo.to_text(value)}"
    kind = data_type_name(dtype)
    if isinstance(value, JsonObject) and dtype == types_pb2.DT_STRING:
        if not is_base64(value):
            _invalid(f"{text} not formatted correctly for base64 data")
        to_bytes(value)
    elif dtype not in KINDS and not isinstance(value, JsonObject):
        raise ServingError(
            Code.UNIMPLEMENTED,
            f"Conversion of {text} to type: {kind}",
        )
    elif not _are_of([value], dtype=dtype):
        _invalid(
            f"{text} Type: {json_type(value)} is not of expected type: {kind}"
        )


def json_type(value: Any) -> str:
    """Returns what errors call the type of a value."""
    if isinstance(value, bool):
        return str(value)
    return JSON_TYPES[type(value)]


def data_type_name(dtype: int) -> str:
    """Returns what errors call a DataType."""
    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()


def to_bytes(value: str | JsonObject) -> bytes:
    """Returns a string's bytes; an object of base64 is decoded.

    Raises:
      ServingError: INVALID_ARGUMENT, it is no base64.
    """
    if isinstance(value, JsonObject):
        digits, pads = "", "="
        if found := BASE64.fullmatch(value[B64].translate(BLANKS)):
            digits, pads = found.groups()
        rest = len(digits) % 4
        if rest not in PADDING or len(pads) not in (0, PADDING[rest]):
            _invalid("Unable to base64 decode")
        return base64.b64decode(digits + PADDING[rest] * "=")
    return value.encode("utf-8", "surrogateescape")


def is_base64(value: Any) -> bool:
    """Whether a value is bytes, written as {"b64": text}."""
    return (
        isinstance(value, JsonObject)
        and value.names == [B64]
        and isinstance(value[B64], str)
    )


def _invalid(message: str) -> NoReturn:
    raise ServingError(Code.INVALID_ARGUMENT, message)
