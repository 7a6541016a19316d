"""Paths, grids and directions among codes: arrays in, arrays out."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from tfvae.errors import InputError

LEAST_SINE = 1e-9  # below it, two directions span no plane in float64


def linear(z_from: np.ndarray, z_to: np.ndarray, num: int) -> np.ndarray:
    """Evenly spaced codes on the line from one code to another.

    z(t) = (1 - t) z_from + t z_to,  t = 0, ..., 1

    Args:
      z_from: [latent_dim].
      z_to: [latent_dim].
      num: of codes, both ends included; at least 2.

    Returns:
      z: [num, latent_dim] float32.
    """
    start, end = np.asarray([z_from, z_to], np.float64)
    return np.linspace(start, end, num).astype(np.float32)


def spherical(z_from: np.ndarray, z_to: np.ndarray, num: int) -> np.ndarray:
    """Codes on the arc from one code to another, evenly spaced in angle.

    z(t) = ((1 - t) |z_from| + t |z_to|) u(t),  t = 0, ..., 1

    u(t) runs along the shorter great circle from the direction of z_from to
    that of z_to. So every norm lies between those of the ends, as draws of
    N(0, I) in many dimensions have nearly equal norms; the middle of a
    straight line is nearer to 0 than any of them.

    Equal directions, and a code of zeros, which has no direction, give the
    straight line. Opposite directions lie on many great circles: the one
    through the axis on which z_from is smallest (the first of equals) is
    taken, or the straight line where latent_dim is 1.

    Args:
      z_from: [latent_dim].
      z_to: [latent_dim].
      num: of codes, both ends included; at least 2.

    Returns:
      z: [num, latent_dim] float32.

    References:
      White, 2016. Sampling Generative Networks.
      https://arxiv.org/abs/1609.04468
    """
    ends = np.asarray([z_from, z_to], np.float64)
    norms = np.linalg.norm(ends, axis=1)
    if not norms.all() or ends.shape[1] == 1:
        return linear(z_from, z_to, num)
    start, end = ends / norms[:, np.newaxis]
    across, sine = _perpendicular(end, start)
    if sine < LEAST_SINE:
        smallest = np.eye(len(start))[np.argmin(np.abs(start))]
        across, _ = _perpendicular(smallest, start)
    angle = np.linspace(0, np.arctan2(sine, start @ end), num)[:, np.newaxis]
    # u(t), in the plane of the two directions
    directions = np.cos(angle) * start + np.sin(angle) * across
    radii = np.linspace(norms[0], norms[1], num)[:, np.newaxis]
    return (radii * directions).astype(np.float32)


def traversal(
    z: np.ndarray, dims: Sequence[int], values: np.ndarray
) -> np.ndarray:
    """One code with one dimension at a time set to each of some values.

    Args:
      z: [latent_dim], the code that the other dimensions keep.
      dims: of z, a row of the result each.
      values: [k], the same for every dimension.

    Returns:
      z: [len(dims), k, latent_dim] float32.
    """
    z = np.asarray(z, np.float32)
    codes = np.tile(z, [len(dims), len(values), 1])
    codes[np.arange(len(dims)), :, dims] = values
    return codes


def by_kl(kl_per_dim: np.ndarray) -> np.ndarray:
    """Latent dimensions by what they tell of x, the most telling first.

    Args:
      kl_per_dim: [latent_dim], nats, averaged over examples.

    Returns:
      dims: [latent_dim] int64; equal ones keep their order.
    """
    return np.argsort(-np.asarray(kl_per_dim), kind="stable")


def quantile_grid(side: int) -> np.ndarray:
    """Codes of a square grid in the plane, one in the middle of each cell.

    All cells have the same probability under N(0, I): the coordinates are the
    quantiles (k + 1/2) / side of N(0, 1).

    Args:
      side: cells in a row and in a column.

    Returns:
      z: [side * side, 2] float32, row by row from the top: the first latent
      rises to the right, the second upwards.
    """
    # z = Phi^-1(u), u uniform on (0, 1)
    ticks = [NormalDist().inv_cdf((k + 0.5) / side) for k in range(side)]
    z_1, z_2 = np.meshgrid(ticks, ticks[::-1])
    return np.stack([z_1.ravel(), z_2.ravel()], axis=1).astype(np.float32)


def direction(codes_a: np.ndarray, codes_b: np.ndarray) -> np.ndarray:
    """What to add to a code to take it from attribute b to attribute a.

    direction = mean(codes_a) - mean(codes_b)

    Args:
      codes_a: [n, latent_dim], codes of examples that have a.
      codes_b: [m, latent_dim], codes of examples that have b.

    Returns:
      direction: [latent_dim] float32.

    Raises:
      InputError: one of the two holds no code.
    """
    for name, codes in {"codes_a": codes_a, "codes_b": codes_b}.items():
        if not len(codes):
            raise InputError(
                f"`{name}` must hold at least one code, to take the mean of; "
                "got none."
            )
    mean_a, mean_b = (
        np.mean(codes, axis=0, dtype=np.float64) for codes in (codes_a, codes_b)
    )
    return np.asarray(mean_a - mean_b, np.float32)


def _perpendicular(
    vector: np.ndarray, unit: np.ndarray
) -> tuple[np.ndarray, float]:
    """Returns the unit vector of the part perpendicular to `unit`, its norm."""
    part = vector - (vector @ unit) * unit
    norm = float(np.linalg.norm(part))
    return part / max(norm, LEAST_SINE), norm
