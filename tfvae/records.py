"""What the JSON files of a run must hold, whoever wrote them."""

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from tfvae.errors import InputError


class Kind(NamedTuple):
    """What a value must be.

    Attributes:
      words: that say so.
      accepts: whether a value is so.
    """

    words: str
    accepts: Callable[[Any], bool]


def parse(content: bytes, *, source: str, finite: bool = True) -> Any:
    """Returns what JSON text says.

    Args:
      content: UTF-8.
      source: where it is from, for messages.
      finite: whether to refuse NaN and infinities, which Python writes.

    Raises:
      InputError: it is no JSON.
    """
    try:
        return json.loads(
            content.decode(),
            parse_constant=_refuse if finite else None,
            parse_float=_finite if finite else None,
        )
    except RecursionError as error:
        raise InputError(f"{source} is nested too deeply.") from error
    except ValueError as error:
        raise InputError(f"{source} is not JSON: {error}.") from error


def parse_object(
    content: bytes, *, source: str, finite: bool = True
) -> dict[str, Any]:
    """Returns the one object that JSON text must be; see `parse`."""
    found = parse(content, source=source, finite=finite)
    if not isinstance(found, dict):
        raise InputError(f"{source} must hold one JSON object.")
    return found


def check(content: dict[str, Any], name: str, *, source: str) -> None:
    """Checks what a file of a run holds, as far as programs rely on it.

    Args:
      content: of the file.
      name: of the file; of unknown ones nothing is asked.
      source: its path, for messages.

    Raises:
      InputError: a value is missing or ill-typed.
    """
    required = set(REQUIRED.get(name, ()))
    for key, others in TOGETHER.items():
        required |= others if key in content else set()
    if missing := sorted(required - set(content)):
        raise InputError(f"{source} has no `{missing[0]}`.")
    for key, kind in (REQUIRED.get(name, {}) | KNOWN.get(name, {})).items():
        if key in content and not kind.accepts(content[key]):
            raise InputError(
                f"{source}: `{key}` must be {kind.words}; got "
                f"{_shown(content[key])}."
            )


def check_row(row: Any, *, epoch: int, source: str) -> None:
    """Checks a line of metrics.jsonl.

    Args:
      row: what the line says.
      epoch: whose line it is, from 1.
      source: where it is from, for messages.

    Raises:
      InputError: it is no object of finite numbers, or another epoch's.
    """
    if not isinstance(row, dict) or not all(map(_is_finite, row.values())):
        raise InputError(f"{source} must be an object of finite numbers.")
    if row.get("epoch") != epoch:
        raise InputError(
            f"{source} must be of epoch {epoch}; got "
            f"{_shown(row.get('epoch'))}."
        )


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) >= 2**63:  # it may be too long
        return "a larger one"
    return f"{value!r:.40}"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text:.40} is too large a number")
    return number


def _is_int(value: Any) -> bool:
    """Whether it is a whole number of a sane size."""
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return is_int and abs(value) < 2**63


def _is_whole(value: Any) -> bool:
    return _is_int(value) and value >= 0


def _is_number(value: Any) -> bool:
    """Whether it is one, or infinite, as a ratio's may be."""
    if isinstance(value, float):
        return not math.isnan(value)
    return _is_int(value)


def _is_finite(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value)


def _object_of(kind: Kind) -> Kind:
    return Kind(
        f"an object, each value {kind.words}",
        lambda value: (
            isinstance(value, dict) and all(map(kind.accepts, value.values()))
        ),
    )


def _or_none(kind: Kind) -> Kind:
    return Kind(
        f"{kind.words} or null",
        lambda value: value is None or kind.accepts(value),
    )


TEXT = Kind("text", lambda value: isinstance(value, str))
WHOLE = Kind("a whole number, 0 or more", _is_whole)
NUMBER = Kind("a number", _is_number)
SHAPE = Kind(
    "a list of 1 or 3 whole numbers above 0",
    lambda value: (
        isinstance(value, list)
        and len(value) in (1, 3)
        and all(_is_whole(size) and 0 < size < 2**31 for size in value)
    ),
)
CURVE = Kind(
    "an object of numbers by whole numbers",
    lambda value: (
        isinstance(value, dict)
        and all(key.isdecimal() for key in value)
        and all(map(_is_number, value.values()))
    ),
)
SUPPORT = Kind(
    '"binary", "unit" or "real"',
    lambda value: value in ("binary", "unit", "real"),
)
SIZES = Kind(
    "an object of whole numbers, with `train`",
    lambda value: _object_of(WHOLE).accepts(value) and "train" in value,
)

# By file: what must be there, and what must be so where it is there.
REQUIRED: dict[str, dict[str, Kind]] = {
    "data.json": {
        "event_shape": SHAPE,
        "num_classes": _or_none(WHOLE),
        "support": SUPPORT,
        "num_examples": SIZES,
    },
    "result.json": {"versions": _object_of(TEXT), "best_epoch": WHOLE},
    "evaluation.json": {
        "active_units": WHOLE,
        "num_examples": WHOLE,
        "split": TEXT,
        "weights": TEXT,
    },
}
TOGETHER = {"nll": {"nll_stderr", "num_samples", "nll_curve"}}
KNOWN: dict[str, dict[str, Kind]] = {
    "data.json": {"levels": _or_none(WHOLE)},
    "evaluation.json": {
        **dict.fromkeys(
            ("nll", "nll_stderr", "bits_per_dim", "elbo", "rate", "mse",
             "distortion_nats", "hidden_mse"),
            NUMBER,
        ),
        "num_samples": WHOLE,
        "mask": TEXT,
        "exact_model_nll": _or_none(NUMBER),
        "nll_curve": CURVE,
        "naive_curve": CURVE,
    },
}  # fmt: skip
