"""Fuzzes the JSON of the development server: a value or JsonError, the one
that Python reads where both accept, and an echo that can be read again."""

import contextlib
import json
import math
from collections.abc import Iterator
from typing import Any

import atheris

from tests.fuzz.harness import fuzz

with atheris.instrument_imports(include=["export.server"]):
    from export.protos import meta_graph_pb2
    from export.server import json_echo, json_examples, json_tensors, json_text
    from export.server.errors import ServingError
    from export.server.json_text import JsonError, JsonObject

LARGE_BYTES = 64  # from which on Python's reader is tried
DTYPES = (1, 2, 3, 4, 7, 9, 10, 19, 23)


def seeds() -> Iterator[bytes]:
    """Yields requests, and what is odd in JSON."""
    yield b'{"signature_name": "decode", "instances": [[1, 2.5, -3e-2]]}'
    yield b'{"inputs": {"a": [true, null], "b": "\\u00e9\\ud83d\\ude00"}}'
    yield b'{"instances": [{"b64": "AAA="}, {"b64": "AA"}]}'
    yield b"\xef\xbb\xbf[NaN, Infinity, -Inf, 1e308, 5e-324, 0.1]"
    yield b'{"examples": [{"x": [1, 2], "y": "a"}], "context": {"z": 1.5}}'
    yield b"[18446744073709551616, -9223372036854775809, 123456789.123456789]"
    yield b"[" * 99 + b"]" * 99
    yield b" " * LARGE_BYTES + b'[1, "a", {"b": [2.5]}]'


def plain(value: Any) -> Any:
    """Returns a value as Python's reader would."""
    if isinstance(value, JsonObject):
        return [[*value.names], [*map(plain, value.values)]]
    return [*map(plain, value)] if isinstance(value, list) else value


def same(one: Any, other: Any) -> bool:
    """Whether values are equal; doubles but for their last bits, and NaN.

    Of subnormal numbers, and of digits beyond the seventeenth, RapidJSON makes
    less than Python does.
    """
    if isinstance(one, float) or isinstance(other, float):
        both = math.isnan(one) and math.isnan(other)
        return both or math.isclose(one, other, rel_tol=1e-14, abs_tol=2.3e-308)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, str) and isinstance(other, str) and one != other:
        # A low surrogate by itself: to the server, bytes like others.
        with contextlib.suppress(UnicodeError):
            codes = other.encode("utf-8", "surrogatepass")
            return one.encode("utf-8", "surrogateescape") == codes
    return type(one) is type(other) and bool(one == other)


def python_reads(body: bytes) -> Any:
    """Returns what Python reads at the start; ValueError: nothing."""
    decoder = json.JSONDecoder(
        object_pairs_hook=lambda pairs: [
            [name for name, _ in pairs],
            [value for _, value in pairs],
        ]
    )
    text = body.decode().lstrip(" \n\r\t")
    return decoder.raw_decode(text)[0]


def read(body: bytes) -> None:
    """Reads what the fuzzer made, and all that is then made of it."""
    try:
        value = json_text.read(body)
    except JsonError as error:
        check_offset(error, body)
        return
    with contextlib.suppress(ValueError, RecursionError):
        expected = python_reads(body)
        assert same(plain(value), expected), (plain(value), expected)
    with contextlib.suppress(RecursionError):
        echo = json_echo.to_text(value).encode("utf-8", "surrogateescape")
        with contextlib.suppress(JsonError):  # it is cut short at NaN
            again = json_text.read(echo)
            assert same(plain(again), plain(value)), echo
    with contextlib.suppress(ServingError, RecursionError):
        json_examples.check(value)
    to_tensors(value)


def check_offset(error: JsonError, body: bytes) -> None:
    """Makes sure that an error is told of a place in the body."""
    assert 0 <= error.offset <= len(body)


def to_tensors(value: Any) -> None:
    """Makes tensors of a value, of every type and in both forms."""
    for dtype in DTYPES:
        inputs = {"a": meta_graph_pb2.TensorInfo(dtype=dtype)}
        with contextlib.suppress(ServingError, RecursionError):
            json_tensors.read_columns(value, inputs)
        if isinstance(value, list) and value:
            with contextlib.suppress(ServingError, RecursionError):
                json_tensors.read_rows(value, inputs)


if __name__ == "__main__":
    json_text.LARGE_BYTES = LARGE_BYTES
    fuzz(read, seeds(), most_bytes=2048)
