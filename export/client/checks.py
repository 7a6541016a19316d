"""What is made sure before anything is sent, and the arrays that are sent.

The server checks neither shapes nor ranges: a NaN, or a class that there is
not, gives an answer that looks like any other.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from export.client.servable import Arrays, Servable, Signature, Tensor
from tfvae.errors import InputError

# By kind of the declared dtype: the kinds of arrays that may become it.
KINDS = {"f": "fiub", "i": "iu", "u": "iu", "b": "b", "c": "fiuc", "O": "SU"}
# The same for the elements of arrays of objects.
ELEMENTS: dict[str, tuple[type, ...]] = {
    "i": (int, np.integer), "u": (int, np.integer),
    "O": (str, bytes),
}  # fmt: skip
WORDS = {
    "f": "numbers", "i": "whole numbers", "u": "whole numbers",
    "b": "true or false", "c": "numbers", "O": "strings",
}  # fmt: skip


def checked(servable: Servable, name: str, inputs: Mapping[str, Any]) -> Arrays:
    """Returns inputs as arrays of the declared dtypes.

    Args:
      servable: whose card, if it has one, says what values there are.
      name: of one of its signatures.
      inputs: by name, anything that numpy makes an array of.

    Raises:
      InputError: no such signature; a missing or an unknown input; one of
        another type or shape, empty, not finite, or out of range; unequal
        numbers of rows.
    """
    signature = servable.signature(name)
    if inputs.keys() != signature.inputs.keys():
        raise InputError(
            f"`{name}` takes {_names(signature.inputs)}; got {_names(inputs)}."
        )
    arrays = {
        of: _array(of, inputs[of], tensor)
        for of, tensor in signature.inputs.items()
    }
    if servable.card is not None:
        for of in arrays.keys() & RULES.keys():
            RULES[of](of, arrays[of], servable.card)
    if signature.is_batched:
        _check_rows(arrays)
    return arrays


def split(
    signature: Signature, arrays: Arrays, max_batch_size: int
) -> Iterator[Arrays]:
    """Yields inputs in parts of at most so many rows, in order.

    Args:
      signature: that takes them; without a free first dimension everywhere
        nothing is split.
      arrays: by name, as `checked` returns them.
      max_batch_size: rows of a part; 0: no limit.
    """
    rows = num_rows(signature, arrays)
    if not max_batch_size or rows is None or rows <= max_batch_size:
        yield arrays
        return
    for start in range(0, rows, max_batch_size):
        stop = start + max_batch_size
        yield {name: array[start:stop] for name, array in arrays.items()}


def num_rows(signature: Signature, arrays: Arrays) -> int | None:
    """Returns the number of rows; None where the signature has none."""
    if not signature.is_batched:
        return None
    return len(next(iter(arrays.values())))


def _names(of: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(of)) or "nothing"


def _array(name: str, value: Any, tensor: Tensor) -> np.ndarray:
    kind = _kind(tensor.dtype)
    # Left to itself, numpy makes floats of whole numbers on both sides of
    # 2**63, and its strings lose zeros at their end.
    is_exact = kind in "iuO" and not isinstance(value, np.ndarray)
    try:
        array = np.asarray(value, object if is_exact else None)
    except ValueError as error:  # ragged lists
        raise InputError(
            f"`{name}` must be {tensor.shape_text()}; got rows of unequal "
            "lengths."
        ) from error
    wrong = _wrong(array, kind)
    if array.size and wrong:
        raise InputError(
            f"`{name}` must hold {WORDS[kind]} ({tensor.dtype}); got {wrong}."
        )
    if not tensor.fits(array.shape) or not array.size:
        raise InputError(
            f"`{name}` must be {tensor.shape_text()}, not empty; got the shape "
            f"{list(array.shape)}."
        )
    return CONVERSIONS[kind](name, array, tensor.dtype)


def _wrong(array: np.ndarray, kind: str) -> str:
    """Returns what an array holds that cannot become a kind; empty: nothing."""
    if array.dtype != np.object_ or kind not in ELEMENTS:
        return "" if array.dtype.kind in KINDS[kind] else str(array.dtype)
    accepted = ELEMENTS[kind]
    wrong = (
        each
        for each in array.flat
        if not isinstance(each, accepted) or isinstance(each, bool)
    )
    return next(map(repr, wrong), "")


def _kind(dtype: np.dtype) -> str:
    # numpy does not know bfloat16 for a float.
    return "f" if dtype.name == "bfloat16" else dtype.kind


def _to_float(name: str, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    finite = np.isfinite(converted)
    if not finite.all():
        row = np.argwhere(~finite)[0].tolist()
        raise InputError(
            f"`{name}` must be finite in {dtype}; got {array[tuple(row)]} at "
            f"{row}."
        )
    return converted


def _to_int(name: str, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    info = np.iinfo(dtype)
    low, high = int(array.min()), int(array.max())
    if low < info.min or high > info.max:
        raise InputError(
            f"`{name}` must lie in {dtype}, from {info.min} to {info.max}; "
            f"got {low if low < info.min else high}."
        )
    return array.astype(dtype)


def _to_bool(name: str, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    del name  # every boolean is one
    return array.astype(dtype)


def _to_strings(name: str, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    del name  # every string is one
    strings = np.empty(array.size, dtype)
    for index, value in enumerate(array.flat):
        strings[index] = value.encode() if isinstance(value, str) else value
    return strings.reshape(array.shape)


Conversion = Callable[[str, np.ndarray, np.dtype], np.ndarray]
CONVERSIONS: dict[str, Conversion] = {
    "f": _to_float, "c": _to_float, "i": _to_int, "u": _to_int,
    "b": _to_bool, "O": _to_strings,
}  # fmt: skip


def _check_range(name: str, array: np.ndarray, card: Mapping[str, Any]) -> None:
    if card["value_range"] is None:
        return
    low, high = card["value_range"]
    if array.min() < low or array.max() > high:
        raise InputError(
            f"`{name}` must lie in [{low:g}, {high:g}]; got values from "
            f"{array.min():g} to {array.max():g}."
        )


def _check_label(name: str, array: np.ndarray, card: Mapping[str, Any]) -> None:
    last = card["num_classes"] - 1
    wrong = array[(array < 0) | (array > last)]
    if wrong.size:
        raise InputError(
            f"`{name}` must be from 0 to {last}, a class of the model; got "
            f"{wrong[0]}."
        )


def _check_mask(name: str, array: np.ndarray, card: Mapping[str, Any]) -> None:
    del card  # the same for every model
    wrong = array[(array != 0) & (array != 1)]
    if wrong.size:
        raise InputError(
            f"`{name}` must be 1 where a pixel is seen, else 0; got "
            f"{wrong[0]:g}."
        )


# By name of the input; they hold for servables that have a card.
RULES: dict[str, Callable[[str, np.ndarray, Mapping[str, Any]], None]] = {
    "x": _check_range,
    "image": _check_range,
    "label": _check_label,
    "mask": _check_mask,
}


def _check_rows(arrays: Arrays) -> None:
    rows = {name: len(array) for name, array in arrays.items()}
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"`{name}` {num}" for name, num in rows.items())
        raise InputError(
            f"all inputs must have the same number of rows; got {counts}."
        )
