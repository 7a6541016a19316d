"""What a trained model makes: samples, paths, traversals, completions."""

from collections.abc import Sequence

import numpy as np

from tfvae import latents
from tfvae.errors import InputError
from tfvae.generation.codes import prior_draws, with_prior
from tfvae.generation.generated import (
    EMPTY,
    Generated,
    code,
    decode,
    interleaved,
    repeated,
    require_masks,
    row_lengths,
    rows_of,
    title,
)
from tfvae.learner import Given, Learner

PATHS = {"linear": latents.linear, "spherical": latents.spherical}


def sample(
    model: Learner,
    num: int,
    *,
    seed: int,
    temperature: float = 1.0,
    condition: Given = None,
    shown: str = "mean",
    columns: int = 8,
    row_labels: Sequence[str] = (),
) -> Generated:
    """x of p(x|z), z ~ p(z).

    Args:
      model: trained.
      num: of draws.
      seed: of all that is drawn; `VAE.sample` draws the same z.
      temperature: by which the noise of N(0, I) is multiplied.
      condition: its values for each draw; None without a condition.
      shown: "mean" or "draw" of p(x|z).
      columns: draws in a row.
      row_labels: where given, the draws are shared out over these rows, as
        evenly as can be, whatever `columns` says.

    Raises:
      InputError: a model without a prior, or a temperature of a learned one.
    """
    z = prior_draws(
        model, num, mode="sample", seed=seed, temperature=temperature
    )
    x = decode(model, z, condition, shown=shown, seed=seed)
    lengths = (
        [len(row) for row in np.array_split(z, len(row_labels))]
        if row_labels
        else row_lengths(num, columns)
    )
    cooled = "" if temperature == 1 else f", temperature {temperature:g}"
    return Generated(
        rows_of(x, lengths, EMPTY),
        rows_of(z, lengths, np.nan),
        title("sample", shown, f", z ~ p(z){cooled}", condition),
        row_labels=tuple(row_labels),
        more=dict(condition or {}),
    )


def reconstruct(
    model: Learner,
    x: np.ndarray,
    *,
    condition: Given = None,
    shown: str = "mean",
    seed: int = 0,
    columns: int = 8,
) -> Generated:
    """Originals, each above x of p(x|z) at z = g(x).

    Args:
      model: trained.
      x: [n, *event_shape]; `more` holds them as "image".
      condition: its values for each x; None without a condition.
      shown: "mean" or "draw" of p(x|z).
      seed: of the draws.
      columns: originals in a row.
    """
    z = code(model, x, condition)
    made = decode(model, z, condition, shown=shown, seed=seed)
    lengths = row_lengths(len(x), columns)
    z_rows = rows_of(z, lengths, np.nan)
    return Generated(
        interleaved(rows_of(x, lengths, EMPTY), rows_of(made, lengths, EMPTY)),
        interleaved(np.full_like(z_rows, np.nan), z_rows),
        title("reconstruct", shown, ", z = g(x), below each x", condition),
        more={**(condition or {}), "image": x},
    )


def interpolate(
    model: Learner,
    x_from: np.ndarray,
    x_to: np.ndarray,
    *,
    num_steps: int,
    path: str = "linear",
    condition: Given = None,
    shown: str = "mean",
    seed: int = 0,
) -> Generated:
    """x of p(x|z) along the way from g(x_from) to g(x_to), a row each.

    Args:
      model: trained.
      x_from: [n, *event_shape].
      x_to: [n, *event_shape].
      num_steps: codes of a path, both ends included.
      path: a key of `PATHS`.
      condition: its values for each row; None without a condition.
      shown: "mean" or "draw" of p(x|z).
      seed: of the draws.
    """
    ends = zip(
        code(model, x_from, condition), code(model, x_to, condition),
        strict=True,
    )  # fmt: skip
    z = np.stack([PATHS[path](*pair, num_steps) for pair in ends])
    of_cells = repeated(condition, num_steps)
    at = np.linspace(0, 1, num_steps)
    return Generated(
        decode(model, z, of_cells, shown=shown, seed=seed),
        z,
        title("interpolate", shown, f", z on a {path} path", condition),
        column_labels=tuple(f"{t:.2f}" for t in at),
        more={**of_cells, "x_from": x_from, "x_to": x_to},
    )


def traverse(
    model: Learner,
    z: np.ndarray,
    dims: Sequence[int],
    *,
    values: Sequence[float],
    condition: Given = None,
    shown: str = "mean",
    seed: int = 0,
    row_labels: Sequence[str] = (),
) -> Generated:
    """x of p(x|z) as one latent takes each of some values, a row a latent.

    Args:
      model: trained.
      z: [latent_dim], the code that all other latents keep.
      dims: the latents, counted from 0.
      values: that each of them takes.
      condition: its values for z, batch size 1; None without a condition.
      shown: "mean" or "draw" of p(x|z).
      seed: of the draws.
      row_labels: one a latent; default its name.
    """
    taken, ids = np.asarray(values, np.float32), np.asarray(dims, np.int64)
    codes = latents.traversal(z, dims, taken)
    of_cells = repeated(condition, len(dims) * len(values))
    return Generated(
        decode(model, codes, of_cells, shown=shown, seed=seed),
        codes,
        title("traverse", shown, ", one latent at a time", condition),
        row_labels=tuple(row_labels) or tuple(f"z[{i}]" for i in dims),
        column_labels=tuple(f"{value:.3g}" for value in values),
        more={**of_cells, "dims": ids, "values": taken},
    )


def manifold(
    model: Learner,
    *,
    side: int,
    condition: Given = None,
    shown: str = "mean",
    seed: int = 0,
) -> Generated:
    """x of p(x|z) over the plane of two latents.

    Args:
      model: trained.
      side: codes in a row and in a column.
      condition: its values, batch size 1; None without a condition.
      shown: "mean" or "draw" of p(x|z).
      seed: of the draws.

    Raises:
      InputError: a model without a prior, or of other than two latents.
    """
    with_prior(model, "manifold")
    if model.latent_dim != 2:
        raise InputError(
            "`manifold` shows the plane of two latents; the run has "
            f"latent_dim={model.latent_dim}; use traverse."
        )
    z = latents.quantile_grid(side).reshape(side, side, 2)
    of_cells = repeated(condition, side * side)
    return Generated(
        decode(model, z, of_cells, shown=shown, seed=seed),
        z,
        title("manifold", shown, " over the quantiles of N(0, I)", condition),
        more=of_cells,
    )


def inpaint(
    model: Learner,
    x: np.ndarray,
    mask: np.ndarray,
    *,
    num: int,
    seed: int,
    shown: str = "mean",
) -> Generated:
    """Originals, their seen parts, and completions, x of p(x|z, seen part).

    Args:
      model: trained with condition=mask.
      x: [n, height, width, channels], of which a row each is made.
      mask: [n, height, width, 1] or [height, width, 1], 1 = seen, 0 = hidden.
      num: completions of each x, z ~ p(z).
      seed: of all that is drawn.
      shown: "mean" or "draw" of p(x|z).

    Returns:
      `more` holds "image" [n, height, width, channels], "mask" [n, height,
      width, 1] and "completions" [n, num, height, width, channels], in which
      the seen pixels are those of x.

    Raises:
      InputError: a model that was trained without masks, or has no prior.
    """
    require_masks(model)
    x = np.asarray(x, np.float32)
    mask = np.broadcast_to(mask, [*x.shape[:-1], 1]).astype(np.float32)
    z = prior_draws(model, len(x) * num, mode="inpaint", seed=seed)
    z = z.reshape(len(x), num, -1)
    of_cells = repeated({"image": x, "mask": mask}, num)
    completions = decode(model, z, of_cells, shown=shown, seed=seed)
    seen = np.where(mask > 0.5, x, EMPTY).astype(np.float32)
    before = np.stack([x, seen], axis=1)
    nowhere = np.full([len(x), 2, z.shape[-1]], np.nan, np.float32)
    return Generated(
        np.concatenate([before, completions], axis=1),
        np.concatenate([nowhere, z], axis=1),
        title("inpaint", shown, ", z ~ p(z), given what is seen", None),
        column_labels=("image", "seen", *("" for _ in range(num))),
        more={"image": x, "mask": mask, "completions": completions},
    )


def arithmetic(
    model: Learner,
    x: np.ndarray,
    direction: np.ndarray,
    *,
    strengths: Sequence[float],
    condition: Given = None,
    shown: str = "mean",
    seed: int = 0,
) -> Generated:
    """x of p(x|z) at z = g(x) + strength * direction, a row each.

    Args:
      model: trained.
      x: [n, *event_shape]; `more` holds them as "image".
      direction: [latent_dim], such as `latents.direction` gives.
      strengths: by which it is multiplied, a column each.
      condition: its values for each x; None without a condition.
      shown: "mean" or "draw" of p(x|z).
      seed: of the draws.
    """
    factors = np.asarray(strengths, np.float32)
    steps = np.multiply.outer(factors, direction)
    z = code(model, x, condition)[:, np.newaxis] + steps
    of_cells = repeated(condition, len(factors))
    rest = ", z = g(x) + strength * direction"
    return Generated(
        decode(model, z, of_cells, shown=shown, seed=seed),
        z,
        title("arithmetic", shown, rest, condition),
        column_labels=tuple(f"{factor:+.3g}" for factor in factors),
        more={
            **of_cells, "image": x, "direction": direction,
            "strengths": factors,
        },
    )  # fmt: skip
