"""JSON is read as RapidJSON 1.1.0 reads it."""

import json
import math
import random
from typing import Any

import pytest

from export.server import json_text
from export.server.json_text import JsonError, JsonObject


def _plain(value: Any) -> Any:
    """Returns a value as Python's reader would."""
    if isinstance(value, JsonObject):
        pairs = zip(value.names, value.values, strict=True)
        return {name: _plain(item) for name, item in pairs}
    return (
        [_plain(item) for item in value] if isinstance(value, list) else value
    )


def _draw(draws: random.Random, depth: int) -> Any:
    """Returns a random document."""
    if depth and draws.random() < 0.7:
        items = [_draw(draws, depth - 1) for _ in range(draws.randrange(4))]
        if draws.random() < 0.5:
            return items
        return {f'né"w\\{n}': item for n, item in enumerate(items)}
    return draws.choice(
        [None, True, False, "a/\n\u0001é😀", "", 0, -7, 2**63, -(2**63), 0.25,
         -1.5e-7, 1e22, draws.randrange(10**6) / 1000]
    )  # fmt: skip


@pytest.mark.parametrize("indent", [None, 3])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_random_documents(indent: int | None, ascii_only: bool) -> None:
    draws = random.Random(7)
    for _ in range(60):
        document = _draw(draws, 5)
        text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
        assert _plain(json_text.read(text.encode())) == document


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b" \t\r\n[ ]", []),
        (b"{ } x", {}),
        (b"[1] ]", [1]),
        (b"\xef\xbb\xbf[1]", [1]),
        (b"\xbb[1]", [1]),
        (b"[1]\0", [1]),
        (b'"\xff\xc3\xa9"', "\udcffé"),
        (rb'"\ud83d\uDE00\u00e9\u0000"', "😀é\0"),
        (rb'"\udc00"', b"\xed\xb0\x80".decode("utf-8", "surrogateescape")),
        (b'"\x7f"', "\x7f"),
        (b"[Inf, -Inf, Infinity, -Infinity]", [math.inf, -math.inf] * 2),
        (b"18446744073709551615", 2**64 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"-0", 0),
    ],
)
def test_unusual_texts(body: bytes, value: Any) -> None:
    read = _plain(json_text.read(body))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("body", [b"NaN", b"-NaN"])
def test_not_a_number(body: bytes) -> None:
    assert math.isnan(json_text.read(body))


@pytest.mark.parametrize("padding", [b"", b" " * json_text.LARGE_BYTES])
def test_duplicates_are_kept_and_the_first_counts(padding: bytes) -> None:
    value = json_text.read(padding + b'{"a": 1, "b": 2, "a": 3}')
    assert (value.names, value.values) == (["a", "b", "a"], [1, 2, 3])
    assert (value["a"], value["b"]) == (1, 2)
    assert (value.get("a", 9), value.get("c", 9)) == (1, 9)
    assert "b" in value
    assert "c" not in value


@pytest.mark.parametrize(
    ("body", "message", "offset"),
    [
        (b"", "The document is empty.", 0),
        (b"  \n", "The document is empty.", 3),
        (b"\0", "The document is empty.", 0),
        (b"x", "Invalid value.", 0),
        (b"[1, x]", "Invalid value.", 4),
        (b"[nul]", "Invalid value.", 4),
        (b"[tRue]", "Invalid value.", 2),
        (b"[falsy]", "Invalid value.", 5),
        (b"[-x]", "Invalid value.", 2),
        (b"[Nan]", "Invalid value.", 3),
        (b"[-Inx]", "Invalid value.", 4),
        (b"[Infinite]", "Invalid value.", 8),
        (b"[+1]", "Invalid value.", 1),
        (b"[1,]", "Invalid value.", 3),
        (b"[", "Invalid value.", 1),
        (b"[1", "Missing a comma or ']' after an array element.", 2),
        (b"[01]", "Missing a comma or ']' after an array element.", 2),
        (b"[1 2]", "Missing a comma or ']' after an array element.", 3),
        (b"{", "Missing a name for object member.", 1),
        (b"{,}", "Missing a name for object member.", 1),
        (b'{"a":1,}', "Missing a name for object member.", 7),
        (b"{'a':1}", "Missing a name for object member.", 1),
        (b'{"a" 1}', "Missing a colon after a name of object member.", 5),
        (b'{"a":}', "Invalid value.", 5),
        (b'{"a":1 "b":2}', "Missing a comma or '}' after an object member.", 7),
        (b'{"a":1]', "Missing a comma or '}' after an object member.", 6),
        (b'["a', "Missing a closing quotation mark in string.", 3),
        (b'["a\0b"]', "Missing a closing quotation mark in string.", 3),
        (b'["a\nb"]', "Invalid escape character in string.", 3),
        (b'["a\\x"]', "Invalid escape character in string.", 3),
        (b'["a\\', "Invalid escape character in string.", 3),
        (b'["a\\u12"]', "Incorrect hex digit after \\u escape in string.", 3),
        (b'["\\ud83d"]', "The surrogate pair in string is invalid.", 2),
        (b'["\\ud83d\\n"]', "The surrogate pair in string is invalid.", 2),
        (b'["\\ud83d\\u0041"]', "The surrogate pair in string is invalid.", 2),
        (
            b'["\\ud83d\\u00"]',
            "Incorrect hex digit after \\u escape in string.",
            2,
        ),
        (b"[1.]", "Miss fraction part in number.", 3),
        (b"[1.e5]", "Miss fraction part in number.", 3),
        (b"[1e]", "Miss exponent in number.", 3),
        (b"[1e+]", "Miss exponent in number.", 4),
        (b"[0, 1e309]", "Number too big to be stored in double.", 4),
        (b"\xef\xbb\xbf[x]", "Invalid value.", 4),
    ],
)
@pytest.mark.parametrize("is_large", [False, True])
def test_refused_texts(
    body: bytes, message: str, offset: int, is_large: bool
) -> None:
    if is_large:
        start = 3 if body.startswith(b"\xef") else 0
        padding = b" " * json_text.LARGE_BYTES
        body = body[:start] + padding + body[start:]
        offset += len(padding)
    with pytest.raises(JsonError) as error:
        json_text.read(body)
    assert (str(error.value), error.value.offset) == (message, offset)


def test_large_text_is_read_alike() -> None:
    values = [[n, n / 7, "é\udcff", None, 2**63 + n] for n in range(3000)]
    text = json.dumps(values, ensure_ascii=False)
    body = text.encode("utf-8", "surrogateescape") + b"]"
    assert len(body) > json_text.LARGE_BYTES
    assert json_text.read(body) == values
    assert json_text.read(body[:60000] + body[60000:]) == values


@pytest.mark.parametrize("number", [b"1e400", b"9" * 400, b'"\\ud83d"'])
def test_large_text_with_what_python_reads_otherwise(number: bytes) -> None:
    body = b" " * json_text.LARGE_BYTES + b"[" + number + b"]"
    with pytest.raises(JsonError, match=r"too big|surrogate"):
        json_text.read(body)


def test_large_text_with_an_integer_beyond_64_bits() -> None:
    body = b" " * json_text.LARGE_BYTES + b"[18446744073709551616]"
    assert repr(json_text.read(body)) == "[1.8446744073709552e+19]"


@pytest.mark.parametrize("padding", [b"", b" " * json_text.LARGE_BYTES])
@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"":', b"}")])
def test_nesting_has_a_limit(padding: bytes, left: bytes, right: bytes) -> None:
    value = json_text.read(padding + left * 1000 + b"7" + right * 1000)
    depth = 0
    while value != 7:
        (value,) = value if isinstance(value, list) else value.values
        depth += 1
    assert depth == 1000
    body = padding + left * 1001 + b"7" + right * 1001
    with pytest.raises(
        JsonError, match=r"More than 1000 lists and objects in each other\."
    ) as error:
        json_text.read(body)
    assert error.value.offset == len(padding) + 1000 * len(left) + 1


@pytest.mark.parametrize("value", [b"[],", b"{},", b"1,", b'"",'])
def test_number_of_values_has_a_limit(
    value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_text, "MOST_VALUES", 50_000)
    assert json_text.read(b"[" + value * 20_000 + b"0]")[20_000] == 0
    with pytest.raises(
        JsonError, match="More than 16777216 values; send fewer rows at once"
    ):
        json_text.read(b"[" + value * 50_000 + b"0]")
