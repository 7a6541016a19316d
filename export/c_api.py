"""Saved models through TensorFlow's C library, as TensorFlow Serving runs them.

No Python of TensorFlow takes part: what needs it fails here as it does there.
The library is the one in the installed TensorFlow package.
"""

import ctypes
import functools
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from export.codes import Code

LIBRARY = "libtensorflow_cc.so.2"
STRING = 7
# TF_DataType; tensorflow/c/tf_datatype.h
DTYPES: dict[int, Any] = {
    1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 5: np.int16,
    6: np.int8, STRING: np.object_, 8: np.complex64, 9: np.int64,
    10: np.bool_, 14: ml_dtypes.bfloat16, 17: np.uint16, 18: np.complex128,
    19: np.float16, 22: np.uint32, 23: np.uint64,
}  # fmt: skip
TYPE_NUMBERS = {np.dtype(dtype): number for number, dtype in DTYPES.items()}
TSTRING_BYTES = 24  # sizeof(TF_TString)


class TensorFlowError(Exception):
    """What TensorFlow answered instead of a result.

    Attributes:
      code: its canonical status code.
      message: its own words.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code, self.message = code, message


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("data_deallocator", ctypes.c_void_p),
    )


class _Output(ctypes.Structure):
    _fields_ = (("oper", ctypes.c_void_p), ("index", ctypes.c_int))


class Session:
    """A saved model, loaded and ready to be run from any number of threads.

    Args:
      folder: that holds saved_model.pb.
      tags: of the graph in it.
      config: a serialised ConfigProto; empty: TensorFlow's defaults.

    Attributes:
      meta_graph: the serialised MetaGraphDef, signatures included.

    Raises:
      TensorFlowError: it cannot be loaded.
    """

    def __init__(
        self,
        folder: str,
        *,
        tags: Sequence[str] = ("serve",),
        config: bytes = b"",
    ) -> None:
        tf = _library()
        self._graph = tf.TF_NewGraph()
        options, meta_graph = tf.TF_NewSessionOptions(), tf.TF_NewBuffer()
        names = (ctypes.c_char_p * len(tags))(*(tag.encode() for tag in tags))
        self._session = None
        try:
            with _Status() as status:
                tf.TF_SetConfig(options, config, len(config), status)
            with _Status() as status:
                self._session = tf.TF_LoadSessionFromSavedModel(
                    options, None, os.fsencode(folder), names, len(tags),
                    self._graph, meta_graph, status,
                )  # fmt: skip
            held = meta_graph.contents
            self.meta_graph = ctypes.string_at(held.data, held.length)
        except TensorFlowError:
            tf.TF_DeleteGraph(self._graph)
            raise
        finally:
            tf.TF_DeleteSessionOptions(options)
            tf.TF_DeleteBuffer(meta_graph)

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]
    ) -> list[np.ndarray]:
        """Returns the values of tensors; nothing is checked but by TensorFlow.

        Args:
          feeds: {tensor name as "x:0": array}; strings are object arrays of
            bytes.
          fetches: names of tensors.

        Raises:
          TensorFlowError: there is no such tensor, or an operation failed.
        """
        tf = _library()
        values = [_to_tensor(np.asarray(value)) for value in feeds.values()]
        results = (ctypes.c_void_p * len(fetches))()
        try:
            inputs = self._outputs(feeds)
            outputs = self._outputs(fetches)
            with _Status() as status:
                tf.TF_SessionRun(
                    self._session, None,
                    inputs, (ctypes.c_void_p * len(values))(*values),
                    len(values),
                    outputs, results, len(fetches),
                    None, 0, None, status,
                )  # fmt: skip
            return [_to_array(int(result or 0)) for result in results]
        finally:
            for tensor in (*values, *results):
                if tensor:
                    _delete_tensor(tensor)

    def close(self) -> None:
        """Frees the model; it must not be running."""
        if self._session is None:
            return
        tf = _library()
        with _Status() as status:
            tf.TF_CloseSession(self._session, status)
        with _Status() as status:
            tf.TF_DeleteSession(self._session, status)
        tf.TF_DeleteGraph(self._graph)
        self._session = None

    def _outputs(self, names: Any) -> Any:
        found = (_Output * len(names))()
        for place, name in zip(found, names, strict=True):
            operation, _, index = name.partition(":")
            place.oper = _library().TF_GraphOperationByName(
                self._graph, operation.encode()
            )
            place.index = int(index or 0)
            if not place.oper:
                raise TensorFlowError(
                    Code.NOT_FOUND,
                    f"FeedInputs: unable to find feed output {name}",
                )
        return found


def disable_xla() -> None:
    """Switches XLA off in this process for good, as the server does."""
    # tensorflow::DisableXlaCompilation(), of tensorflow/compiler/jit/flags.h
    function = _library()._ZN10tensorflow21DisableXlaCompilationEv
    function.restype, function.argtypes = None, ()
    function()


class _Status:
    """A TF_Status that raises at the end of its block if it is not OK."""

    def __enter__(self) -> Any:
        self.pointer = _library().TF_NewStatus()
        return self.pointer

    def __exit__(self, kind: Any, *_: Any) -> None:
        tf = _library()
        code = Code(tf.TF_GetCode(self.pointer))
        message = tf.TF_Message(self.pointer).decode(errors="replace")
        tf.TF_DeleteStatus(self.pointer)
        if code != Code.OK and kind is None:
            raise TensorFlowError(code, message)


def _to_tensor(array: np.ndarray) -> int:
    """Returns a new TF_Tensor that holds a copy of an array."""
    tf = _library()
    dims = (ctypes.c_int64 * array.ndim)(*array.shape)
    if array.dtype == np.object_:
        size = TSTRING_BYTES * array.size
        tensor = tf.TF_AllocateTensor(STRING, dims, array.ndim, size)
        for place, value in zip(
            _strings(tensor, array.size), array.flat, strict=True
        ):
            tf.TF_StringInit(place)
            tf.TF_StringCopy(place, value, len(value))
        return tensor
    if array.dtype not in TYPE_NUMBERS:
        raise TensorFlowError(
            Code.INVALID_ARGUMENT, f"TensorFlow has no type {array.dtype}"
        )
    array = np.asarray(array, order="C")  # keeps scalars
    number = TYPE_NUMBERS[array.dtype]
    tensor = tf.TF_AllocateTensor(number, dims, array.ndim, array.nbytes)
    ctypes.memmove(tf.TF_TensorData(tensor), array.ctypes.data, array.nbytes)
    return tensor


def _to_array(tensor: int) -> np.ndarray:
    """Returns a copy of what a TF_Tensor holds."""
    tf = _library()
    shape = [tf.TF_Dim(tensor, i) for i in range(tf.TF_NumDims(tensor))]
    number = tf.TF_TensorType(tensor)
    if number not in DTYPES:
        raise TensorFlowError(
            Code.UNIMPLEMENTED, f"no numpy type for TF_DataType {number}"
        )
    array = np.empty(shape, DTYPES[number])
    if number == STRING:
        flat = [
            ctypes.string_at(
                tf.TF_StringGetDataPointer(place), tf.TF_StringGetSize(place)
            )
            for place in _strings(tensor, array.size)
        ]
        array.reshape(-1)[:] = flat
    else:
        data = tf.TF_TensorData(tensor)
        ctypes.memmove(array.ctypes.data, data, array.nbytes)
    return array


def _delete_tensor(tensor: int) -> None:
    tf = _library()
    if tf.TF_TensorType(tensor) == STRING:
        for place in _strings(tensor, tf.TF_TensorElementCount(tensor)):
            tf.TF_StringDealloc(place)
    tf.TF_DeleteTensor(tensor)


def _strings(tensor: int, count: int) -> Iterator[int]:
    """Yields the addresses of a string tensor's elements."""
    start = _library().TF_TensorData(tensor)
    return (start + TSTRING_BYTES * index for index in range(count))


@functools.cache
def _library() -> Any:
    """Returns TensorFlow's C library with its functions' types declared."""
    spec = importlib.util.find_spec("tensorflow")
    assert spec is not None
    assert spec.origin is not None
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    library = ctypes.CDLL(os.path.join(os.path.dirname(spec.origin), LIBRARY))
    pointer, buffer = ctypes.c_void_p, ctypes.POINTER(_Buffer)
    size, number, text = ctypes.c_size_t, ctypes.c_int, ctypes.c_char_p
    outputs, tensors = ctypes.POINTER(_Output), ctypes.POINTER(pointer)
    for name, result, *arguments in (
        ("TF_NewStatus", pointer),
        ("TF_DeleteStatus", None, pointer),
        ("TF_GetCode", number, pointer),
        ("TF_Message", text, pointer),
        ("TF_NewGraph", pointer),
        ("TF_DeleteGraph", None, pointer),
        ("TF_NewBuffer", buffer),
        ("TF_DeleteBuffer", None, buffer),
        ("TF_NewSessionOptions", pointer),
        ("TF_DeleteSessionOptions", None, pointer),
        ("TF_SetConfig", None, pointer, text, size, pointer),
        ("TF_LoadSessionFromSavedModel", pointer, pointer, pointer, text,
         ctypes.POINTER(text), number, pointer, buffer, pointer),
        ("TF_SessionRun", None, pointer, pointer, outputs, tensors, number,
         outputs, tensors, number, pointer, number, pointer, pointer),
        ("TF_CloseSession", None, pointer, pointer),
        ("TF_DeleteSession", None, pointer, pointer),
        ("TF_GraphOperationByName", pointer, pointer, text),
        ("TF_AllocateTensor", pointer, number,
         ctypes.POINTER(ctypes.c_int64), number, size),
        ("TF_DeleteTensor", None, pointer),
        ("TF_TensorData", pointer, pointer),
        ("TF_TensorType", number, pointer),
        ("TF_TensorElementCount", ctypes.c_int64, pointer),
        ("TF_NumDims", number, pointer),
        ("TF_Dim", ctypes.c_int64, pointer, number),
        ("TF_StringInit", None, pointer),
        ("TF_StringCopy", None, pointer, text, size),
        ("TF_StringDealloc", None, pointer),
        ("TF_StringGetDataPointer", pointer, pointer),
        ("TF_StringGetSize", size, pointer),
    ):  # fmt: skip
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
