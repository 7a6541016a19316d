"""Paths, grids and directions among codes, by hand and by textbook formulas."""

import numpy as np
import pytest
from scipy import stats

from tfvae import latents
from tfvae.errors import InputError

RNG = np.random.default_rng(0)
Z = RNG.normal(size=[2, 5]).astype(np.float32)


def test_linear_path_is_evenly_spaced() -> None:
    path = latents.linear(np.array([0, 4]), np.array([3, -2]), 4)
    assert path.dtype == np.float32
    np.testing.assert_array_equal(path, [[0, 4], [1, 2], [2, 0], [3, -2]])


def test_spherical_path_by_hand() -> None:
    # A right angle, halved; norms 1, 2, 3.
    path = latents.spherical(np.array([1, 0]), np.array([0, 3]), 3)
    assert path.dtype == np.float32
    expected = [[1, 0], [np.sqrt(2), np.sqrt(2)], [0, 3]]
    np.testing.assert_allclose(path, expected, rtol=1e-6, atol=1e-7)


def test_spherical_path_is_the_formula_of_slerp() -> None:
    path = latents.spherical(*Z, 7)
    norms = np.linalg.norm(Z.astype(np.float64), axis=1)
    start, end = Z / norms[:, np.newaxis]
    angle = np.arccos(start @ end)
    for t, z in zip(np.linspace(0, 1, 7), path, strict=True):
        u = np.sin((1 - t) * angle) * start + np.sin(t * angle) * end
        expected = ((1 - t) * norms[0] + t * norms[1]) * u / np.sin(angle)
        np.testing.assert_allclose(z, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(path[[0, -1]], Z, rtol=1e-6)


@pytest.mark.parametrize(
    ("z_from", "z_to"),
    [
        ([1, 2], [3, 6]),  # equal directions
        ([0, 0], [3, -6]),  # no direction
        ([1, 2], [0, 0]),
        ([0, 0], [0, 0]),
        ([2], [-4]),  # a line has no circles
        ([2], [3]),
    ],
)
def test_spherical_path_is_straight_where_there_is_no_arc(
    z_from: list[float], z_to: list[float]
) -> None:
    ends = np.array([z_from, z_to], np.float32)
    t = np.linspace(0, 1, 5)[:, np.newaxis]
    np.testing.assert_allclose(
        latents.spherical(*ends, 5), (1 - t) * ends[0] + t * ends[1], rtol=1e-6
    )


def test_opposite_codes_are_joined_through_the_smallest_axis() -> None:
    # Half a turn from (3, 0, -4): over the second axis, norms 5, 10, 15.
    path = latents.spherical(np.array([3, 0, -4]), np.array([-9, 0, 12]), 3)
    expected = [[3, 0, -4], [0, 10, 0], [-9, 0, 12]]
    np.testing.assert_allclose(path, expected, rtol=1e-6, atol=1e-5)


def test_any_opposite_codes_keep_their_norm_on_an_even_path() -> None:
    path = latents.spherical(Z[0], -Z[0], 9)
    norms = np.linalg.norm(path, axis=1)
    np.testing.assert_allclose(norms, np.linalg.norm(Z[0]), rtol=1e-6)
    cosine = path @ path[0] / np.square(norms[0])
    np.testing.assert_allclose(
        cosine, np.cos(np.linspace(0, np.pi, 9)), atol=1e-6
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_nearly_parallel_and_opposite_codes_are_no_special_case(
    sign: int,
) -> None:
    # Off by 1e-6, which spans a plane: axes 0 and 2, not the smallest, 1.
    path = latents.spherical(np.array([1, 0, 0]), np.array([sign, 0, 1e-6]), 3)
    middle = [1, 0, 5e-7] if sign == 1 else [5e-7, 0, 1]
    np.testing.assert_allclose(path[1], middle, rtol=1e-5)


def test_traversal_sets_one_dimension_at_a_time() -> None:
    z = np.array([10, 20, 30])
    codes = latents.traversal(z, [2, 0], np.array([-3, 0, 1, 3]))
    assert codes.shape == (2, 4, 3)
    assert codes.dtype == np.float32
    third = [[10, 20, -3], [10, 20, 0], [10, 20, 1], [10, 20, 3]]
    first = [[-3, 20, 30], [0, 20, 30], [1, 20, 30], [3, 20, 30]]
    np.testing.assert_array_equal(codes, [third, first])
    np.testing.assert_array_equal(z, [10, 20, 30])


def test_dimensions_come_by_kl_and_equal_ones_in_their_order() -> None:
    dims = latents.by_kl(np.array([0.5, 2.0, 0.0, 2.0, 1.0]))
    np.testing.assert_array_equal(dims, [1, 3, 4, 0, 2])


def test_grid_lies_in_the_middle_of_equally_likely_cells() -> None:
    z = latents.quantile_grid(3)
    assert z.shape == (9, 2)
    assert z.dtype == np.float32
    # The first latent rises to the right, the second upwards.
    u = np.array([1, 3, 5]) / 6
    np.testing.assert_allclose(
        stats.norm.cdf(z.reshape(3, 3, 2)),
        np.stack(np.meshgrid(u, u[::-1]), axis=-1),
        rtol=1e-6,
    )


def test_direction_is_the_difference_of_the_means() -> None:
    codes_a = np.array([[1, 5], [3, 5]], np.float32)
    codes_b = np.array([[0, 1], [0, 2], [3, 6]], np.float32)
    step = latents.direction(codes_a, codes_b)
    assert step.dtype == np.float32
    np.testing.assert_array_equal(step, [1, 2])


@pytest.mark.parametrize("empty", ["codes_a", "codes_b"])
def test_direction_needs_codes_of_both(empty: str) -> None:
    codes = {"codes_a": Z, "codes_b": Z} | {empty: Z[:0]}
    with pytest.raises(
        InputError, match=f"`{empty}` must hold at least one code.*; got none"
    ):
        latents.direction(**codes)
