"""TFRecord files: what is read, and how damage is told."""

import io
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from export.codes import Code
from export.server import records

# RFC 3720, appendix B.4, and the usual check value.
CHECKS = {
    bytes(32): 0x8A9136AA,
    b"\xff" * 32: 0x62A8AB43,
    bytes(range(32)): 0x46DD794E,
    bytes(range(31, -1, -1)): 0x113FDB5C,
    b"123456789": 0xE3069283,
    b"": 0,
}
CONTENTS = [
    b"",
    b"a",
    b"seven b",
    np.random.default_rng(0).bytes(1000),
    np.random.default_rng(1).bytes(100_003),
]


@pytest.fixture
def whole(tmp_path: pathlib.Path) -> bytes:
    """Returns a file of TensorFlow's own writer."""
    path = str(tmp_path / "records")
    with tf.io.TFRecordWriter(path) as writer:
        for content in CONTENTS:
            writer.write(content)
    return pathlib.Path(path).read_bytes()


@pytest.mark.parametrize("data", CHECKS)
def test_check_is_the_published_one(data: bytes) -> None:
    assert records.crc32c(data) == CHECKS[data]


def test_records_of_tensorflow_s_writer_are_read(whole: bytes) -> None:
    assert list(records.read(io.BytesIO(whole))) == CONTENTS


def test_empty_file_has_no_record() -> None:
    assert list(records.read(io.BytesIO(b""))) == []


def test_few_bytes_behind_the_last_record_do_not_count(whole: bytes) -> None:
    assert list(records.read(io.BytesIO(whole + bytes(11)))) == CONTENTS


def _damaged(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


# 16 bytes go around a record: the five end at 16, 33, 56, 1072 and 101091.
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"this is not a record file", "corrupted record at 0 (I"),
        (lambda data: _damaged(data, 0), "corrupted record at 0 (Is this even"),
        (lambda data: _damaged(data, 9), "corrupted record at 0 (Is this even"),
        (lambda data: _damaged(data, 13), "corrupted record at 12"),
        (lambda data: _damaged(data, 28), "corrupted record at 28"),
        (lambda data: _damaged(data, 17), "corrupted record at 16"),
        (lambda data: data[:30], "truncated record at 16' failed with Read"),
        (lambda data: data[:-2], "truncated record at 1072' failed with Read"),
        (lambda data: data + bytes(12), "corrupted record at 101091"),
    ],
)
def test_damage_is_told_in_tensorflow_s_words(
    change: object, message: str, whole: bytes, tmp_path: pathlib.Path
) -> None:
    data = change(whole)
    with pytest.raises(records.BrokenFileError) as ours:
        list(records.read(io.BytesIO(data)))
    assert ours.value.code == Code.DATA_LOSS
    assert ours.value.message.startswith(message)
    (tmp_path / "damaged").write_bytes(data)
    with pytest.raises(tf.errors.DataLossError) as theirs:
        list(tf.data.TFRecordDataset(str(tmp_path / "damaged")))
    assert ours.value.message in theirs.value.message
