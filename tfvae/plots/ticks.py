"""Round numbers for an axis, and numbers in few characters."""

import numpy as np
from matplotlib.ticker import MaxNLocator

MOST = 6
MOST_DIGITS = 7


def marks(values: np.ndarray, *, log: bool) -> np.ndarray:
    """Returns at most six round numbers within the range of values.

    Powers of 2 for whole numbers on a logarithmic axis. Where no two round
    numbers lie within the range, its ends.

    Args:
      values: [n]; positive for a logarithmic axis.
      log: whether the axis is logarithmic.
    """
    low, high = values.min(), values.max()
    whole = np.issubdtype(values.dtype, np.integer)
    if not log:
        nice = MaxNLocator(MOST - 1, integer=whole, steps=[1, 2, 5, 10])
        return _within(np.array(nice.tick_values(low, high)), low, high)
    if whole:
        return _within(2.0 ** np.arange(np.log2(high) + 1), low, high)
    first, last = np.floor(np.log10([low, high])).astype(int)
    # One by one: NumPy's power of an array makes more than 1e-05 of 10**-5.
    tens = np.array([10.0**k for k in range(first, last + 1)])
    round_ones = _within(tens, low, high)
    if len(round_ones) > 2:
        return round_ones
    return _within(np.outer(tens, [1, 2, 5]).ravel(), low, high)


def _within(numbers: np.ndarray, low: float, high: float) -> np.ndarray:
    inside = numbers[(low <= numbers) & (numbers <= high)]
    if len(inside) < 2:
        return np.unique([low, high])
    return inside[:: -(-len(inside) // MOST)]


def texts(numbers: np.ndarray) -> list[str]:
    """Returns numbers in few digits, but enough to tell them apart.

    Args:
      numbers: [n].
    """
    for digits in range(3, MOST_DIGITS + 1):
        shown = [_text(number, digits=digits) for number in numbers]
        if len(set(shown)) == len(set(numbers)):
            break
    return shown


def _text(number: float, *, digits: int) -> str:
    if 1000 <= abs(number) < 1e6:
        return f"{number:,.{max(0, digits - len(str(int(abs(number)))))}f}"
    return f"{number:.{digits}g}"
