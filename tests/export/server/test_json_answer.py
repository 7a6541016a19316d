"""Answers: their layout and what cannot be written."""

import json

import ml_dtypes
import numpy as np
import pytest

from export.server import json_answer
from export.server.errors import ServingError


def _strings(*values: bytes) -> np.ndarray:
    return np.array(values, object)


def test_rows_of_one_output() -> None:
    x = np.arange(6, dtype=np.float32).reshape(3, 1, 2)
    assert json_answer.from_rows({"x": x}) == (
        '{\n    "predictions": [[[0.0, 1.0]], [[2.0, 3.0]], [[4.0, 5.0]]\n'
        "    ]\n}"
    )


def test_rows_of_scalars_and_of_nothing() -> None:
    x = np.array([1, 2, 3])
    assert json_answer.from_rows({"x": x}) == (
        '{\n    "predictions": [1, 2, 3\n    ]\n}'
    )
    assert json_answer.from_rows({"x": x[:0]}) == '{\n    "predictions": []\n}'
    empty = np.zeros((2, 0, 3))
    assert json_answer.from_rows({"x": empty}) == (
        '{\n    "predictions": [[], []\n    ]\n}'
    )
    inner = json_answer.from_rows({"x": np.zeros((1, 2, 0))})
    assert inner == '{\n    "predictions": [[[], []]\n    ]\n}'


def test_rows_of_two_outputs() -> None:
    outputs = {
        "z": np.array([[1.5], [2.5], [3.5]]),
        "png_bytes": _strings(b"hi", b"", b"\xff"),
    }
    text = json_answer.from_rows(outputs)
    assert text.startswith(
        '{\n    "predictions": [\n        {\n            "z": [1.5],\n'
        '            "png_bytes": {\n                "b64": "aGk="\n'
        '            }\n        },\n        {\n            "z": [2.5],\n'
    )
    assert text.endswith("            }\n        }\n    ]\n}")
    assert json.loads(text)["predictions"][2] == {
        "z": [3.5], "png_bytes": {"b64": "/w=="},
    }  # fmt: skip


def test_rows_of_bytes() -> None:
    outputs = {"y_bytes": _strings(b"hi", b"ho")}
    assert json_answer.from_rows(outputs) == (
        '{\n    "predictions": [{\n            "b64": "aGk="\n        }, '
        '{\n            "b64": "aG8="\n        }\n    ]\n}'
    )


def test_columns_of_one_output() -> None:
    x = np.array([[1, 2], [3, 4]], np.uint8)
    assert json_answer.from_columns({"x": x}) == (
        '{\n    "outputs": [\n        [\n            1,\n            2\n'
        "        ],\n        [\n            3,\n            4\n        ]\n"
        "    ]\n}"
    )
    scalar = json_answer.from_columns({"x": np.float32(3)})
    assert scalar == '{\n    "outputs": 3.0\n}'
    empty = json_answer.from_columns({"x": np.zeros((2, 0))})
    assert empty == '{\n    "outputs": [\n        [],\n        []\n    ]\n}'


def test_columns_of_two_outputs() -> None:
    outputs = {"y": np.array([True, False]), "y_bytes": _strings(b"a")}
    assert json_answer.from_columns(outputs) == (
        '{\n    "outputs": {\n        "y": [\n            true,\n'
        '            false\n        ],\n        "y_bytes": [\n            {\n'
        '                "b64": "YQ=="\n            }\n        ]\n    }\n}'
    )


def test_strings_are_escaped_and_else_left_as_they_are() -> None:
    outputs = {"y": _strings(b'"\\/\n\x01', "é".encode(), b"\xff")}
    text = json_answer.from_rows(outputs)
    assert '["\\"\\\\/\\n\\u0001", "é", "\udcff"' in text


def test_numbers_named_bytes_are_numbers() -> None:
    text = json_answer.from_rows({"y_bytes": np.array([7], np.int32)})
    assert json.loads(text) == {"predictions": [7]}


@pytest.mark.parametrize(
    "dtype",
    [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32, np.uint64],
)
def test_integers(dtype: type) -> None:
    limits = np.iinfo(dtype)
    x = np.array([limits.min, 0, limits.max], dtype)
    values = json.loads(json_answer.from_columns({"x": x}))["outputs"]
    assert values == [limits.min, 0, limits.max]


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (np.float16, "half"),
        (ml_dtypes.bfloat16, "bfloat16"),
        (np.complex64, "complex64"),
        (np.uint16, "uint16"),
    ],
)
def test_types_that_cannot_be_written(dtype: type, name: str) -> None:
    message = f"Failed to write JSON value for tensor type: {name}$"
    for write in (json_answer.from_rows, json_answer.from_columns):
        with pytest.raises(ServingError, match=message):
            write({"y": np.zeros(3, dtype)})
        assert write({"y": np.zeros(0, dtype)}).endswith("[]\n}")


def test_outputs_without_rows() -> None:
    scalar = {"x": np.zeros(3), "total": np.float32(1)}
    with pytest.raises(
        ServingError, match=r"Tensor name: total has no shape information $"
    ):
        json_answer.from_rows(scalar)


def test_outputs_of_unequal_rows() -> None:
    with pytest.raises(
        ServingError,
        match=r"Tensor name: b has inconsistent batch size: 5 expecting: 3$",
    ):
        json_answer.from_rows({"a": np.zeros((3, 2)), "b": np.zeros(5)})
