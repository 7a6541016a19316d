"""Round numbers within a range, and as few digits as tell them apart."""

import numpy as np
import pytest

from tfvae.plots import ticks


@pytest.mark.parametrize(
    ("values", "log", "expected"),
    [
        ([2, 50, 64], True, [2, 4, 8, 16, 32, 64]),
        ([3, 40], True, [4, 8, 16, 32]),
        ([1, 2000], True, [1, 4, 16, 64, 256, 1024]),
        ([0.05, 5000.0], True, [0.1, 1, 10, 100, 1000]),
        ([4.0, 70.0], True, [5, 10, 20, 50]),
        ([1e-5, 1e5], True, [1e-5, 1e-3, 1e-1, 1e1, 1e3, 1e5]),
        ([9, 15], True, [9, 15]),
        ([9, 17], True, [9, 17]),
        ([9.0, 15.0], True, [9, 15]),
        ([31.0, 42.0], True, [31, 42]),
        ([7.0], True, [7]),
        ([0.0, 1.0], False, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ([-30.0, 100.0], False, [0, 50, 100]),
        ([1, 4, 2], False, [1, 2, 3, 4]),
        ([1, 2], False, [1, 2]),
        ([5, 5], False, [5]),
    ],
)
def test_marks_are_round_and_within_the_range(
    values: list[float], log: bool, expected: list[float]
) -> None:
    np.testing.assert_allclose(ticks.marks(np.array(values), log=log), expected)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0.05, 64, 35615.4], ["0.05", "64", "35,615"]),
        ([-632.54, 1.23456], ["-633", "1.23"]),
        ([-632.44, -632.41], ["-632.44", "-632.41"]),
        ([1234.1, 1234.2], ["1,234.1", "1,234.2"]),
        ([1e7, 2e-5], ["1e+07", "2e-05"]),
        ([3.0, 3.0], ["3", "3"]),
        ([1.00000001, 1.00000002], ["1", "1"]),
    ],
)
def test_texts_have_as_many_digits_as_tell_numbers_apart(
    numbers: list[float], expected: list[str]
) -> None:
    assert ticks.texts(np.array(numbers)) == expected
