"""Tensors out of a request's JSON, in rows or in columns."""

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from export.c_api import DTYPES
from export.codes import Code
from export.protos import meta_graph_pb2
from export.server import json_echo, json_values
from export.server.errors import ServingError
from export.server.json_text import JsonObject

Inputs = Mapping[str, meta_graph_pb2.TensorInfo]


def read_columns(value: Any, inputs: Inputs) -> dict[str, np.ndarray]:
    """Returns the tensors of a request's "inputs".

    Args:
      value: an object with every input, others are ignored; or the value of
        the only one.
      inputs: the signature's.

    Raises:
      ServingError: INVALID_ARGUMENT, one is missing or none of its type.
    """
    if _is_named(value):
        for name in inputs:
            if name not in value:
                _invalid(f"Missing named input: {name} in 'inputs' object.")
        columns = {name: value[name] for name in inputs}
    elif len(inputs) > 1:
        _invalid(
            "inputs is a plain value/list, but expecting an object as multiple "
            "input tensors required as per tensorinfo_map"
        )
    else:
        columns = {next(iter(inputs)): value}
    tensors = {}
    for name, column in columns.items():
        shape, values = json_values.dense(column, dtype=inputs[name].dtype)
        tensors[name] = _to_array(
            values, shape=shape, dtype=inputs[name].dtype, name=name
        )
    return tensors


def read_rows(rows: list[Any], inputs: Inputs) -> dict[str, np.ndarray]:
    """Returns the tensors of a request's "instances".

    Args:
      rows: at least one; each an object with exactly the inputs, or each the
        value of the only one.
      inputs: the signature's.

    Returns:
      tensors: each with the rows as its first dimension.

    Raises:
      ServingError: INVALID_ARGUMENT, with the row that is wrong.
    """
    if not isinstance(rows[0], JsonObject) and len(inputs) > 1:
        _invalid(
            "instances is a plain list, but expecting list of objects as "
            "multiple input tensors required as per tensorinfo_map"
        )
    columns = {name: _Column(info.dtype) for name, info in inputs.items()}
    named = _is_named(rows[0])
    for place, row in enumerate(rows):
        if named:
            _add_named_row(row, place, columns)
        else:
            _add_plain_row(row, place, columns)
    return {
        name: column.to_array(num_rows=len(rows), name=name)
        for name, column in columns.items()
        if column.shape is not None
    }


def _add_named_row(row: Any, place: int, columns: "_Columns") -> None:
    if not _is_named(row):
        _invalid(f"Expecting object but got list at item {place} of input list")
    # A name ends at its first NUL, as strings of C do.
    names = [name.partition("\0")[0] for name in row.names]
    for name, value in zip(names, row.values, strict=True):
        try:
            if name not in columns:
                _invalid(f"JSON object: does not have named input: {name}")
            columns[name].add(value)
        except ServingError as error:
            _invalid(
                f"Failed to process element: {place} key: {name} of "
                f"'instances' list. Error: {error}"
            )
    if set(names) != set(columns):
        _invalid(
            f"Failed to process element: {place} of 'instances' list. JSON "
            f"object: {json_echo.to_text(row)} keys must be equal to: "
            f"{','.join(sorted(columns))}"
        )


def _add_plain_row(row: Any, place: int, columns: "_Columns") -> None:
    if _is_named(row):
        _invalid(
            f"Expecting value/list but got object at item {place} of input list"
        )
    try:
        next(iter(columns.values())).add(row)
    except ServingError as error:
        _invalid(
            f"Failed to process element: {place} of 'instances' list. Error: "
            f"{error}"
        )


class _Column:
    """An input's rows, which must have one shape.

    A name may occur more than once in a row. All its values are then gathered,
    and those beyond the tensor's size are left out at the end, as the server
    does.

    Attributes:
      shape: of a row; None: there is none.
    """

    shape: tuple[int, ...] | None = None

    def __init__(self, dtype: int) -> None:
        self._dtype = dtype
        self._size = 0
        self._values: list[Any] = []

    def add(self, value: Any) -> None:
        """Adds a row, or raises a ServingError."""
        shape, values = json_values.dense(value, dtype=self._dtype)
        if self.shape is None:
            self.shape, self._size = shape, len(values)
        elif len(values) != self._size:
            _invalid(
                f"Expecting tensor size: {self._size} but got: {len(values)}"
            )
        elif shape != self.shape:
            _invalid(
                f"Expecting shape {_list(self.shape)} but got: {_list(shape)}"
            )
        self._values += values

    def to_array(self, *, num_rows: int, name: str) -> np.ndarray:
        """Returns [num_rows, ...]."""
        assert self.shape is not None
        return _to_array(
            self._values[: num_rows * self._size],
            shape=(num_rows, *self.shape),
            dtype=self._dtype,
            name=name,
        )


_Columns = Mapping[str, _Column]


def _is_named(value: Any) -> bool:
    """Whether it is an object of inputs, by name."""
    return isinstance(value, JsonObject) and not json_values.is_base64(value)


def _to_array(
    values: list[Any], *, shape: tuple[int, ...], dtype: int, name: str
) -> np.ndarray:
    """Returns values as a tensor; numbers beyond a type overflow or wrap."""
    number = np.dtype(DTYPES[dtype])
    if number == np.object_:
        array = np.empty(len(values), object)
        array[:] = values
    elif number.kind == "f":
        with np.errstate(over="ignore"):
            array = np.array(values, np.float64).astype(number)
        # Subnormal numbers are zeros to the server.
        array *= np.abs(array) >= np.finfo(number).smallest_normal
    else:
        wide = (
            np.int32 if number.itemsize < 4 and number.kind != "b" else number
        )
        array = np.array(values, wide).astype(number)
    try:
        return array.reshape(shape)
    except ValueError as error:  # it has too many dimensions
        raise ServingError(
            Code.INVALID_ARGUMENT, f"tensor parsing error: {name}"
        ) from error


def _list(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _invalid(message: str) -> NoReturn:
    raise ServingError(Code.INVALID_ARGUMENT, message)
