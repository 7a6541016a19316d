"""Compressed requests."""

import gzip
import zlib

import pytest

from export.server import request_body

TEXT = b'{"instances": [1, 2, 3]}' * 9
PACKED = gzip.compress(TEXT)


@pytest.mark.parametrize("encoding", ["", "identity", "deflate", "GZIP", "br"])
def test_other_encodings_are_left_alone(encoding: str) -> None:
    assert request_body.unpack(PACKED, encoding=encoding) == PACKED


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "br, gzip"])
def test_gzip_is_unpacked(encoding: str) -> None:
    assert request_body.unpack(PACKED, encoding=encoding) == TEXT


@pytest.mark.parametrize(
    "body",
    [
        b"",
        TEXT,
        PACKED[:-1],
        PACKED[: len(PACKED) // 2],
        PACKED + PACKED,
        PACKED + b"x",
        PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:],
        PACKED[:-4] + b"\0\0\0\1",
        zlib.compress(TEXT),
        gzip.compress(b""),
    ],
    ids=range(10),
)
def test_what_is_not_one_whole_stream_is_empty(body: bytes) -> None:
    assert request_body.unpack(body, encoding="gzip") == b""


def test_most_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MOST_UNPACKED_BYTES", len(TEXT))
    assert request_body.unpack(PACKED, encoding="gzip") == TEXT
    monkeypatch.setattr(request_body, "MOST_UNPACKED_BYTES", len(TEXT) - 1)
    assert request_body.unpack(PACKED, encoding="gzip") == b""
