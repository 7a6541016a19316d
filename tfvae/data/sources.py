"""What every source hands over: arrays by split, and the rule that divides.

Where a source has no validation or test part, it is cut by a fixed rule: a
tenth, at most 5,000 examples, drawn by a permutation that never changes.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from tfvae.data.factors import FactorSpace

PARTS = ("train", "validation", "test")
LARGEST_CUT = 5000

Arrays = tuple[np.ndarray, np.ndarray | None]


@dataclasses.dataclass(frozen=True)
class Source:
    """Arrays by split, in the source's own dtype.

    Attributes:
      arrays: {"train", "validation", "test"} to (x [n, ...], y [n] or None).
      maximum: the largest value that the source's range allows; None: the
        dtype says it.
      factors: what the examples were made from, where it is known.
      log_prob: from x [n, ...] to the exact log p(x) [n], nats, of the density
        that the examples were drawn from, where it is known.
    """

    arrays: Mapping[str, Arrays]
    maximum: float | None = None
    factors: FactorSpace | None = None
    log_prob: Callable[[np.ndarray], np.ndarray] | None = None


def cut_size(num_examples: int) -> int:
    """Returns how many of the training examples a cut part takes."""
    return max(1, min(num_examples // 10, LARGEST_CUT))


def random_parts(x: np.ndarray, y: np.ndarray | None) -> dict[str, Arrays]:
    """Divides [n, ...] examples into train, validation and test.

    The parts do not depend on any setting of a run.
    """
    order = np.random.default_rng(0).permutation(len(x))
    size = cut_size(len(x))
    cuts = (order[2 * size :], order[:size], order[size : 2 * size])
    return {
        part: (x[ids], None if y is None else y[ids])
        for part, ids in zip(PARTS, cuts, strict=True)
    }


def with_validation(train: Arrays, test: Arrays) -> dict[str, Arrays]:
    """Cuts the validation part from the training examples."""
    x, y = train
    order = np.random.default_rng(0).permutation(len(x))
    size = cut_size(len(x))
    kept, cut = np.sort(order[size:]), order[:size]
    return {
        "train": (x[kept], None if y is None else y[kept]),
        "validation": (x[cut], None if y is None else y[cut]),
        "test": test,
    }
