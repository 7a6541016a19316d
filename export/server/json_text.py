"""JSON as RapidJSON 1.1.0 reads it, with its words and offsets."""

import json
import re
from typing import Any, NoReturn

from export.server import json_numbers

SPACE = re.compile(rb"[ \n\r\t]*")
# Each of the three bytes is skipped if it is there.
BYTE_ORDER_MARK = re.compile(rb"\xef?\xbb?\xbf?")
PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
HEX = re.compile(rb"[0-9A-Fa-f]{0,4}")
ESCAPES = {
    ord(sign): value
    for sign, value in zip('"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True)
}
LITERALS = {
    ord("n"): (b"null", None),
    ord("t"): (b"true", True),
    ord("f"): (b"false", False),
}
HIGH_SURROGATES = range(0xD800, 0xDC00)
LOW_SURROGATES = range(0xDC00, 0xE000)
# From this size on, Python's own reader is tried; it is much faster.
LARGE_BYTES = 1 << 16
# What it reads otherwise: escaped code points, numbers that overflow.
UNUSUAL = re.compile(rb"\\u|[eE]\+?[0-9]{3}|[0-9]{300}")
INVALID = "Invalid value."
# What the real server has no limit for but its stack and its memory.
MOST_DEPTH = 1000  # lists and objects in each other
MOST_VALUES = 1 << 24  # each takes 200 bytes here, at the most
TOO_DEEP = f"More than {MOST_DEPTH} lists and objects in each other."
TOO_MANY = f"More than {MOST_VALUES} values; send fewer rows at once."


class JsonError(ValueError):
    """A text is no JSON.

    Attributes:
      offset: the byte at which that was seen.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class JsonObject:
    """An object with its members in their order, duplicates included.

    Attributes:
      names: of the members.
      values: of the members.
    """

    __slots__ = ("names", "values")

    def __init__(self, members: list[tuple[str, Any]] | None = None) -> None:
        self.names: list[str] = [name for name, _ in members or ()]
        self.values: list[Any] = [value for _, value in members or ()]

    def append(self, value: Any) -> None:
        """Adds the value of the last name."""
        self.values.append(value)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def get(self, name: str, default: Any) -> Any:
        """Returns the first member of that name, or the default."""
        members = zip(self.names, self.values, strict=True)
        return next((value for own, value in members if own == name), default)

    def __getitem__(self, name: str) -> Any:
        """Returns the first member of that name."""
        return self.values[self.names.index(name)]


def read(body: bytes) -> Any:
    """Returns the value at the start of a text; what follows it is ignored.

    Returns:
      value: None, a bool, an integer from -2^63 to 2^64 - 1, a float, a str
        (bytes that are no UTF-8 as surrogate escapes), a list or a JsonObject.

    Raises:
      JsonError: it is no JSON, with RapidJSON's words; or there is too much.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) >= MOST_VALUES:
        raise JsonError(TOO_MANY, len(body))
    start = BYTE_ORDER_MARK.match(body).end()  # type: ignore[union-attr]
    if len(body) >= LARGE_BYTES and not UNUSUAL.search(body):
        try:
            text = body[start:].decode("utf-8", "surrogateescape")
            return _FAST.raw_decode(text.lstrip(" \n\r\t"))[0]
        except (ValueError, RecursionError):
            pass  # said again below, in the right words
    return _Reader(body, start).read()


def _to_integer(text: str) -> int | float:
    number = int(text)
    if -json_numbers.LARGEST_NEGATED <= number <= json_numbers.LARGEST_UNSIGNED:
        return number
    return float(number)


_FAST = json.JSONDecoder(parse_int=_to_integer, object_pairs_hook=JsonObject)


class _Reader:
    """Reads from a place on; nesting is kept in a list, not on the stack."""

    def __init__(self, body: bytes, start: int) -> None:
        self._body, self._at = body, start

    def read(self) -> Any:
        self._skip_space()
        if self._peek() == 0:
            self._refuse("The document is empty.")
        open_: list[Any] = []  # lists and objects, the innermost last
        while True:
            value = self._value()
            if isinstance(value, list | JsonObject) and not self._closes(value):
                if len(open_) == MOST_DEPTH:
                    self._refuse(TOO_DEEP)
                open_.append(value)
                self._name(value)
                continue
            while open_:
                open_[-1].append(value)
                self._skip_space()
                if self._take(b","):
                    self._skip_space()
                    self._name(open_[-1])
                    break
                value = open_.pop()
                self._close(value)
            else:
                return value

    def _value(self) -> Any:
        """Returns a value, of which lists and objects are still empty."""
        sign = self._peek()
        if sign == ord('"'):
            return self._string()
        if self._take(b"["):
            return []
        if self._take(b"{"):
            return JsonObject()
        if sign in LITERALS:
            word, value = LITERALS[sign]
            self._word(word)
            return value
        return self._number()

    def _closes(self, value: Any) -> bool:
        """Whether a list or an object that was just opened is empty."""
        self._skip_space()
        return self._take(b"]" if isinstance(value, list) else b"}")

    def _close(self, value: Any) -> None:
        if isinstance(value, list):
            if not self._take(b"]"):
                self._refuse("Missing a comma or ']' after an array element.")
        elif not self._take(b"}"):
            self._refuse("Missing a comma or '}' after an object member.")

    def _name(self, value: Any) -> None:
        """Reads up to the next value in a list or an object."""
        if isinstance(value, JsonObject):
            if self._peek() != ord('"'):
                self._refuse("Missing a name for object member.")
            value.names.append(self._string())
            self._skip_space()
            if not self._take(b":"):
                self._refuse("Missing a colon after a name of object member.")
            self._skip_space()

    def _string(self) -> str:
        self._at += 1
        found = bytearray()
        while True:
            plain = PLAIN.match(self._body, self._at)
            assert plain is not None
            found += plain[0]
            self._at = plain.end()
            sign = self._peek()
            if sign == ord('"'):
                self._at += 1
                return found.decode("utf-8", "surrogateescape")
            if sign == 0:
                self._refuse("Missing a closing quotation mark in string.")
            if sign != ord("\\"):
                self._refuse("Invalid escape character in string.")
            found += self._escape()

    def _escape(self) -> bytes:
        start = self._at
        self._at += 1
        sign = self._peek()
        self._at += 1
        if sign in ESCAPES:
            return bytes((ESCAPES[sign],))
        if sign != ord("u"):
            self._refuse("Invalid escape character in string.", at=start)
        point = self._hex(start)
        if point in HIGH_SURROGATES:
            low = 0
            if self._take(b"\\") and self._take(b"u"):
                low = self._hex(start)
            if low not in LOW_SURROGATES:
                self._refuse(
                    "The surrogate pair in string is invalid.", at=start
                )
            point = 0x10000 + ((point & 0x3FF) << 10 | low & 0x3FF)
        return chr(point).encode("utf-8", "surrogatepass")

    def _hex(self, start: int) -> int:
        digits = HEX.match(self._body, self._at)
        assert digits is not None
        if len(digits[0]) < 4:
            self._refuse(
                "Incorrect hex digit after \\u escape in string.", at=start
            )
        self._at = digits.end()
        return int(digits[0], 16)

    def _number(self) -> int | float:
        start = self._at
        found = json_numbers.NUMBER.match(self._body, start)
        if found is None:
            return self._not_finite()
        self._at = found.end()
        if found[3] == b"":
            self._refuse("Miss fraction part in number.", at=found.start(3))
        if found[5] == b"":
            self._refuse("Miss exponent in number.", at=found.start(5))
        try:
            return json_numbers.to_number(found)
        except OverflowError:
            self._refuse("Number too big to be stored in double.", at=start)

    def _not_finite(self) -> float:
        """Reads NaN, Inf or Infinity, with or without a minus."""
        minus = self._take(b"-")
        if self._peek() == ord("N"):
            self._word(b"NaN")
            return float("nan")
        self._word(b"Inf")
        if self._peek() == ord("i"):
            self._word(b"inity")
        return float("-inf" if minus else "inf")

    def _word(self, word: bytes) -> None:
        for sign in word:
            if not self._take(bytes((sign,))):
                self._refuse(INVALID)

    def _skip_space(self) -> None:
        self._at = SPACE.match(self._body, self._at).end()  # type: ignore[union-attr]

    def _peek(self) -> int:
        """Returns the next byte, 0 at the end as well."""
        return self._body[self._at] if self._at < len(self._body) else 0

    def _take(self, sign: bytes) -> bool:
        taken = self._body.startswith(sign, self._at)
        self._at += taken
        return taken

    def _refuse(self, message: str, *, at: int | None = None) -> NoReturn:
        raise JsonError(message, self._at if at is None else at)
