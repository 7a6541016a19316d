"""JSON's numbers, read and written as RapidJSON 1.1.0 and the server do.

RapidJSON reads a decimal number with a few multiplications, whose last bit may
differ from the nearest double's. The server's threads flush subnormal numbers
to zero.
"""

import decimal
import math
import re

import numpy as np

# (minus), (whole part), (fraction), (sign of the exponent), (exponent); a part
# that must not be empty may be here, so that the reader can say where.
NUMBER = re.compile(
    rb"(-?)(0|[1-9][0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?)([0-9]*))?"
)
LARGEST_UNSIGNED = 2**64 - 1
LARGEST_NEGATED = 2**63
MOST_WHOLE_DIGITS = 20  # of these two
LARGEST_EXACT = 2**53 - 1  # no more digits are gathered in an integer
MOST_DIGITS = 17  # later ones of a fraction are left out
LARGEST_TENTH = 1.7976931348623157e307
LARGEST_EXPONENT = 308
MOST_EXPONENT_DIGITS = 1000
SMALLEST_NORMAL = 2.2250738585072014e-308
MOST_PLAIN_DIGITS = 21  # of a number that is written without an exponent
MOST_LEADING_ZEROS = 6


def to_number(found: re.Match[bytes]) -> int | float:
    """Returns the value of a match of NUMBER.

    Returns:
      number: an integer from -2^63 to 2^64 - 1 where it is written as one,
        else a double, infinite where the product overflows.

    Raises:
      OverflowError: it is too big for a double.
    """
    minus, whole, fraction, exponent_sign, exponent = found.groups()
    limit = LARGEST_NEGATED if minus else LARGEST_UNSIGNED
    if (
        fraction is None
        and exponent is None
        and len(whole) <= MOST_WHOLE_DIGITS
    ):
        number = int(whole)
        if number <= limit:
            return -number if minus else number
    significand, power = _significand(whole, fraction or b"", limit=limit)
    power += _exponent(exponent_sign, exponent or b"0", power=power)
    double = _scaled(significand, power)
    if double < SMALLEST_NORMAL:
        double = 0.0
    return -double if minus else double


def _significand(
    whole: bytes, fraction: bytes, *, limit: int
) -> tuple[float, int]:
    """Returns (digits as a double, power of ten that they are times)."""
    for length in range(len(str(limit)), 0, -1):
        if int(whole[:length]) <= limit:
            break
    if length < len(whole):  # the fraction is then left out
        double = float(int(whole[:length]))
        for digit in whole[length:]:
            if double >= LARGEST_TENTH:
                raise OverflowError
            double = double * 10 + (digit - ord("0"))
        return double, 0
    integer, seen, place = int(whole), len(whole) - 1, 0
    while place < len(fraction) and integer <= LARGEST_EXACT:
        integer = integer * 10 + (fraction[place] - ord("0"))
        seen += integer != 0
        place += 1
    double = float(integer)
    while place < len(fraction) and seen < MOST_DIGITS:
        double = double * 10 + (fraction[place] - ord("0"))
        seen += double > 0
        place += 1
    return double, -place


def _exponent(sign: bytes | None, digits: bytes, *, power: int) -> int:
    # No longer one makes a difference, and Python refuses very long ones.
    digits = digits.lstrip(b"0")[:MOST_EXPONENT_DIGITS] or b"0"
    if sign == b"-":
        return -int(digits)
    longest = LARGEST_EXPONENT - power
    if len(digits) > len(str(longest)) or int(digits) > longest:
        raise OverflowError
    return int(digits)


def _scaled(significand: float, power: int) -> float:
    """Returns significand * 10^power."""
    if power >= 0:
        return significand * float(f"1e{power}")
    if power < -LARGEST_EXPONENT:
        significand /= 1e308
        power += LARGEST_EXPONENT
    return (
        0.0 if power < -LARGEST_EXPONENT else significand / float(f"1e{-power}")
    )


def to_text(number: float) -> str:
    """Returns a finite double in a request as an error repeats it."""
    minus = "-" if math.copysign(1.0, number) < 0 else ""
    if number == 0:
        return f"{minus}0.0"
    # The shortest digits that give the number.
    _, digits, power = decimal.Decimal(repr(abs(number))).normalize().as_tuple()
    assert isinstance(power, int)
    text = "".join(map(str, digits))
    point = len(text) + power
    if power >= 0 and point <= MOST_PLAIN_DIGITS:
        return f"{minus}{text}{'0' * power}.0"
    if 0 < point <= MOST_PLAIN_DIGITS:
        return f"{minus}{text[:point]}.{text[point:]}"
    if -MOST_LEADING_ZEROS < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    tail = f".{text[1:]}" if len(text) > 1 else ""
    return f"{minus}{text[0]}{tail}e{point - 1}"


def to_texts(array: np.ndarray) -> list[str]:
    """Returns the numbers of an answer.

    Six digits where they give the number again, else 9 (float32) or 17.

    Args:
      array: float32 or float64, of any shape.

    Returns:
      texts: one for each number, in row-major order.
    """
    flat = array.reshape(-1)
    tiny = np.abs(flat) < np.finfo(flat.dtype).smallest_normal
    flat = np.where(tiny, np.copysign(flat.dtype.type(0), flat), flat)
    values = flat.tolist()
    texts = ("%g " * len(values) % tuple(values)).split()
    with np.errstate(over="ignore"):
        again = np.array([float(text) for text in texts]).astype(flat.dtype)
    longer = "%.9g" if flat.dtype == np.float32 else "%.17g"
    for place in np.flatnonzero(again != flat).tolist():
        texts[place] = longer % values[place]
    return [_with_point(text) for text in texts]


NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _with_point(text: str) -> str:
    """Marks a number as no integer, and names those that are not finite."""
    if "." in text or "e" in text:
        return text
    return NOT_FINITE.get(text, f"{text}.0")
