"""The JSON of REST: rows in, rows out.

Rows, not columns: the server writes columns one number a line, which is three
times as long.
"""

import base64
import binascii
import json
from typing import Any, TypeVar

import numpy as np
from google.protobuf import json_format, message

from export.client.errors import BadAnswer
from export.client.servable import Arrays, Signature, Tensor

# By kind of the declared dtype: the kinds of arrays that numbers of JSON make.
KINDS = {"f": "fiu", "b": "b"}
SHOWN = 80  # characters of what was not understood

Message = TypeVar("Message", bound=message.Message)


def write_request(signature: Signature, arrays: Arrays) -> bytes:
    """Returns the body of a prediction.

    Args:
      signature: to call.
      arrays: by name, of the declared dtypes. Without a free first dimension
        everywhere they are sent as columns, for rows add a dimension.
    """
    columns = {name: _to_json(array) for name, array in arrays.items()}
    if signature.is_batched:
        rows = zip(*columns.values(), strict=True)
        inputs: dict[str, Any] = {
            "instances": [dict(zip(columns, row, strict=True)) for row in rows]
        }
    else:
        inputs = {"inputs": columns}
    return json.dumps({"signature_name": signature.name, **inputs}).encode()


def read_answer(signature: Signature, body: bytes) -> Arrays:
    """Returns the outputs that an answer holds.

    Raises:
      BadAnswer: it is no JSON, or none that answers the signature.
    """
    key = "predictions" if signature.is_batched else "outputs"
    found = read_object(body)
    if key not in found:
        raise BadAnswer(f"an answer without {key!r}: {_shown(body)}")
    columns = _columns(signature, found[key])
    return {
        name: _to_array(name, columns[name], tensor)
        for name, tensor in signature.outputs.items()
    }


def read_object(body: bytes) -> dict[str, Any]:
    """Returns the JSON object that a body holds; NaN and Infinity are numbers.

    Raises:
      BadAnswer: it holds none.
    """
    try:
        # The server writes strings of a model as they are, UTF-8 or not.
        found = json.loads(body.decode(errors="surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise BadAnswer(
            f"an answer that is not JSON: {_shown(body)}"
        ) from error
    if not isinstance(found, dict):
        raise BadAnswer(f"an answer that is no JSON object: {_shown(body)}")
    return found


def read_message(found: Any, into: Message) -> Message:
    """Fills a protocol buffer from its JSON, and returns it.

    Raises:
      BadAnswer: it is of another form.
    """
    if not isinstance(found, dict):
        raise BadAnswer(f"not understood: {_shown(str(found))}")
    try:
        return json_format.ParseDict(found, into, ignore_unknown_fields=True)
    except (json_format.Error, ValueError, TypeError, AttributeError) as error:
        raise BadAnswer(f"not understood: {_shown(str(error))}") from error


def _shown(text: Any) -> str:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    return repr(" ".join(shown[:SHOWN].split()))


def _to_json(array: np.ndarray) -> Any:
    if array.dtype != np.object_:
        # bfloat16 has no numbers of Python.
        is_known = array.dtype.kind in "fiub"
        return (array if is_known else array.astype(np.float32)).tolist()
    if array.ndim:
        return [_to_json(np.asarray(part, object)) for part in array]
    return {"b64": base64.b64encode(array.item()).decode()}


def _columns(signature: Signature, found: Any) -> dict[str, Any]:
    """Returns the values of each output, of all rows."""
    names = list(signature.outputs)
    if len(names) == 1:  # which then is not named
        return {names[0]: found}
    rows = found if signature.is_batched else [found]
    try:
        columns = {name: [row[name] for row in rows] for name in names}
    except (TypeError, KeyError, IndexError) as error:
        raise BadAnswer(
            f"an answer without all of {', '.join(names)}: {_shown(str(found))}"
        ) from error
    if signature.is_batched:
        return columns
    return {name: values[0] for name, values in columns.items()}


def _to_array(name: str, values: Any, tensor: Tensor) -> np.ndarray:
    try:
        if tensor.dtype == np.object_:
            return _strings(values)
        # Left to itself, numpy makes floats of whole numbers on both sides of
        # 2**63.
        is_whole = tensor.dtype.kind in "iu"
        array = np.asarray(values, object if is_whole else None)
    except (ValueError, TypeError) as error:
        raise BadAnswer(
            f"`{name}` cannot be read: {_shown(str(error))}"
        ) from error
    if is_whole:
        return _whole(name, array, tensor.dtype)
    if array.size and array.dtype.kind not in KINDS.get(tensor.dtype.kind, ""):
        raise BadAnswer(f"`{name}` should be {tensor.dtype}; got {array.dtype}")
    with np.errstate(over="ignore"):
        return array.astype(tensor.dtype)


def _whole(name: str, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Returns an array of Python's whole numbers in a dtype."""
    info = np.iinfo(dtype)
    for number in array.flat:
        if type(number) is not int or not info.min <= number <= info.max:
            raise BadAnswer(f"`{name}` should be {dtype}; got {number!r}")
    return array.astype(dtype)


def _strings(values: Any) -> np.ndarray:
    """Returns an object array of bytes, of the shape of nested lists."""
    if not isinstance(values, list):
        array = np.empty([], object)
        array[()] = _bytes(values)
        return array
    parts = [_strings(value) for value in values]
    return np.stack(parts) if parts else np.empty([0], object)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if not isinstance(value, dict) or not isinstance(value.get("b64"), str):
        raise TypeError(f"no string: {value!r}")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from error
