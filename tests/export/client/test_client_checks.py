"""What is refused before it is sent, and the arrays that are sent."""

import re
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from export.client import checks
from export.client.servable import Servable, Signature, Tensor
from tfvae.errors import InputError

CARD = {"value_range": [0.0, 1.0], "num_classes": 5, "max_batch_size": 8}
FLOAT, INT = np.dtype(np.float32), np.dtype(np.int64)
TENSORS = {
    "z": Tensor(FLOAT, (None, 2)),
    "x": Tensor(FLOAT, (None, 3, 4, 1)),
    "image": Tensor(FLOAT, (None, 3, 4, 1)),
    "mask": Tensor(FLOAT, (None, 3, 4, 1)),
    "seed": Tensor(INT, (None,)),
    "label": Tensor(INT, (None,)),
    "text": Tensor(np.dtype(object), (None,)),
    "flag": Tensor(np.dtype(np.bool_), (None,)),
    "small": Tensor(np.dtype(np.uint8), (None,)),
    "short": Tensor(np.dtype(np.float16), (None,)),
    "brief": Tensor(np.dtype(ml_dtypes.bfloat16), (None,)),
    "anything": Tensor(FLOAT, None),
    "fixed": Tensor(FLOAT, (2, None)),
    "scalar": Tensor(FLOAT, ()),
}
OUT = {"y": Tensor(FLOAT, (None,))}
IMAGE = np.full([3, 3, 4, 1], 0.5)


def _servable(*names: str, card: dict | None = CARD) -> Servable:
    inputs = {name: TENSORS[name] for name in names}
    return Servable("m", {"s": Signature("s", inputs, OUT)}, card)


def _checked(card: dict | None = CARD, **inputs: Any) -> dict[str, np.ndarray]:
    return checks.checked(_servable(*inputs, card=card), "s", inputs)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("z", [[1, 2], [3]], "`z` must be [batch, 2]; got rows of unequal"),
        ("z", [1, 2], "must be [batch, 2], not empty; got the shape [2]."),
        (
            "z",
            [[1, 2, 3]],
            "must be [batch, 2], not empty; got the shape [1, 3]",
        ),
        ("z", np.zeros([0, 2]), "not empty; got the shape [0, 2]."),
        ("z", [], "must be [batch, 2], not empty; got the shape [0]."),
        ("z", [["a", "b"]], "`z` must hold numbers (float32); got <U1."),
        ("z", [[1, None]], "`z` must hold numbers (float32); got object."),
        ("z", [[1j, 2]], "`z` must hold numbers (float32); got complex128."),
        (
            "z",
            [[0, 1], [0, np.nan]],
            "must be finite in float32; got nan at [1, 1]",
        ),
        ("z", [[0, 1], [-np.inf, 0]], "finite in float32; got -inf at [1, 0]."),
        (
            "z",
            [[0, 1e39]],
            "`z` must be finite in float32; got 1e+39 at [0, 1].",
        ),
        (
            "short",
            [1, 70_000],
            "`short` must be finite in float16; got 70000 at",
        ),
        (
            "brief",
            [1, 1e39],
            "`brief` must be finite in bfloat16; got 1e+39 at",
        ),
        (
            "seed",
            [1, 2.0],
            "`seed` must hold whole numbers (int64); got 2.0.",
        ),
        ("seed", [True, False], "must hold whole numbers (int64); got True."),
        ("seed", [2**63], "must lie in int64, from -9223372036854775808 to"),
        (
            "seed",
            np.array([0, 2**64 - 1], np.uint64),
            "got 18446744073709551615.",
        ),
        (
            "seed",
            [2**70],
            "`seed` must lie in int64, from",
        ),
        ("seed", [1, 2**63], "; got 9223372036854775808."),
        (
            "seed",
            np.array([1.0]),
            "must hold whole numbers (int64); got float64",
        ),
        ("seed", [[1], [2, 3]], "must hold whole numbers (int64); got [1]."),
        ("seed", np.array(["1"]), "must hold whole numbers (int64); got <U1."),
        ("text", np.array([1.5]), "must hold strings (object); got float64."),
        ("small", [3, 256], "must lie in uint8, from 0 to 255; got 256."),
        ("small", [3, -1], "must lie in uint8, from 0 to 255; got -1."),
        ("flag", [0, 1], "`flag` must hold true or false (bool); got int64."),
        ("text", ["a", 3], "`text` must hold strings (object); got 3."),
        (
            "label",
            [4, 5],
            "`label` must be from 0 to 4, a class of the model; ",
        ),
        ("label", [-1, 0], "a class of the model; got -1."),
        (
            "mask",
            IMAGE,
            "`mask` must be 1 where a pixel is seen, else 0; got 0.5",
        ),
        ("x", IMAGE * 3, "`x` must lie in [0, 1]; got values from 1.5 to 1.5."),
        (
            "image",
            IMAGE - 1,
            "`image` must lie in [0, 1]; got values from -0.5",
        ),
        ("fixed", [[1], [2], [3]], "`fixed` must be [2, any], not empty; got"),
        ("scalar", [1], "`scalar` must be [], not empty; got the shape [1]."),
    ],
)
def test_wrong_values_are_refused(name: str, value: Any, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as refused:
        _checked(**{name: value})
    assert str(refused.value).startswith(f"`{name}` ")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("z", [[1, 2], [3, 4]], np.array([[1, 2], [3, 4]], np.float32)),
        ("z", np.full([3, 2], 1e-50), np.zeros([3, 2], np.float32)),
        ("z", [[True, False]], np.array([[1, 0]], np.float32)),
        ("seed", [2**63 - 1, -(2**63)], np.array([2**63 - 1, -(2**63)])),
        ("seed", np.array([3], np.uint64), np.array([3])),
        ("small", [0, 255], np.array([0, 255], np.uint8)),
        ("flag", [True], np.array([True])),
        (
            "text",
            ["ä", b"\0\xff\0"],
            np.array([b"\xc3\xa4", b"\0\xff\0"], object),
        ),
        ("text", np.array(["ab", "c"]), np.array([b"ab", b"c"], object)),
        ("label", [0, 4, 2], np.array([0, 4, 2])),
        ("mask", IMAGE > 1, np.zeros([3, 3, 4, 1], np.float32)),
        ("x", IMAGE * 2, np.ones([3, 3, 4, 1], np.float32)),
        ("anything", 3, np.array(3, np.float32)),
        ("scalar", 3, np.array(3, np.float32)),
        ("short", [1.5], np.array([1.5], np.float16)),
    ],
)
def test_right_values_get_the_declared_type(
    name: str, value: Any, expected: np.ndarray
) -> None:
    if name == "anything":  # without rows
        found = checks.checked(
            Servable("m", {"s": Signature("s", {name: TENSORS[name]}, {})}),
            "s",
            {name: [value, value]},
        )[name]
        np.testing.assert_array_equal(found, [expected, expected])
        return
    found = _checked(**{name: value})[name]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_without_a_card_no_range_is_known() -> None:
    assert _checked(card=None, label=[99] * 3, mask=IMAGE)["label"][0] == 99
    real = {**CARD, "value_range": None}
    assert _checked(card=real, x=IMAGE * 9)["x"].max() == 4.5


def test_the_inputs_are_those_of_the_signature() -> None:
    servable = _servable("z", "label")
    z = [[1, 2]]
    for inputs, got in (
        ({"z": z}, "`z`"),
        ({"z": z, "label": [1], "y": 3}, "`label`, `y`, `z`"),
        ({}, "nothing"),
    ):
        with pytest.raises(InputError) as refused:
            checks.checked(servable, "s", inputs)
        assert str(refused.value) == f"`s` takes `label`, `z`; got {got}."
    with pytest.raises(InputError) as refused:
        checks.checked(servable, "t", {})
    assert str(refused.value) == (
        "the servable `m` has no signature 't'; it has s."
    )


def test_all_inputs_have_equally_many_rows() -> None:
    with pytest.raises(InputError) as refused:
        _checked(z=[[1, 2], [3, 4], [5, 6]], label=[1, 2])
    assert str(refused.value) == (
        "all inputs must have the same number of rows; got `z` 3, `label` 2."
    )
    # Where rows are no rows, that is the server's business.
    assert _checked(z=[[1, 2]], scalar=3)["scalar"] == 3


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(0, [7]), (7, [7]), (8, [7]), (3, [3, 3, 1]), (6, [6, 1])],
)
def test_rows_are_split_in_order(most: int, sizes: list[int]) -> None:
    signature = _servable("z", "seed").signature("s")
    arrays = {"z": np.arange(14.0).reshape(7, 2), "seed": np.arange(7)}
    parts = list(checks.split(signature, arrays, most))
    assert [len(part["z"]) for part in parts] == sizes
    for name, array in arrays.items():
        joined = np.concatenate([part[name] for part in parts])
        np.testing.assert_array_equal(joined, array)


def test_what_has_no_rows_is_not_split() -> None:
    signature = _servable("z", "scalar").signature("s")
    arrays = {"z": np.zeros([9, 2]), "scalar": np.zeros([])}
    assert list(checks.split(signature, arrays, 2)) == [arrays]
    assert checks.num_rows(signature, arrays) is None
