"""Single values and nested lists of JSON as values of TensorFlow's types."""

import math
import re
from typing import Any

import pytest

from export.codes import Code
from export.protos import types_pb2
from export.server import json_values
from export.server.errors import ServingError
from export.server.json_text import JsonObject

FLOAT, STRING = types_pb2.DT_FLOAT, types_pb2.DT_STRING
INT32, INT64 = types_pb2.DT_INT32, types_pb2.DT_INT64


def _b64(text: str) -> JsonObject:
    return JsonObject([("b64", text)])


@pytest.mark.parametrize(
    ("value", "dtype", "shape", "values"),
    [
        (7, INT32, (), [7]),
        ([], INT32, (0,), []),
        ([[], []], INT32, (2, 0), []),
        ([[[1, 2]], [[3, 4]], [[5, 6]]], INT32, (3, 1, 2), [1, 2, 3, 4, 5, 6]),
        ([2.5, math.inf, 2**64], FLOAT, (3,), [2.5, math.inf, 2**64]),
        ([], types_pb2.DT_HALF, (0,), []),
        (["é\udcff", _b64("aGk=")], STRING, (2,), [b"\xc3\xa9\xff", b"hi"]),
    ],
)
def test_values_that_fit(
    value: Any, dtype: int, shape: tuple[int, ...], values: list[Any]
) -> None:
    assert json_values.dense(value, dtype=dtype) == (shape, values)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (types_pb2.DT_UINT8, [-(2**31), 2**31 - 1]),
        (types_pb2.DT_INT8, [-(2**31), 2**31 - 1]),
        (types_pb2.DT_INT16, [-(2**31), 2**31 - 1]),
        (INT32, [-(2**31), 2**31 - 1]),
        (INT64, [-(2**63), 2**63 - 1]),
        (types_pb2.DT_UINT32, [0, 2**32 - 1]),
        (types_pb2.DT_UINT64, [0, 2**64 - 1]),
        (types_pb2.DT_BOOL, [True, False]),
    ],
)
def test_ends_of_a_range(dtype: int, values: list[Any]) -> None:
    assert json_values.dense(values, dtype=dtype) == ((2,), values)


@pytest.mark.parametrize(
    ("value", "dtype", "text", "kind", "name"),
    [
        (True, FLOAT, "true", "True", "float"),
        ([1, False], INT32, "false", "False", "int32"),
        ([["a"], 2], FLOAT, '"a"', "String", "float"),
        (None, STRING, "null", "Null", "string"),
        (1.0, INT32, "1.0", "Number", "int32"),
        (math.nan, INT32, "", "Number", "int32"),
        (2**31, types_pb2.DT_INT8, "2147483648", "Number", "int8"),
        (-(2**31) - 1, types_pb2.DT_INT16, "-2147483649", "Number", "int16"),
        (2**63, INT64, "9223372036854775808", "Number", "int64"),
        (-1, types_pb2.DT_UINT32, "-1", "Number", "uint32"),
        (2**32, types_pb2.DT_UINT32, "4294967296", "Number", "uint32"),
        (-1, types_pb2.DT_UINT64, "-1", "Number", "uint64"),
        (1, types_pb2.DT_BOOL, "1", "Number", "bool"),
        ("a", types_pb2.DT_DOUBLE, '"a"', "String", "double"),
        (_b64("Q"), FLOAT, '{\n    "b64": "Q"\n}', "Object", "float"),
        (JsonObject(), types_pb2.DT_HALF, "{}", "Object", "half"),
        (["a", 5, _b64("*")], STRING, "5", "Number", "string"),
    ],
)
def test_first_value_of_another_type(
    value: Any, dtype: int, text: str, kind: str, name: str
) -> None:
    message = (
        f"INVALID_ARGUMENT: JSON Value: {text} Type: {kind} is not of "
        f"expected type: {name}"
    )
    with pytest.raises(ServingError, match=f"^{re.escape(message)}$"):
        json_values.dense(value, dtype=dtype)


@pytest.mark.parametrize(
    ("value", "text"),
    [(JsonObject(), "{}"), (JsonObject([("b64", 1)]), '{\n    "b64": 1\n}')],
)
def test_object_that_is_no_string(value: JsonObject, text: str) -> None:
    message = f"JSON Value: {text} not formatted correctly for base64 data"
    with pytest.raises(ServingError, match=f": {re.escape(message)}$"):
        json_values.dense(["a", value], dtype=STRING)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            [[1], [2, 3]],
            "Encountered list at unexpected size: 2 at level: 1 expected size: "
            "1",
        ),
        (
            [[], [1]],
            "Encountered list at unexpected size: 1 at level: 1 expected size: "
            "0",
        ),
        ([1, [2]], "Encountered list at unexpected level: 1 expected < 1"),
        (
            [[1], 2],
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. "
            "Expected at level: 2",
        ),
        ([1, JsonObject([("a", 1)]), [2]], "JSON Value: {"),
    ],
)
def test_lists_of_unequal_shape(value: Any, message: str) -> None:
    with pytest.raises(ServingError, match=f"^INVALID_ARGUMENT: {message}"):
        json_values.dense(value, dtype=FLOAT)


@pytest.mark.parametrize("other", [("x", 1), ("b64", "aGk=")])
def test_base64_stands_alone_in_its_object(other: tuple[str, Any]) -> None:
    value = JsonObject([("b64", "aGk="), other])
    assert not json_values.is_base64(value)
    assert json_values.is_base64(_b64("aGk="))


def test_first_wrong_string_of_base64() -> None:
    with pytest.raises(ServingError, match=r"Unable to base64 decode$"):
        json_values.dense(["a", _b64("*"), 5], dtype=STRING)


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (types_pb2.DT_UINT16, "uint16"),
        (types_pb2.DT_HALF, "half"),
        (types_pb2.DT_BFLOAT16, "bfloat16"),
        (types_pb2.DT_COMPLEX64, "complex64"),
    ],
)
def test_types_that_json_lacks(dtype: int, name: str) -> None:
    message = f"Conversion of JSON Value: 1.5 to type: {name}"
    with pytest.raises(ServingError, match=f"{message}$") as error:
        json_values.dense([1.5], dtype=dtype)
    assert error.value.code == Code.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", b""),
        ("AAEC/w==", b"\0\1\2\xff"),
        ("AAEC/w", b"\0\1\2\xff"),
        ("AAEC/w..", b"\0\1\2\xff"),
        ("AAEC/x==", b"\0\1\2\xff"),
        (" AA\nEC\t/w\r= =\f\v", b"\0\1\2\xff"),
        ("QUI=", b"AB"),
        ("QUI", b"AB"),
    ],
)
def test_base64(text: str, value: bytes) -> None:
    assert json_values.to_bytes(_b64(text)) == value


@pytest.mark.parametrize(
    "text",
    ["=", "Q", "QQ=", "QQ===", "QUI==", "QUJD=", "A*B=", "A_==", "QQ==QQ==",
     "é", "\0"],
)  # fmt: skip
def test_what_is_no_base64(text: str) -> None:
    with pytest.raises(
        ServingError, match=r"^INVALID_ARGUMENT: Unable to base"
    ):
        json_values.to_bytes(_b64(text))
