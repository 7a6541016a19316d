"""One setting: its name, default, bounds and help, and how its text is read.

Nothing here knows which settings there are (`config.py` does) or how they
reach the program (`flags.py` does).
"""

import dataclasses
import difflib
import math
import re
import reprlib
from collections.abc import Iterable
from typing import Any

from tfvae.errors import InputError

LARGEST_INT = 2**31 - 1  # what a dimension of a tensor can be
SHORT = reprlib.Repr()  # of a wrong value, however long or deep
SHORT.maxstring = SHORT.maxother = 80
# Line ends, NUL and the like, and what is no UTF-8: no path, no name, no word.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
SWITCH_WORDS = {"true": True, "1": True, "false": False, "0": False}


@dataclasses.dataclass(frozen=True)
class Rule:
    """What one setting accepts.

    A value is one of `words`, or a `number` within the bounds, or (`list_of`)
    a comma-separated list of numbers, or text that `pattern` matches. A rule
    with neither of these accepts any text.
    """

    help: str
    words: tuple[str, ...] = ()
    number: type | None = None
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    is_list: bool = False
    is_switch: bool = False
    pattern: str | None = None
    pattern_text: str = ""
    identity: bool = True  # two runs that differ here are different runs

    def accepted(self) -> str:
        """Returns what this rule accepts, in words, for messages and help."""
        if self.is_switch:
            return "true or false"
        parts = list(self.words)
        if self.number is not None:
            noun = "a whole number" if self.number is int else "a number"
            if self.minimum is not None:
                noun += f" of at least {to_text(self.minimum)}"
            if self.above is not None:
                noun += f" above {to_text(self.above)}"
            if self.maximum is not None:
                noun += f" and at most {to_text(self.maximum)}"
            parts.append(f"a list, each {noun}" if self.is_list else noun)
        if self.pattern is not None:
            parts.append(self.pattern_text)
        return " or ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))

    def is_free_text(self) -> bool:
        """Whether any text is accepted."""
        return not (self.words or self.number or self.is_switch or self.pattern)


def setting(default: Any, help: str, **rule: Any) -> Any:
    """Declares a dataclass field whose values follow a `Rule`."""
    return dataclasses.field(
        default=default, metadata={"rule": Rule(help, **rule)}
    )


def rule_of(field: dataclasses.Field) -> Rule:
    """Returns the rule with which `setting` declared the field."""
    return field.metadata["rule"]


def to_text(value: Any) -> str:
    """Returns a value as it is typed on a command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(to_text, value)) or "none"
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def read_text(field: dataclasses.Field, text: str) -> Any:
    """Returns the value that `text`, from a command line, stands for.

    Raises:
      InputError: the text is none of the values that the field accepts.
    """
    rule, value = rule_of(field), text.strip()
    if rule.is_free_text():
        return check(field, text)
    if rule.is_switch:
        return check(field, SWITCH_WORDS.get(value.lower(), text))
    if rule.is_list and value not in rule.words:
        items = [] if value == "none" else value.split(",")
        return check(field, tuple(_number(rule, item) for item in items))
    if rule.number is None or value in rule.words:
        return check(field, value)
    return check(field, _number(rule, value))


def check(field: dataclasses.Field, value: Any) -> Any:
    """Returns the value in the field's own type.

    Raises:
      InputError: the value is of another type or outside the bounds.
    """
    rule = rule_of(field)
    if rule.is_list and isinstance(value, list | tuple):
        if all(_is_number(rule, item) for item in value):
            return tuple(map(rule.number, value))  # type: ignore[arg-type]
    elif rule.is_switch:
        if isinstance(value, bool):
            return value
    elif isinstance(value, str):
        is_text = rule.is_free_text() and not UNPRINTABLE.search(value)
        if is_text or value in rule.words:
            return value
        if rule.pattern and re.fullmatch(rule.pattern, value):
            return value
    elif not rule.is_list and _is_number(rule, value):
        return rule.number(value)  # type: ignore[misc]
    accepted = "text" if rule.is_free_text() else rule.accepted()
    if rule.is_free_text() and isinstance(value, str):
        accepted += " in UTF-8, without control characters"
    raise InputError(f"`{field.name}` must be {accepted}; got {_shown(value)}.")


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Returns the error for a name that is not one of `known`."""
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean `{close[0]}`?" if close else "see --help."
    return InputError(f"unknown {kind} `{name}`; {hint}")


def _shown(value: Any) -> str:
    """Returns a value, whatever it is, as a message tells it."""
    if isinstance(value, int | float) and abs(value) < 1e300:
        return to_text(value)
    return SHORT.repr(value)


def _number(rule: Rule, text: str) -> Any:
    """Returns the number in `text`, or `text` itself where it holds none."""
    try:
        return rule.number(text)  # type: ignore[misc]
    except ValueError:
        return text


def _is_number(rule: Rule, value: Any) -> bool:
    accepted = (int,) if rule.number is int else (int, float)
    if rule.number is None or isinstance(value, bool):
        return False
    if not isinstance(value, accepted):
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if rule.minimum is not None and value < rule.minimum:
        return False
    largest = LARGEST_INT if rule.maximum is None else rule.maximum
    if value > largest:
        return False
    return rule.above is None or value > rule.above
