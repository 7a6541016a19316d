"""TensorProto to numpy and back, as TensorFlow reads and writes them."""

import math
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np

from export.c_api import DTYPES, STRING, TYPE_NUMBERS
from export.protos import tensor_pb2

# {dtype: (the field of TensorProto, the numbers in it)}
FIELDS: dict[Any, tuple[str, Any]] = {
    np.dtype(dtype): (field, number)
    for dtype, field, number in (
        (np.float16, "half_val", np.uint16),
        (ml_dtypes.bfloat16, "half_val", np.uint16),
        (np.float32, "float_val", np.float32),
        (np.float64, "double_val", np.float64),
        (np.complex64, "scomplex_val", np.float32),
        (np.complex128, "dcomplex_val", np.float64),
        (np.int8, "int_val", np.int8),
        (np.int16, "int_val", np.int16),
        (np.int32, "int_val", np.int32),
        (np.int64, "int64_val", np.int64),
        (np.uint8, "int_val", np.uint8),
        (np.uint16, "int_val", np.uint16),
        (np.uint32, "uint32_val", np.uint32),
        (np.uint64, "uint64_val", np.uint64),
        (np.bool_, "bool_val", np.bool_),
        (np.object_, "string_val", np.object_),
    )
}
# Fields of int32 that carry narrower numbers, which wrap as C++ does.
WIDE = ("half_val", "int_val")
# A message may be shorter than its tensor, as its last value is repeated; else
# each value takes a byte of it at least.
MOST_REPEATED_BYTES = 1 << 26
MOST_VALUE_BYTES = 16


def to_proto(
    array: np.ndarray, *, as_content: bool = False
) -> tensor_pb2.TensorProto:
    """Returns an array as a TensorProto.

    Args:
      array: of any shape; strings are `str` or `bytes`.
      as_content: as one run of bytes, `tensor_content`, instead of numbers in
        the field of the type; smaller to write, the same to read.

    Raises:
      TypeError: TensorFlow has no such dtype.
    """
    array = np.asarray(array)
    if array.dtype.kind in "US":
        array = array.astype(object)
    if array.dtype not in TYPE_NUMBERS:
        raise TypeError(f"TensorFlow has no tensors of dtype {array.dtype}")
    proto = tensor_pb2.TensorProto(dtype=TYPE_NUMBERS[array.dtype])
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    field, number = FIELDS[array.dtype]
    if array.dtype == np.object_:
        strings = [_to_bytes(value) for value in array.flat]
        if as_content:
            proto.tensor_content = _join(strings)
        else:
            proto.string_val.extend(strings)
    elif as_content:
        proto.tensor_content = array.tobytes()
    else:
        flat = np.ascontiguousarray(array).reshape(-1)
        getattr(proto, field).extend(flat.view(number).tolist())
    return proto


def to_array(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Returns what a TensorProto holds.

    Too few numbers: the last one is repeated; none: zeros; too many: the rest
    is left out, all as TensorFlow does.

    Returns:
      array: its own copy; strings are an object array of `bytes`.

    Raises:
      ValueError: the type is none of TensorFlow's plain ones, the shape is
        unknown or too large, or the content does not fill it.
    """
    if proto.dtype not in DTYPES:
        raise ValueError(f"no numpy type for DataType {proto.dtype}")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError(f"the shape of a tensor must be known; got {shape}")
    dtype = np.dtype(DTYPES[proto.dtype])
    size = math.prod(shape) * dtype.itemsize
    is_repeated = size > MOST_VALUE_BYTES * proto.ByteSize()
    if is_repeated and size > MOST_REPEATED_BYTES:
        raise ValueError(f"too large a tensor: {shape}")
    array = np.zeros(shape, dtype)
    if dtype == np.object_:
        array.fill(b"")
    flat = array.reshape(-1)
    if proto.tensor_content and flat.size:
        flat[:] = _content(proto, size=flat.size)
    else:
        values = _values(proto, dtype=dtype)
        flat[: values.size] = values[: flat.size]
        if values.size:
            flat[values.size :] = values[-1]
    return array


def _content(proto: tensor_pb2.TensorProto, *, size: int) -> Any:
    """Returns [size] values out of `tensor_content`."""
    content = proto.tensor_content
    if proto.dtype == STRING:
        return list(_split(content, count=size))
    values = np.frombuffer(content, DTYPES[proto.dtype])
    if values.size != size:
        raise ValueError(f"{values.size} values for a tensor of {size}")
    return values


def _values(proto: tensor_pb2.TensorProto, *, dtype: Any) -> np.ndarray:
    """Returns the values in the field of a type."""
    field, number = FIELDS[dtype]
    values = getattr(proto, field)
    if dtype == np.object_:
        array = np.empty(len(values), object)
        array[:] = list(values)
        return array
    stored = np.int32 if field in WIDE else number
    numbers = np.fromiter(values, stored, len(values)).astype(number)
    return numbers.view(dtype)


def _to_bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _join(strings: list[bytes]) -> bytes:
    """Returns strings as one: their lengths as varints, then their bytes."""
    return b"".join(map(_varint, map(len, strings))) + b"".join(strings)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _split(content: bytes, *, count: int) -> Iterator[bytes]:
    """Yields the strings that `_join` joined."""
    place, lengths = 0, []
    for _ in range(count):
        length = shift = 0
        while True:
            if place == len(content):
                raise ValueError("a string tensor's content is cut short")
            byte = content[place]
            place += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        lengths.append(length)
    if place + sum(lengths) != len(content):
        raise ValueError("a string tensor's content has another length")
    for length in lengths:
        yield content[place : place + length]
        place += length
