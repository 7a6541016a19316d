"""Numbers are read as RapidJSON does and written as the server does."""

import math
import random
import struct

import numpy as np
import pytest

from export.server import json_numbers


def _read(text: str) -> int | float:
    found = json_numbers.NUMBER.fullmatch(text.encode())
    assert found is not None
    return json_numbers.to_number(found)


def test_short_decimals_are_the_nearest_doubles() -> None:
    # 15 digits and 10^22 are exact, so that one rounding is left.
    draws = random.Random(3)
    for _ in range(2000):
        digits = str(draws.randrange(10 ** draws.randrange(1, 16)))
        place = draws.randrange(len(digits))
        whole = digits[:place].lstrip("0") or "0"
        text = f"-{whole}.{digits[place:]}"
        assert _read(text) == float(text)
        text = f"{digits}e{draws.randrange(-22, 7)}"
        assert _read(text) == float(text)


def test_long_decimals_are_near() -> None:
    draws = random.Random(4)
    for _ in range(2000):
        number = draws.uniform(-10, 10) * 10.0 ** draws.randrange(-290, 290)
        assert math.isclose(_read(repr(number)), number, rel_tol=1e-15)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2.0**64),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", -(2.0**63)),
        ("1e2", 100.0),
        ("1E+2", 100.0),
        ("1e0000000002", 100.0),
        ("0.1000000000000000055", 0.1),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("1e-45", 1.0 / 1e45),  # not the nearest, 1e-45
        ("9e308", math.inf),
        ("-9e308", -math.inf),
        ("5e-324", 0.0),
        ("1e-308", 0.0),
        ("3e-308", 3 / 1e308),
        ("1" + "0" * 22 + ".5e-22", 1.0),
        ("1e-" + "9" * 2000, 0.0),
        ("0." + "0" * 400 + "1e401", 1.0),
    ],
)
def test_single_numbers(text: str, value: float) -> None:
    read = _read(text)
    assert type(read) is type(value)
    assert read == value


@pytest.mark.parametrize(
    ("text", "double", "nearest"),
    [
        ("888.8508941488594526", "1.bc6cea1976dadp+9", "1.bc6cea1976dacp+9"),
        ("0.54565275582823574162", "1.175fcc4a8253ep-1", "1.175fcc4a8253dp-1"),
        ("0.212997220033224538324", "1.b437e2f173f2cp-3", "1.b437e2f173f2dp-3"),
        ("168.3093196542754172", "1.509e5f254e3eep+7", "1.509e5f254e3efp+7"),
        ("0.92004871830669976763", "1.d710a027b53e5p-1", "1.d710a027b53e7p-1"),
    ],
)  # fmt: skip
def test_last_bit_is_rapidjson_s(text: str, double: str, nearest: str) -> None:
    # `double` was read by RapidJSON itself, through python-rapidjson 1.25.
    assert _read(text) == float.fromhex(f"0x{double}")
    assert float(text) == float.fromhex(f"0x{nearest}")


def test_many_digits_and_a_small_power() -> None:
    read = _read("12345678901234567890123e-315")
    assert math.isclose(read, 1.2345678901234567e-293, rel_tol=1e-15)


def test_subnormal_zero_keeps_its_sign() -> None:
    assert math.copysign(1, _read("-1e-320")) == -1
    assert math.copysign(1, _read("-0.0")) == -1


@pytest.mark.parametrize(
    "text", ["1e309", "0e400", "-1e309", "1.5e310", "9" * 310, "1e99999999999"]
)
def test_too_big_a_number(text: str) -> None:
    with pytest.raises(OverflowError):
        _read(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (-1.5, "-1.5"),
        (100.0, "100.0"),
        (-(2.0**63), "-9223372036854776000.0"),
        (1e20, "100000000000000000000.0"),
        (1e21, "1e21"),
        (1.25e21, "1.25e21"),
        (1.25e20, "125000000000000000000.0"),
        (0.1, "0.1"),
        (1e-5, "0.00001"),
        (1.5e-6, "0.0000015"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (123456.789, "123456.789"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
    ],
)
def test_number_in_an_error(number: float, text: str) -> None:
    assert json_numbers.to_text(number) == text


def _shortest(value: float, *, single: bool) -> str:
    """Returns six digits where they are enough, else all; by the definition."""
    text = f"{value:g}"
    kind = "f" if single else "d"
    if struct.pack(kind, float(text)) != struct.pack(kind, value):
        text = f"{value:.9g}" if single else f"{value:.17g}"
    return text if "." in text or "e" in text else f"{text}.0"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_answers_numbers(dtype: type) -> None:
    draws = np.random.RandomState(5)
    array = np.concatenate(
        [
            draws.normal(size=500),
            np.round(draws.normal(size=500), 3),
            10.0 ** draws.randint(-30, 30, 300),
            draws.randint(-(10**6), 10**6, 300),
        ]
    ).astype(dtype)
    expected = [
        _shortest(float(value), single=dtype == np.float32) for value in array
    ]
    assert json_numbers.to_texts(array.reshape(4, -1)) == expected


def test_answers_special_numbers() -> None:
    values = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40]
    texts = ["NaN", "NaN", "Infinity", "-Infinity", "0.0", "-0.0"]
    singles = np.array(values, np.float32)
    assert json_numbers.to_texts(singles) == [*texts, "0.0", "-0.0"]
    doubles = np.array([*values[:6], 5e-324, 1e-40])
    assert json_numbers.to_texts(doubles) == [*texts, "0.0", "1e-40"]
    largest = np.array([3.4028235e38, 1e6, 2**24], np.float32)
    assert json_numbers.to_texts(largest) == [
        "3.40282347e+38", "1e+06", "16777216.0",
    ]  # fmt: skip
    assert json_numbers.to_texts(np.zeros((0, 3), np.float32)) == []
