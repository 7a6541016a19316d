"""What the images of sprites show of their factors."""

import time

import numpy as np
import pytest

from tfvae.config import Config
from tfvae.data import sprites
from tfvae.data.load import load_data
from tfvae.data.sources import PARTS, Source

SQUARE, ELLIPSE, HEART = range(3)
SPACE = sprites.Sprites()
CENTRE = (7, 7)  # positions next to the middle of the image
# Half sizes at the scales 0.5, 0.6, ..., 1, in pixels.
SCALES = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
AREAS = {
    SQUARE: 4 * 4.5**2,
    ELLIPSE: np.pi * 6.5 * 3.5,
    HEART: (4 + np.pi) * 3.5**2,
}


@pytest.fixture(scope="module")
def source() -> Source:
    return sprites.sprites()


def render(*factors: tuple[int, ...] | list[int]) -> np.ndarray:
    """Returns [num, 32, 32] in [0, 1]."""
    return SPACE.render(np.array(factors))[..., 0] / 255.0


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns centroids [num, (x, y)] and covariances [num, 2, 2], pixels."""
    mass = x / x.sum(axis=(1, 2), keepdims=True)
    pixels = np.arange(32) + 0.5
    points = np.stack(np.meshgrid(pixels, pixels), axis=-1)
    centroid = np.einsum("nij,ijk->nk", mass, points)
    offset = points - centroid[:, np.newaxis, np.newaxis]
    return centroid, np.einsum("nij,nijk,nijl->nkl", mass, offset, offset)


def test_factor_space_is_what_it_says() -> None:
    assert SPACE.names == ("shape", "scale", "orientation", "x", "y")
    assert SPACE.sizes == (3, 6, 20, 16, 16)
    factors = SPACE.sample(np.random.default_rng(3), 20000)
    assert factors.shape == (20000, 5)
    assert factors.dtype == np.int64
    for column, size in zip(factors.T, SPACE.sizes, strict=True):
        counts = np.bincount(column)
        assert len(counts) == size
        expected = 20000 / size
        assert abs(counts - expected).max() < 5 * np.sqrt(expected)
    correlations = np.corrcoef(factors.T) - np.eye(5)
    assert np.abs(correlations).max() < 5 / np.sqrt(20000)
    again = SPACE.sample(np.random.default_rng(3), 20000)
    np.testing.assert_array_equal(again, factors)


def test_images_do_not_depend_on_their_neighbours() -> None:
    factors = SPACE.sample(np.random.default_rng(4), 1100)
    images = SPACE.render(factors)
    assert images.shape == (1100, 32, 32, 1)
    assert images.dtype == np.uint8
    order = np.random.default_rng(5).permutation(1100)
    np.testing.assert_array_equal(SPACE.render(factors[order]), images[order])
    np.testing.assert_array_equal(SPACE.render(factors[7:8]), images[7:8])


@pytest.mark.parametrize("shape", [SQUARE, ELLIPSE, HEART])
def test_areas_are_those_of_geometry(shape: int) -> None:
    x = render(*[[shape, s, t, 7, 7] for s in range(6) for t in range(20)])
    area = x.sum(axis=(1, 2)).reshape(6, 20)
    expected = AREAS[shape] * SCALES[:, np.newaxis] ** 2
    # Each of four corners is off by at most a quarter of a pixel.
    np.testing.assert_allclose(area, expected * np.ones([6, 20]), atol=1)


@pytest.mark.parametrize("shape", [SQUARE, ELLIPSE, HEART])
def test_centroid_is_at_the_position_whatever_else(shape: int) -> None:
    factors = SPACE.sample(np.random.default_rng(6), 300)
    factors[:, 0] = shape
    centroids, _ = moments(render(*factors))
    # From 7 to 25 in 15 equal steps.
    np.testing.assert_allclose(centroids, 7 + 1.2 * factors[:, 3:], atol=0.1)


def test_first_pixels_factor_x_moves_right_and_y_down() -> None:
    left_top, right, low = render(
        (SQUARE, 0, 0, 0, 0), (SQUARE, 0, 0, 15, 0), (SQUARE, 0, 0, 0, 15)
    )
    assert left_top[7, 7] == right[7, 25] == low[25, 7] == 1
    assert left_top[7, 25] == left_top[25, 7] == 0


@pytest.mark.parametrize("scale", [0, 5])
def test_ellipse_turns_clockwise_by_eighteen_degrees(scale: int) -> None:
    x = render(*[(ELLIPSE, scale, turn, *CENTRE) for turn in range(20)])
    covariance = moments(x)[1]
    across, along = covariance[:, 0, 1], covariance[:, 0, 0]
    angle = np.arctan2(2 * across, along - covariance[:, 1, 1]) / 2
    # y grows downwards: an angle from x to y is clockwise on the screen. The
    # long axis comes back after half a turn.
    difference = angle - np.pi / 10 * np.arange(20)
    difference = (difference + np.pi / 2) % np.pi - np.pi / 2
    np.testing.assert_allclose(difference, 0, atol=0.02)
    # Variances of a uniform ellipse: a quarter of the squared half axes, and
    # a twelfth for the pixel.
    spread = np.linalg.eigvalsh(covariance)
    expected = np.square(SCALES[scale] * np.array([3.5, 6.5])) / 4 + 1 / 12
    np.testing.assert_allclose(spread, expected * np.ones([20, 2]), rtol=0.06)


@pytest.mark.parametrize(
    ("shape", "period"), [(SQUARE, 5), (ELLIPSE, 10), (HEART, 20)]
)
def test_orientations_differ_but_for_symmetry(shape: int, period: int) -> None:
    x = render(*[(shape, 5, turn, *CENTRE) for turn in range(20)])
    distance = np.abs(x[:, np.newaxis] - x).max(axis=(2, 3))
    turns = np.arange(20)
    same = (turns[:, np.newaxis] - turns) % period == 0
    assert distance[same].max() < 1.5 / 255  # rounding of the turned points
    assert distance[~same].min() > 0.1


def test_upright_heart_is_alike_left_and_right_but_not_up_and_down() -> None:
    # Positions k and 15 - k lie opposite each other.
    x, mirrored, turned = render(
        (HEART, 5, 0, 6, 7), (HEART, 5, 0, 9, 7), (HEART, 5, 0, 6, 8)
    )
    np.testing.assert_allclose(x[:, ::-1], mirrored, atol=1.5 / 255)
    assert np.abs(x[::-1] - turned).max() > 0.5
    rows = np.flatnonzero(x.max(axis=1) > 0.5)  # the tip is below
    assert np.count_nonzero(x[rows[-1]] > 0.5) <= 2
    assert np.count_nonzero(x[rows[1]] > 0.5) >= 6


def test_different_factors_give_different_images() -> None:
    # All scales, shapes and positions; orientations within one period.
    turns = {SQUARE: 5, ELLIPSE: 10, HEART: 20}
    factors = [
        (shape, scale, turn, x, 15 - x)
        for shape, period in turns.items()
        for scale in range(6)
        for turn in range(period)
        for x in range(16)
    ]
    images = SPACE.render(np.array(factors)).reshape(len(factors), -1)
    assert len(np.unique(images, axis=0)) == len(factors)


def test_position_only_moves_a_shape_and_cuts_nothing_off() -> None:
    factors = [(s, 5, t) for s in range(3) for t in range(20)]
    ends = render(*[(*f, 0, 15) for f in factors])
    middle = render(*[(*f, 5, 10) for f in factors])
    # Five steps of 1.2 pixels: to the left, and down.
    moved = np.roll(middle, [6, -6], axis=[1, 2])
    np.testing.assert_allclose(ends, moved, atol=1.5 / 255)


def test_source_has_fixed_parts_labelled_by_shape(source: Source) -> None:
    sizes = {part: len(source.arrays[part][0]) for part in PARTS}
    assert sizes == {"train": 20000, "validation": 2000, "test": 2000}
    x, y = source.arrays["test"]
    again = sprites.sprites().arrays["test"]
    np.testing.assert_array_equal(x, again[0])
    np.testing.assert_array_equal(y, again[1])
    for label in range(3):
        area = x[y == label].sum(axis=(1, 2, 3)) / 255
        # The mean of scale^2 over the six scales is 0.59167.
        assert abs(area.mean() / AREAS[label] - 0.59167) < 0.05
    for part in PARTS:
        share = np.bincount(source.arrays[part][1]) / sizes[part]
        assert abs(share - 1 / 3).max() < 5 * np.sqrt(2 / 9 / sizes[part])


def test_hearts_of_the_source_are_all_different(source: Source) -> None:
    hearts = np.concatenate(
        [x[y == HEART] for x, y in map(source.arrays.get, PARTS)]
    )
    assert len(np.unique(hearts.reshape(len(hearts), -1), axis=0)) == len(
        hearts
    )


def test_source_is_made_in_seconds() -> None:
    start = time.process_time()
    sprites.sprites()
    assert time.process_time() - start < 5


def test_splits_carry_the_factor_space() -> None:
    splits = load_data(Config(dataset="sprites"))
    assert splits.spec.event_shape == (32, 32, 1)
    assert splits.spec.num_classes == 3
    assert (splits.spec.support, splits.spec.levels) == ("unit", 256)
    assert splits.factors == SPACE
    assert splits.log_prob is None
    assert load_data(Config()).factors is None


def test_factor_space_follows_the_image_size() -> None:
    splits = load_data(Config(dataset="sprites", image_size=16))
    space = splits.factors
    assert (space.names, space.sizes) == (SPACE.names, SPACE.sizes)
    factors = space.sample(np.random.default_rng(4), 7)
    drawn = SPACE.sample(np.random.default_rng(4), 7)
    np.testing.assert_array_equal(factors, drawn)
    small, whole = space.render(factors), SPACE.render(factors)
    assert small.shape == (7, *splits.spec.event_shape)
    assert small.dtype == splits.train.x.dtype
    np.testing.assert_allclose(small.mean(), whole.mean(), rtol=0.02)


@pytest.mark.slow
def test_drawn_pixels_are_no_function_of_factors() -> None:
    static = load_data(Config(dataset="sprites", binarize="static"))
    assert static.factors is None
    dynamic = load_data(Config(dataset="sprites", binarize="dynamic"))
    assert dynamic.factors == SPACE
