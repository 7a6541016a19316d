"""TensorProto and numpy; the reference is TensorFlow's own C++ and Python."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from export import tensors
from export.protos import tensor_pb2, types_pb2
from export.tensors import to_array, to_proto

ARRAYS = {
    "float16": np.array([[1.5, -2.0], [65504.0, 6e-8], [0.0, np.inf]]),
    "bfloat16": np.array([[1.5, -2.0], [3e38, 1e-38], [0.0, np.inf]]),
    "float32": np.array([[1.5, np.pi], [3e38, 1e-38], [-0.0, np.inf]]),
    "float64": np.array([[1.5, np.pi], [1e308, 1e-308], [-0.0, np.inf]]),
    "complex64": np.array([[1 + 2j, -3j], [4, 5], [6j, 7 - 8j]]),
    "complex128": np.array([[1 + 2j, -3j], [4, 5], [6j, 7 - 8j]]),
    "int8": np.array([[1, -128], [127, 0], [5, -1]]),
    "int16": np.array([[1, -32768], [32767, 0], [5, -1]]),
    "int32": np.array([[1, -(2**31)], [2**31 - 1, 0], [5, -1]]),
    "int64": np.array([[1, -(2**63)], [2**63 - 1, 0], [5, -1]]),
    "uint8": np.array([[1, 255], [0, 3], [5, 7]]),
    "uint16": np.array([[1, 65535], [0, 3], [5, 7]]),
    "uint32": np.array([[1, 2**32 - 1], [0, 3], [5, 7]]),
    "uint64": np.array([[1, 2**64 - 1], [0, 3], [5, 7]], np.uint64),
    "bool": np.array([[True, False], [False, False], [True, True]]),
    "object": np.array(
        [[b"a", b""], [b"\x00\xff\n", b"a\x00"], [b"x" * 300, b"z"]], object
    ),
}


def _array(name: str) -> np.ndarray:
    dtype = ml_dtypes.bfloat16 if name == "bfloat16" else name
    return ARRAYS[name].astype(dtype)


def _parse(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Returns what TensorFlow's C++ reads in a TensorProto."""
    return tf.io.parse_tensor(
        proto.SerializeToString(), tf.dtypes.as_dtype(proto.dtype)
    ).numpy()


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize("name", ARRAYS)
def test_tensorflow_reads_what_is_written(name: str, as_content: bool) -> None:
    array = _array(name)
    proto = to_proto(array, as_content=as_content)
    assert bool(proto.tensor_content) == as_content
    for read in (_parse(proto), to_array(proto)):
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array, strict=True)


@pytest.mark.parametrize("name", sorted(set(ARRAYS) - {"object"}))
def test_content_is_that_of_the_server(name: str) -> None:
    array = _array(name)
    written = tf.io.serialize_tensor(tf.constant(array)).numpy()
    proto = tensor_pb2.TensorProto.FromString(written)
    assert to_proto(array, as_content=True) == proto
    np.testing.assert_array_equal(to_array(proto), array, strict=True)


@pytest.mark.parametrize("name", ARRAYS)
def test_what_tensorflow_s_python_writes_is_read(name: str) -> None:
    array = _array(name)
    for value in (array, array[:1, :1], array[0, 0], array[:0]):
        proto = tf.make_tensor_proto(value, tf.dtypes.as_dtype(array.dtype))
        read = to_array(proto)
        assert (read.shape, read.dtype) == (np.shape(value), array.dtype)
        np.testing.assert_array_equal(read, value)
        np.testing.assert_array_equal(tf.make_ndarray(to_proto(read)), value)


def _proto(
    dtype: str, shape: tuple[int, ...], **fields: object
) -> tensor_pb2.TensorProto:
    proto = tensor_pb2.TensorProto(
        dtype=types_pb2.DataType.Value(dtype), **fields
    )
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize(
    "proto",
    [
        _proto("DT_FLOAT", (3, 2), float_val=[1.5, 2.5]),
        _proto("DT_FLOAT", (2,), float_val=[1.5, 2.5, 3.5]),
        _proto("DT_FLOAT", (3,)),
        _proto("DT_FLOAT", (), float_val=[1.5]),
        _proto("DT_FLOAT", (0, 3), float_val=[1.5]),
        _proto("DT_FLOAT", (0, 3), tensor_content=b"123"),
        _proto("DT_STRING", (3,), string_val=[b"a\x00"]),
        _proto("DT_STRING", (3,)),
        _proto("DT_BOOL", (3,), bool_val=[False, True]),
        _proto("DT_COMPLEX64", (3,), scomplex_val=[1.5, 2.5]),
        _proto("DT_HALF", (3,), half_val=[15360, 70000]),
        _proto("DT_UINT8", (3,), int_val=[300, -1]),
        _proto("DT_INT8", (3,), int_val=[300, 128, -129]),
        _proto("DT_INT64", (3,), int64_val=[5], tensor_content=b""),
        _proto("DT_INT32", (1,), int_val=[5], tensor_content=b"\x07\0\0\0"),
    ],
)
def test_fields_are_read_as_the_server_reads_them(
    proto: tensor_pb2.TensorProto,
) -> None:
    np.testing.assert_array_equal(to_array(proto), _parse(proto), strict=True)


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (_proto("DT_INVALID", (3,)), "no numpy type for DataType 0"),
        (_proto("DT_QINT8", (3,)), "no numpy type for DataType 11"),
        (_proto("DT_FLOAT", (3, -1)), r"must be known; got \(3, -1\)"),
        (_proto("DT_FLOAT", (3,), tensor_content=b"1234"), "1 values for a"),
        (_proto("DT_FLOAT", (3,), tensor_content=b"12345"), "multiple of"),
        (_proto("DT_FLOAT", (2**62, 2**62)), "dimension|too large|too big"),
        (_proto("DT_FLOAT", (2**44,)), r"too large a tensor: \(17592"),
        (_proto("DT_STRING", (2,), tensor_content=b"\x01"), "cut short"),
        (_proto("DT_STRING", (1,), tensor_content=b"\x02a"), "another length"),
        (_proto("DT_STRING", (1,), tensor_content=b"\x01ab"), "another length"),
    ],
)
def test_what_cannot_be_read(
    proto: tensor_pb2.TensorProto, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        to_array(proto)


def test_unknown_rank_is_refused() -> None:
    proto = _proto("DT_FLOAT", (), float_val=[1.5])
    proto.tensor_shape.unknown_rank = True
    with pytest.raises(ValueError, match="must be known"):
        to_array(proto)


def test_text_is_written_as_utf_8() -> None:
    expected = np.array([b"\xc3\xa9", b"b"], object)
    for text in (np.array(["é", "b"]), np.array(["é", "b"], object)):
        np.testing.assert_array_equal(to_array(to_proto(text)), expected)


def test_other_types_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="no tensors of dtype datetime64"):
        to_proto(np.array(["2020-01-01"], "datetime64[s]"))


def test_an_array_that_is_no_block_is_written_in_its_order() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T[::-1]
    for as_content in (False, True):
        proto = to_proto(array, as_content=as_content)
        np.testing.assert_array_equal(_parse(proto), array)


def test_an_array_read_is_its_own() -> None:
    proto = to_proto(np.arange(3.0), as_content=True)
    array = to_array(proto)
    array[0] = 7.0
    assert to_array(proto)[0] == 0.0


def test_a_value_is_not_repeated_without_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert tensors.MOST_REPEATED_BYTES == 1 << 26
    monkeypatch.setattr(tensors, "MOST_REPEATED_BYTES", 1 << 12)
    proto = _proto("DT_FLOAT", (1 << 10,), float_val=[0.5])
    assert to_array(proto).sum() == 1 << 9
    proto.tensor_shape.dim[0].size += 1
    with pytest.raises(ValueError, match=r"too large a tensor: \(1025,\)"):
        to_array(proto)
    proto.float_val.extend(bytes(1 << 6))  # a sixteenth of it is there
    assert to_array(proto).shape == (1025,)
