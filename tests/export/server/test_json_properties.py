"""JSON there and back again: any value, any text, any array."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from export.server import json_answer, json_echo, json_text
from export.server.json_text import JsonError, JsonObject
from tests.properties.given import holds

NUM_EXAMPLES = pytest.mark.parametrize(
    "num_examples", [25, pytest.param(100, marks=pytest.mark.slow)]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_subnormal=False)
    | TEXTS
)
SIGNS = b'[]{}:,"\\u0dE+-.19NaInf \xef\xff'
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=20,
)


def _plain(value: Any) -> Any:
    if isinstance(value, JsonObject):
        pairs = zip(value.names, map(_plain, value.values), strict=True)
        return dict(pairs)
    return [*map(_plain, value)] if isinstance(value, list) else value


def _same(one: Any, other: Any) -> bool:
    """Whether values are equal; doubles but for the last bits, and NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        both = math.isnan(one) and math.isnan(other)
        return both or math.isclose(one, other, rel_tol=1e-15)
    if isinstance(one, dict):
        keys = one.keys() == other.keys()
        return keys and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(_same(*pair) for pair in pairs)
    return bool(one == other)


def test_comparison_tells_apart() -> None:
    assert _same([math.nan, {"a": 1.0}], [math.nan, {"a": 1.0}])
    for other in ([1], [1.1], [True], {"a": 1.0}, [1.0, 2.0], "1.0"):
        assert not _same([1.0], other)


@NUM_EXAMPLES
@pytest.mark.parametrize("padding", [b"", b" " * json_text.LARGE_BYTES])
def test_what_python_writes_is_read(padding: bytes, num_examples: int) -> None:
    def claim(value: Any, is_ascii: bool) -> None:
        text = json.dumps(value, ensure_ascii=is_ascii)
        assert _same(_plain(json_text.read(padding + text.encode())), value)

    holds(claim, num_examples, value=VALUES, is_ascii=st.booleans())


@NUM_EXAMPLES
def test_an_echo_is_read_as_what_it_repeats(num_examples: int) -> None:
    def claim(value: Any) -> None:
        read = json_text.read(json.dumps(value).encode())
        echo = json_echo.to_text(read)
        again = json_text.read(echo.encode())
        assert _same(_plain(again), value)

    finite = st.floats(allow_subnormal=False, allow_nan=False,
                       allow_infinity=False)  # fmt: skip
    items = st.none() | st.integers(-(2**63), 2**64 - 1) | finite | TEXTS
    values = st.recursive(
        items,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(TEXTS, inner, max_size=4)
        ),
        max_leaves=20,
    )
    holds(claim, num_examples, value=values)


def check_offset(error: JsonError, body: bytes) -> None:
    """Makes sure that an error is told of a place in the body."""
    assert 0 <= error.offset <= len(body)


@NUM_EXAMPLES
def test_any_bytes_are_read_or_refused_in_place(num_examples: int) -> None:
    def claim(body: bytes) -> None:
        try:
            json_text.read(body)
        except JsonError as error:
            check_offset(error, body)

    signs = st.lists(st.sampled_from(list(SIGNS)))
    holds(claim, num_examples, body=st.binary() | signs.map(bytes))


@NUM_EXAMPLES
@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u8", "?"])
def test_an_array_comes_back_to_the_bit(dtype: str, num_examples: int) -> None:
    def claim(array: np.ndarray) -> None:
        rows = json_answer.from_rows({"y": array})
        columns = json_answer.from_columns({"y": array})
        for text, name in ((rows, "predictions"), (columns, "outputs")):
            found = np.array(json.loads(text)[name], array.dtype)
            np.testing.assert_array_equal(found.reshape(array.shape), array)

    shapes = arrays.array_shapes(max_dims=3, max_side=4)
    elements = {"allow_subnormal": False} if dtype[0] == "f" else None
    drawn = arrays.arrays(dtype, shapes, elements=elements)
    holds(claim, num_examples, array=drawn)
