"""Which trials no other one beats in two figures at once."""

import numpy as np


def pareto_front(rate: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """Finds the trials that none of the others dominates.

    j dominates i: rate[j] <= rate[i] and distortion[j] <= distortion[i], and
    one of both is smaller.

    Args:
      rate: [n], smaller is better.
      distortion: [n], smaller is better.

    Returns:
      ids: [m], of the front, by rising rate and falling distortion. Of equal
        trials all are in it.
    """
    no_worse = (rate[:, None] <= rate) & (distortion[:, None] <= distortion)
    better = (rate[:, None] < rate) | (distortion[:, None] < distortion)
    dominated = np.any(no_worse & better, axis=0)  # [n], over who dominates
    ids = np.lexsort((distortion, rate))
    return ids[~dominated[ids]]
