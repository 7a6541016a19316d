"""Generated: rows of x and their codes, and how they are made."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from tfvae import noise
from tfvae.condition import Values
from tfvae.errors import InputError
from tfvae.learner import Given, Learner
from tfvae.metrics.decoding import batched, batches, compiled

EMPTY = 0.5  # mid grey, where nothing is seen or shown
# By name: in words, and from p(x|z) and a seed to x.
SHOWN: dict[str, tuple[str, Callable]] = {
    "mean": ("mean of p(x|z)", lambda px, seed: px.mean()),
    "draw": ("a draw of p(x|z)", lambda px, seed: px.sample(seed=seed)),
}


@dataclasses.dataclass(frozen=True)
class Generated:
    """Rows of x, and the codes they were made from.

    Attributes:
      x: [rows, columns, *event_shape], as they are shown.
      z: [rows, columns, latent_dim]; NaN where the model made no x: at an
        original, or where a short row has ended.
      title: what is shown.
      row_labels: one a row, or none.
      column_labels: one a column, or none.
      more: further arrays, by name.
    """

    x: np.ndarray
    z: np.ndarray
    title: str
    row_labels: tuple[str, ...] = ()
    column_labels: tuple[str, ...] = ()
    more: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns what the model made, row by row, with `more`.

        Returns:
          {"x": [n, *event_shape], "z": [n, latent_dim], ...}
        """
        made = ~np.isnan(self.z).any(axis=-1)
        return {"x": self.x[made], "z": self.z[made], **self.more}


def code(model: Learner, x: np.ndarray, condition: Given = None) -> np.ndarray:
    """Returns z = g(x), computed in batches: [n, latent_dim].

    Args:
      model: trained.
      x: [n, *event_shape].
      condition: its values for each x; None without a condition.
    """
    return batched(model.code, x, condition or {})


def decode(
    model: Learner,
    z: np.ndarray,
    condition: Given = None,
    *,
    shown: str = "mean",
    seed: int = 0,
) -> np.ndarray:
    """Returns x of p(x|z), computed in batches: [..., *event_shape].

    Args:
      model: trained.
      z: [..., latent_dim].
      condition: its values for each z in row order, [n, ...] each; None
        without a condition.
      shown: "mean" or "draw" of p(x|z).
      seed: of the draws; equal calls give equal results.
    """
    flat = z.reshape(-1, z.shape[-1])
    x = batched(
        decoder_fn(model, shown=shown, seed=seed),
        flat, condition or {}, row_ids(0, len(flat)),
    )  # fmt: skip
    return x.reshape(*z.shape[:-1], *x.shape[1:])


def decode_blocks(
    model: Learner,
    z: Iterable[np.ndarray],
    condition: Given = None,
    *,
    shown: str = "mean",
    seed: int = 0,
) -> Iterator[np.ndarray]:
    """Yields what `decode` returns, batch by batch.

    Args:
      model: trained.
      z: blocks [n, latent_dim], of whole batches but for the last.
      condition: its values for each z; None without a condition.
      shown: "mean" or "draw" of p(x|z).
      seed: of the draws.
    """
    decoder = compiled(decoder_fn(model, shown=shown, seed=seed))
    first = 0
    for block in z:
        ids = row_ids(first, len(block))
        values = {name: value[ids] for name, value in (condition or {}).items()}
        yield from batches(decoder, block, values, ids)
        first += len(block)


def decoder_fn(
    model: Learner, *, shown: str, seed: int
) -> Callable[..., tf.Tensor]:
    """Returns x of p(x|z), as a function of z, its condition and the row ids.

    Args:
      model: trained.
      shown: "mean" or "draw" of p(x|z).
      seed: of the draws; those of a batch depend on the id of its first row.
    """
    _, show = SHOWN[shown]

    def decode_rows(z: tf.Tensor, values: Values, ids: tf.Tensor) -> tf.Tensor:
        draw_seed = tf.random.experimental.stateless_fold_in(
            noise.tfp_seed(seed, noise.SAMPLE), ids[0], alg=noise.ALGORITHM
        )
        return show(model.decode(z, values), draw_seed)

    return decode_rows


def row_ids(first: int, num: int) -> np.ndarray:
    """Returns the numbers of `num` rows from `first` on: [num] int32."""
    return np.arange(first, first + num, dtype=np.int32)


def require_masks(model: Learner) -> None:
    """Makes sure that a model completes images.

    Raises:
      InputError: it was trained without masks.
    """
    if model.condition.name != "mask":
        raise InputError(
            "`inpaint` needs a run that was trained with --condition=mask; "
            f"this one has --condition={model.condition.name}."
        )


def repeated(condition: Given, num: int) -> Values:
    """Returns each row of a condition's values `num` times: [n * num, ...]."""
    return {
        name: np.repeat(np.asarray(values), num, axis=0)
        for name, values in (condition or {}).items()
    }


def rows_of(values: np.ndarray, lengths: list[int], empty: float) -> np.ndarray:
    """Lays values out in rows.

    Args:
      values: [n, ...], n the sum of `lengths`.
      lengths: of each row.
      empty: where a short row has ended.

    Returns:
      rows: [rows, longest, ...].
    """
    shape = [len(lengths), max(lengths), *values.shape[1:]]
    rows = np.full(shape, empty, values.dtype)
    rows[np.arange(shape[1]) < np.array(lengths)[:, np.newaxis]] = values
    return rows


def row_lengths(num: int, columns: int) -> list[int]:
    """Returns the lengths of rows of `columns`, the last maybe shorter."""
    return [min(columns, num - start) for start in range(0, num, columns)]


def interleaved(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Returns each row of one above that of the other: [2 * rows, ...]."""
    return np.stack([upper, lower], axis=1).reshape(-1, *upper.shape[1:])


def title(mode: str, shown: str, rest: str, condition: Given) -> str:
    """Returns a title: the mode, what of p(x|z), and of which class.

    Args:
      mode: its name.
      shown: a key of `SHOWN`.
      rest: what else there is to say.
      condition: its values.
    """
    classes = np.unique((condition or {}).get("label", []))
    of_class = f", class {classes[0]}" if len(classes) == 1 else ""
    return f"{mode}: {SHOWN[shown][0]}{rest}{of_class}"
