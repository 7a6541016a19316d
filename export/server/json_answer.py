"""A prediction's tensors as JSON, laid out as the server lays them out."""

import base64
import math
from collections.abc import Callable, Mapping

import numpy as np

from export.c_api import TYPE_NUMBERS
from export.codes import Code
from export.server import json_numbers
from export.server.errors import ServingError
from export.server.json_echo import INDENT, quote
from export.server.json_values import data_type_name

BYTES_SUFFIX = "_bytes"
Outputs = Mapping[str, np.ndarray]


def from_rows(outputs: Outputs) -> str:
    """Returns {"predictions": [one item for each row]}.

    A row is on one line. Where there are several outputs it is an object.

    Args:
      outputs: {name: [num_rows, ...]}.

    Raises:
      ServingError: INVALID_ARGUMENT, they have no rows, or not equally many,
        or a type that JSON lacks.
    """
    num_rows = _num_rows(outputs)
    depth = 3 if len(outputs) > 1 else 2  # of lists and objects around a row
    columns = {
        name: _nest(
            _texts(name, array, depth=depth + array.ndim - 1),
            array.shape[1:],
            count=num_rows,
        )
        for name, array in outputs.items()
    }
    if len(outputs) > 1:
        rows = [
            "\n" + 2 * INDENT + _object(dict(zip(columns, row, strict=True)), 2)
            for row in zip(*columns.values(), strict=True)
        ]
        items = ",".join(rows)
    else:
        (column,) = columns.values()
        items = ", ".join(column)
    end = f"\n{INDENT}]" if num_rows else "]"
    return _object({"predictions": f"[{items}{end}"}, 0)


def from_columns(outputs: Outputs) -> str:
    """Returns {"outputs": the output}, or an object of them, by name.

    Every number has a line of its own.

    Raises:
      ServingError: INVALID_ARGUMENT, one has a type that JSON lacks.
    """
    depth = 2 if len(outputs) > 1 else 1
    columns = {}
    for name, array in outputs.items():
        texts = _texts(name, array, depth=depth + array.ndim)
        (columns[name],) = _nest(texts, array.shape, count=1, depth=depth)
    if len(outputs) > 1:
        return _object({"outputs": _object(columns, 1)}, 0)
    (column,) = columns.values()
    return _object({"outputs": column}, 0)


def _num_rows(outputs: Outputs) -> int:
    num_rows = None
    for name, array in outputs.items():
        if array.ndim == 0:
            _invalid(f"Tensor name: {name} has no shape information ")
        if num_rows is not None and len(array) != num_rows:
            _invalid(
                f"Tensor name: {name} has inconsistent batch size: "
                f"{len(array)} expecting: {num_rows}"
            )
        num_rows = len(array)
    assert num_rows is not None
    return num_rows


def _texts(name: str, array: np.ndarray, *, depth: int) -> list[str]:
    """Returns the values; `depth` counts the lists and objects around one."""
    if array.dtype == np.object_:
        if name.endswith(BYTES_SUFFIX):
            return [_base64(value, depth) for value in array.flat]
        return [
            quote(value.decode("utf-8", "surrogateescape"))
            for value in array.flat
        ]
    write = WRITERS.get(array.dtype)
    if write is None:
        if array.size:
            kind = data_type_name(TYPE_NUMBERS[array.dtype])
            _invalid(f"Failed to write JSON value for tensor type: {kind}")
        return []
    return write(array)


def _base64(value: bytes, depth: int) -> str:
    return _object({"b64": quote(base64.b64encode(value).decode())}, depth)


def _integers(array: np.ndarray) -> list[str]:
    return [str(value) for value in array.reshape(-1).tolist()]


def _booleans(array: np.ndarray) -> list[str]:
    return ["true" if value else "false" for value in array.flat]


WRITERS: dict[np.dtype, Callable[[np.ndarray], list[str]]] = {
    np.dtype(np.float32): json_numbers.to_texts,
    np.dtype(np.float64): json_numbers.to_texts,
    np.dtype(np.bool_): _booleans,
} | dict.fromkeys(
    map(np.dtype, (np.int8, np.int16, np.int32, np.int64,
                   np.uint8, np.uint32, np.uint64)),
    _integers,
)  # fmt: skip


def _nest(
    texts: list[str],
    shape: tuple[int, ...],
    *,
    count: int,
    depth: int | None = None,
) -> list[str]:
    """Returns `count` nested lists of a shape.

    Args:
      texts: count * the product of `shape` values.
      shape: of each of the nested lists.
      count: how many there are.
      depth: of lists and objects around one; None: write it on one line.
    """
    for axis in reversed(range(len(shape))):
        size = shape[axis]
        start, between, end = "", ", ", ""
        if depth is not None:
            line = f"\n{INDENT * (depth + axis)}"
            start, between, end = line + INDENT, f",{line}{INDENT}", line
        number = count * math.prod(shape[:axis])
        starts = range(0, number * size, size) if size else ()
        texts = [
            f"[{start}{between.join(texts[at : at + size])}{end}]"
            for at in starts
        ] or ["[]"] * number
    return texts


def _object(members: Mapping[str, str], depth: int) -> str:
    """Returns an object that has `depth` lists and objects around it."""
    line = f"\n{INDENT * (depth + 1)}"
    lines = ",".join(
        f"{line}{quote(name)}: {text}" for name, text in members.items()
    )
    return f"{{{lines}\n{INDENT * depth}}}"


def _invalid(message: str) -> None:
    raise ServingError(Code.INVALID_ARGUMENT, message)
