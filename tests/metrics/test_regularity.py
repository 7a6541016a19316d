"""Completeness and continuity of decoders whose answer is known."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from tfvae.metrics import regularity

RNG = np.random.default_rng(0)


def _continuity(
    decode: Callable[[np.ndarray], np.ndarray],
    z_from: np.ndarray,
    z_to: np.ndarray,
    **settings: int,
) -> float:
    """Of a decoder that is the same for every pair."""
    return regularity.continuity(
        lambda z, pairs: decode(z), z_from, z_to, **settings
    )


def _line(*values: float) -> np.ndarray:
    return np.array(values)[:, np.newaxis]


def test_samples_like_the_reference_are_complete() -> None:
    points = RNG.normal(size=[30, 4, 4, 1])
    both = regularity.completeness(points, points)
    assert (both.precision, both.recall) == (1.0, 1.0)


def test_samples_far_from_the_reference_are_not() -> None:
    points = RNG.normal(size=[30, 16])
    both = regularity.completeness(points[:20] + 100, points)
    assert (both.precision, both.recall) == (0.0, 0.0)


def test_radius_is_the_distance_to_the_kth_neighbor() -> None:
    reference = _line(0, 1, 2, 4)  # k = 1: radii 1, 1, 1, 2; k = 2: 2, 1, 2, 3
    samples = _line(6.5, 7.5, -1.5, -2.5, 9.0)
    for k, share in ((1, 0.0), (2, 2 / 5)):  # 6.5 and -1.5
        both = regularity.completeness(samples, reference, num_neighbors=k)
        assert both.precision == pytest.approx(share)


def test_recall_is_low_where_samples_keep_to_one_place() -> None:
    # Radii of the samples 0.15, 0.15, 0.35: only 3 is inside one.
    both = regularity.completeness(
        _line(2.9, 3.05, 3.4), _line(0, 1, 2, 3), num_neighbors=1
    )
    assert both.precision == 1.0
    assert both.recall == 0.25


def test_a_point_on_the_ball_is_inside() -> None:
    both = regularity.completeness(
        _line(1.3, 1.4), _line(0, 0.1, 0.7), num_neighbors=1
    )
    # Radii 0.1, 0.1, 0.6: 1.3 is at 0.6 but for rounding, 1.4 at 0.7.
    assert both.precision == 0.5


def test_a_decoder_that_collapsed_is_counted_without_rounding() -> None:
    for _ in range(20):  # rounding shows in about half of the draws
        points = np.tile(RNG.uniform(size=[1, 300]), [11, 1])
        both = regularity.completeness(points[:7], points)
        assert (both.precision, both.recall) == (1.0, 1.0)


def test_blocks_agree_with_all_distances_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples, reference = RNG.normal(size=[13, 3]), RNG.normal(size=[11, 3])

    def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.linalg.norm(left[:, np.newaxis] - right, axis=-1)

    def share(points: np.ndarray, centers: np.ndarray) -> float:
        radius = np.sort(distances(centers, centers), axis=1)[:, 2]
        return np.mean(np.any(distances(points, centers) <= radius, axis=1))

    monkeypatch.setattr(regularity, "MOST_ELEMENTS", 25)  # 2 rows at a time
    both = regularity.completeness(samples, reference, num_neighbors=2)
    expected = share(samples, reference), share(reference, samples)
    assert 0 < min(expected) <= max(expected) < 1
    assert (both.precision, both.recall) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("samples", "reference", "name"), [(3, 9, "samples"), (9, 2, "reference")]
)
def test_too_few_points_are_refused(
    samples: int, reference: int, name: str
) -> None:
    message = f"`{name}` must hold more than `num_neighbors` = 3 points"
    with pytest.raises(ValueError, match=message):
        regularity.completeness(
            np.zeros([samples, 2]), np.zeros([reference, 2])
        )


Z_FROM, Z_TO = RNG.normal(size=(2, 6, 2))


@pytest.mark.parametrize("latent_scale", [1e-3, 1.0, 1e3])
def test_affine_decoder_has_continuity_one(latent_scale: float) -> None:
    matrix, offset = RNG.normal(size=[2, 12]), RNG.normal(size=12)
    measured = _continuity(
        lambda z: ((z / latent_scale) @ matrix + offset).reshape(-1, 3, 4, 1),
        latent_scale * Z_FROM,
        latent_scale * Z_TO,
    )
    assert measured == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("num_steps", [5, 32])
def test_a_jump_costs_the_number_of_steps(num_steps: int) -> None:
    measured = _continuity(
        lambda z: 7.0 * (z > 0.11), -_line(1, 2, 3), _line(1, 2, 3),
        num_steps=num_steps,
    )  # fmt: skip
    assert measured == pytest.approx(num_steps)


@pytest.mark.parametrize("block", [2**21, 1])
def test_squares_have_their_closed_form(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # x = z^2 in 4 steps. From 0 to 1: 4 sum (2t + 1)^2 / 4^4 = 84 / 64, chord
    # 1. From 1 to 2: 8 more, chord 9. Over both: (2 84 / 64 + 8) / (1 + 9).
    monkeypatch.setattr(regularity, "MOST_ELEMENTS", block)
    measured = _continuity(np.square, _line(0, 1), _line(1, 2), num_steps=4)
    assert measured == pytest.approx(10.625 / 10, rel=1e-6)


def test_continuity_does_not_depend_on_the_scale_of_x() -> None:
    measured = [
        _continuity(lambda z, s=s: s * np.sin(z), Z_FROM, Z_TO)
        for s in (1.0, 255.0)
    ]
    assert measured[1] == pytest.approx(measured[0], rel=1e-5)
    assert measured[0] > 1.01


def test_decoder_that_never_moves_is_continuous_by_convention() -> None:
    constant = _continuity(lambda z: 0 * z + 3, Z_FROM, Z_TO)
    assert constant == 1.0


def test_paths_that_all_return_have_infinite_continuity() -> None:
    assert _continuity(abs, -_line(1, 2, 3), _line(1, 2, 3)) == (math.inf)


def test_a_single_step_is_refused() -> None:
    with pytest.raises(
        ValueError, match="`num_steps` must be at least 2; got 1"
    ):
        _continuity(np.sin, Z_FROM, Z_TO, num_steps=1)


def test_decoder_is_told_the_pair_that_each_point_belongs_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # In two blocks of paths of 3 points; pair i is decoded to (i + 1) z.
    monkeypatch.setattr(regularity, "MOST_ELEMENTS", 6)
    told = []

    def decode(z: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        told.append(pairs)
        return (pairs[:, np.newaxis] + 1) * np.square(z)

    measured = regularity.continuity(
        decode, _line(0, 0, 0), _line(1, 1, 1), num_steps=2
    )
    # Of z^2 in 2 steps: 2 (1/16 + 9/16) = 1.25, whatever the factor.
    assert measured == pytest.approx(1.25)
    np.testing.assert_array_equal(
        np.concatenate(told[1:]), [0, 0, 0, 1, 1, 1, 2, 2, 2]
    )
