"""Generated: rows of x and their codes, and how they are made."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfvae import noise
from tfvae.condition import Values
from tfvae.distributions.priors import StandardNormal
from tfvae.errors import InputError
from tfvae.learner import Given, Learner
from tfvae.metrics.decoding import batched
from tfvae.vae import VAE

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
    _, show = SHOWN[shown]

    def decode_rows(z: tf.Tensor, values: Values, ids: tf.Tensor) -> tf.Tensor:
        draw_seed = tf.random.experimental.stateless_fold_in(
            noise.tfp_seed(seed, noise.SAMPLE), ids[0], alg=noise.ALGORITHM
        )
        return show(model.decode(z, values), draw_seed)

    flat = z.reshape(-1, z.shape[-1])
    ids = np.arange(len(flat), dtype=np.int32)
    x = batched(decode_rows, flat, condition or {}, ids)
    return x.reshape(*z.shape[:-1], *x.shape[1:])


def prior_draws(
    model: Learner,
    num: int,
    *,
    mode: str,
    seed: int,
    temperature: float = 1.0,
) -> np.ndarray:
    """Returns z ~ p(z): [num, latent_dim].

    Args:
      model: trained.
      num: of draws.
      mode: that asks for them, for messages.
      seed: of the draws; `VAE.sample` draws the same ones.
      temperature: by which the noise of N(0, I) is multiplied.

    Raises:
      InputError: a model without a prior, or a temperature of a learned one.
    """
    vae = with_prior(model, mode)
    if temperature != 1 and not isinstance(vae.prior_layer, StandardNormal):
        raise InputError(
            "`temperature` is of the standard normal prior's noise; the run's "
            "prior is learned, give --temperature=1."
        )
    # z = temperature * eps, eps ~ N(0, I)
    return (
        temperature
        * vae.prior.sample(num, seed=noise.tfp_seed(seed, noise.SAMPLE)).numpy()
    )


def with_prior(model: Learner, mode: str) -> VAE:
    """Returns the model, which has a p(z).

    Args:
      model: trained.
      mode: that needs it, for messages.

    Raises:
      InputError: an autoencoder, which has none.
    """
    if not isinstance(model, VAE):
        raise InputError(
            f"`{mode}` draws from a prior, which an autoencoder has not; "
            "train with --model=vae, or use reconstruct or interpolate."
        )
    return model


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
