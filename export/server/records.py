"""Reads a TFRecord file, and sees to it that it is whole."""

import math
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from export.codes import Code
from export.server.errors import ServingError

HEADER = struct.Struct("<QI")  # length of the record, and that number's check
FOOTER = struct.Struct("<I")  # check of the record
POLYNOMIAL = np.uint32(0x82F63B78)  # of CRC-32C, least significant bit first
BITS = np.arange(32, dtype=np.uint32)


class BrokenFileError(ServingError):
    """A TFRecord file is none, or has been damaged."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.DATA_LOSS, message)


def read(file: BinaryIO) -> Iterator[bytes]:
    """Yields the records of a file that is not compressed.

    Up to 11 bytes behind the last record are no record; as TensorFlow's
    reader, this one does not mind them.

    Args:
      file: open for reading, at its start.

    Raises:
      BrokenFileError: a check fails or a record is cut short; in the words
        of TensorFlow's reader.
    """
    offset = 0
    while len(header := file.read(HEADER.size)) == HEADER.size:
        length, check = HEADER.unpack(header)
        if check != masked_crc(header[: -FOOTER.size]):
            raise _corrupted(offset)
        record = file.read(length)
        footer = file.read(FOOTER.size)
        if len(footer) < FOOTER.size:
            raise BrokenFileError(
                f"truncated record at {offset}' failed with Read less bytes "
                "than requested",
            )
        if FOOTER.unpack(footer) != (masked_crc(record),):
            raise _corrupted(offset + HEADER.size)
        yield record
        offset += HEADER.size + length + FOOTER.size


def masked_crc(data: bytes) -> int:
    """Returns the check of TFRecord: a CRC-32C, turned and moved.

    References:
      https://www.tensorflow.org/tutorials/load_data/tfrecord
    """
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Returns the cyclic redundancy check CRC-32C (Castagnoli).

    The bytes are cut into lanes of one length, whose remainders are computed
    side by side and then joined: the remainder is linear in the bits.

    References:
      RFC 3720, appendix B.4, has values to check it with.
    """
    values = np.frombuffer(data, np.uint8)
    num_lanes = math.isqrt(values.size) or 1
    head, lanes = np.split(values, [values.size % num_lanes])
    first = np.array([0xFFFFFFFF], np.uint32)
    for value in head:
        first = _step(first, value)
    # Beside the lanes, every single bit is moved over as many zeros.
    states = np.zeros(num_lanes + 32, np.uint32)
    states[0], states[num_lanes:] = first[0], np.uint32(1) << BITS
    for column in lanes.reshape(num_lanes, -1).T:
        states[:num_lanes] = _step(states[:num_lanes], column)
        states[num_lanes:] = _step(states[num_lanes:], np.uint8(0))
    remainders, moved = np.split(states, [num_lanes])
    joined = np.uint32(0)
    for remainder in remainders:
        present = (joined >> BITS & 1).astype(bool)
        joined = np.bitwise_xor.reduce(moved[present]) ^ remainder
    return int(joined) ^ 0xFFFFFFFF


def _step(states: np.ndarray, values: np.ndarray | np.uint8) -> np.ndarray:
    """Returns remainders after one more byte each."""
    return TABLE[(states ^ values) & 255] ^ states >> 8


def _make_table() -> np.ndarray:
    """Returns the remainders of all bytes, [256]."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, POLYNOMIAL ^ table >> 1, table >> 1)
    return table


TABLE = _make_table()


def _corrupted(offset: int) -> BrokenFileError:
    hint = "" if offset else " (Is this even a TFRecord file?)"
    return BrokenFileError(f"corrupted record at {offset}{hint}")
