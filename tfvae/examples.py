"""Examples of a split as a model sees them, in memory, with their condition."""

import dataclasses
from typing import Any

import numpy as np

from tfvae import resolve
from tfvae.config import Config
from tfvae.data import pipeline
from tfvae.data.split import Split
from tfvae.errors import InputError

MOST_NUMBERS = 2**29  # of all examples, held as float32: 2 GiB
BATCH = 250

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Examples:
    """Some examples of a split.

    Attributes:
      x: [n, *event_shape] float32.
      labels: [n] int64, or None where the data have none.
      condition: {name: [n, ...]}, empty for a model without a condition.
    """

    x: np.ndarray
    labels: np.ndarray | None
    condition: Arrays

    def take(self, ids: Any) -> "Examples":
        """Returns the examples at `ids`, indices or a slice, in that order."""
        return Examples(
            self.x[ids],
            None if self.labels is None else self.labels[ids],
            {name: values[ids] for name, values in self.condition.items()},
        )

    def num_hidden(self) -> np.ndarray:
        """Returns how many dimensions of each example are not known: [n]."""
        if "mask" not in self.condition:
            return np.full(len(self.x), self.x[0].size)
        hidden = self.condition["mask"] <= 0.5  # [n, height, width, 1]
        return hidden.sum(axis=(1, 2, 3)) * self.x.shape[-1]

    def __len__(self) -> int:
        return len(self.x)


def load_examples(
    config: Config,
    split: Split,
    *,
    num_examples: int = 0,
    seed: int = 0,
    ids: np.ndarray | None = None,
    mask: str = "",
) -> Examples:
    """Returns examples of a split as the model of a config sees them.

    Args:
      config: of the run; random pixels and masks are drawn once, with its seed.
      split: they are taken from.
      num_examples: drawn at random, as some test sets are sorted by class, and
        kept in the split's order; 0: all.
      seed: of the choice.
      ids: indices of the examples to take instead, in this order.
      mask: which pixels are seen instead of what the config says.

    Raises:
      InputError: they do not fit into memory, or there is no such index.
    """
    total = split.num_examples
    chosen = _chosen(total, num_examples, seed) if ids is None else ids
    if ids is not None and not all(0 <= i < total for i in ids):
        raise InputError(
            f"`indices` must be from 0 to {total - 1}, of the examples of the "
            f"split; got {', '.join(map(str, ids))}."
        )
    batches = pipeline.eval_batches(
        split,
        BATCH,
        seed=config.seed,
        **resolve.view(config) | ({"mask": mask} if mask else {}),
    )
    ordered = np.unique(chosen)
    parts, first = [], 0
    for batch in batches.as_numpy_iterator():
        x, y = batch if isinstance(batch, tuple) else (batch, None)
        _check_size(len(chosen), x[0].size)
        inside = ordered[(ordered >= first) & (ordered < first + len(x))]
        parts.append(
            (x[inside - first], None if y is None else y[inside - first])
        )
        first += len(x)
        if first > ordered[-1]:
            break
    x = np.concatenate([part[0] for part in parts])
    labels = split.labels()
    y = None if parts[0][1] is None else np.concatenate([p[1] for p in parts])
    examples = Examples(
        x,
        None if labels is None else labels[ordered],
        CONDITIONS[config.condition](x, y),
    )
    return examples.take(np.searchsorted(ordered, chosen))


def _seen_part(x: np.ndarray, mask: np.ndarray) -> Arrays:
    return {"image": np.where(mask > 0.5, x, 0).astype(x.dtype), "mask": mask}


# From x and what comes with it to the condition's values.
CONDITIONS: dict[str, Any] = {
    "none": lambda x, y: {},
    "label": lambda x, y: {"label": y},
    "mask": _seen_part,
}


def _chosen(total: int, most: int, seed: int) -> np.ndarray:
    if not 0 < most < total:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).permutation(total)[:most])


def _check_size(num: int, num_dims: int) -> None:
    if num * num_dims > MOST_NUMBERS:
        raise InputError(
            f"{num:,} examples of {num_dims:,} numbers do not fit into memory; "
            f"give --num_examples={MOST_NUMBERS // num_dims}."
        )
