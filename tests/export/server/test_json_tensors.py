"""Tensors out of rows and out of columns."""

import re
from typing import Any

import numpy as np
import pytest

from export.protos import meta_graph_pb2, types_pb2
from export.server import json_tensors
from export.server.errors import ServingError
from export.server.json_text import JsonObject


def _inputs(**dtypes: str) -> json_tensors.Inputs:
    return {
        name: meta_graph_pb2.TensorInfo(
            dtype=types_pb2.DataType.Value(f"DT_{dtype}")
        )
        for name, dtype in dtypes.items()
    }


ONE, TWO = _inputs(z="FLOAT"), _inputs(z="FLOAT", label="INT64")


def _row(**members: Any) -> JsonObject:
    return JsonObject([*members.items()])


def _assert_equal(array: np.ndarray, expected: Any, dtype: Any) -> None:
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, np.array(expected, dtype))
    assert array.shape == np.shape(expected)


@pytest.mark.parametrize(
    "rows",
    [[[1, 2.5], [3, 4], [5, 6]],
     [_row(z=[1, 2.5]), _row(z=[3, 4]), _row(z=[5, 6])]],
)  # fmt: skip
def test_rows_of_one_input(rows: list[Any]) -> None:
    tensors = json_tensors.read_rows(rows, ONE)
    assert tensors.keys() == {"z"}
    _assert_equal(tensors["z"], [[1, 2.5], [3, 4], [5, 6]], np.float32)


def test_rows_of_two_inputs() -> None:
    rows = [
        _row(z=[[1]], label=7),
        _row(label=8, z=[[2]]),
        _row(z=[[3]], label=9),
    ]
    tensors = json_tensors.read_rows(rows, TWO)
    _assert_equal(tensors["z"], [[[1]], [[2]], [[3]]], np.float32)
    _assert_equal(tensors["label"], [7, 8, 9], np.int64)


def test_columns() -> None:
    value = _row(z=[[1.5, 2]], label=3, other="ignored")
    tensors = json_tensors.read_columns(value, TWO)
    _assert_equal(tensors["z"], [[1.5, 2]], np.float32)
    _assert_equal(tensors["label"], 3, np.int64)
    tensors = json_tensors.read_columns([[], []], ONE)
    assert tensors["z"].shape == (2, 0)
    text = json_tensors.read_columns(_row(b64="aGk="), _inputs(x="STRING"))
    assert text["x"].shape == ()
    assert text["x"][()] == b"hi"


def test_base64_rows_are_plain_rows() -> None:
    rows = ["a", _row(b64="aGk="), "c"]
    tensors = json_tensors.read_rows(rows, _inputs(x="STRING"))
    assert tensors["x"].tolist() == [b"a", b"hi", b"c"]


def test_a_name_twice_in_a_row() -> None:
    # The server gathers all values and cuts them to the tensor's size.
    row = JsonObject([("z", [1, 2]), ("z", [3, 4])])
    first = json_tensors.read_rows([row], ONE)
    _assert_equal(first["z"], [[1, 2]], np.float32)
    both = json_tensors.read_rows([row, _row(z=[5, 6]), _row(z=[7, 8])], ONE)
    _assert_equal(both["z"], [[1, 2], [3, 4], [5, 6]], np.float32)


def test_a_name_ends_at_its_first_nul() -> None:
    row = JsonObject([("z\0x", [1])])
    _assert_equal(json_tensors.read_rows([row], ONE)["z"], [[1]], np.float32)


@pytest.mark.parametrize(
    ("dtype", "numbers", "expected"),
    [
        ("UINT8", [256, -1, 255], np.array([0, 255, 255], np.uint8)),
        ("INT8", [128, -129, 5], np.array([-128, 127, 5], np.int8)),
        ("INT16", [40000, 1, 2], np.array([-25536, 1, 2], np.int16)),
        ("INT64", [-(2**63), 2**63 - 1], np.array([-(2**63), 2**63 - 1])),
        ("UINT64", [2**64 - 1, 0], np.array([2**64 - 1, 0], np.uint64)),
        ("BOOL", [True, False, True], np.array([True, False, True])),
        ("FLOAT", [1e39, -1e39], np.array([np.inf, -np.inf], np.float32)),
        ("FLOAT", [1e-45, 2**24 + 1], np.array([0, 2**24], np.float32)),
        ("FLOAT", [1.17549435e-38], np.array([2.0**-126], np.float32)),
        ("DOUBLE", [9007199254740993, 1e-310], np.array([2.0**53, 0.0])),
    ],
)  # fmt: skip
def test_numbers_of_a_type(
    dtype: str, numbers: list[Any], expected: np.ndarray
) -> None:
    tensors = json_tensors.read_columns(numbers, _inputs(x=dtype))
    _assert_equal(tensors["x"], expected, expected.dtype)


def test_subnormal_zero_keeps_its_sign() -> None:
    zeros = json_tensors.read_columns([-1e-45, 1e-45, -0.0], ONE)["z"]
    assert np.signbit(zeros).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [_row(z=1), [1]],
            "Expecting object but got list at item 1 of input list",
        ),
        (
            [1, 2, _row(z=1)],
            "Expecting value/list but got object at item 2 of input list",
        ),
        (
            [_row()],
            "Failed to process element: 0 of 'instances' list. JSON object: {} "
            "keys must be equal to: z",
        ),
    ],
)
def test_rows_that_are_refused(rows: list[Any], message: str) -> None:
    with pytest.raises(ServingError, match=f"^INVALID_ARGUMENT: {message}$"):
        json_tensors.read_rows(rows, ONE)


@pytest.mark.parametrize(
    ("rows", "place", "error"),
    [
        (
            [_row(z=1), _row(y=1)],
            "1 key: y",
            "JSON object: does not have named input: y",
        ),
        (
            [_row(z=True)],
            "0 key: z",
            "JSON Value: true Type: True is not of expected type: float",
        ),
        ([[1, 2], [3]], "1", "Expecting tensor size: 2 but got: 1"),
        ([[1, 2], [[3], [4]]], "1", "Expecting shape [2] but got: [2,1]"),
        ([2, [1]], "1", "Expecting shape [] but got: [1]"),
        (
            [1, "a"],
            "1",
            'JSON Value: "a" Type: String is not of expected type: float',
        ),
    ],
)
def test_a_row_that_is_refused(rows: list[Any], place: str, error: str) -> None:
    message = (
        f"INVALID_ARGUMENT: Failed to process element: {place} of 'instances' "
        f"list. Error: INVALID_ARGUMENT: {error}"
    )
    with pytest.raises(ServingError, match=f"^{re.escape(message)}$"):
        json_tensors.read_rows(rows, ONE)


def test_rows_of_a_type_that_json_lacks() -> None:
    with pytest.raises(
        ServingError, match=r"^INVALID.* Error: UNIMPLEMENTED: Conversion of "
    ):
        json_tensors.read_rows([1.5], _inputs(x="HALF"))


def test_rows_without_all_inputs() -> None:
    with pytest.raises(ServingError, match=r"keys must be equal to: label,z$"):
        json_tensors.read_rows([_row(z=1)], TWO)


def test_bare_values_of_two_inputs() -> None:
    tail = "as multiple input tensors required as per tensorinfo_map$"
    with pytest.raises(
        ServingError,
        match=f": instances is a plain list, but expecting list of objects "
        f"{tail}",
    ):
        json_tensors.read_rows([[1]], TWO)
    for value in ([[1]], _row(b64="aGk=")):
        with pytest.raises(
            ServingError,
            match=f": inputs is a plain value/list, but expecting an object "
            f"{tail}",
        ):
            json_tensors.read_columns(value, TWO)


@pytest.mark.parametrize(
    ("value", "inputs", "message"),
    [
        (_row(z=1), TWO, "Missing named input: label in 'inputs' object."),
        (_row(), ONE, "Missing named input: z in 'inputs' object."),
        (None, ONE, "JSON Value: null Type: Null is not of expected type: "),
    ],
)
def test_columns_that_are_refused(
    value: Any, inputs: json_tensors.Inputs, message: str
) -> None:
    with pytest.raises(ServingError, match=f"^INVALID_ARGUMENT: {message}"):
        json_tensors.read_columns(value, inputs)


def test_too_many_dimensions() -> None:
    value: Any = 1.5
    for _ in range(100):
        value = [value]
    with pytest.raises(ServingError, match="tensor parsing error: z"):
        json_tensors.read_columns(value, ONE)
