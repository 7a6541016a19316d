"""Images of one shape each, whose factors of variation are known."""

import dataclasses
from collections.abc import Callable

import numpy as np

from tfvae.data.sources import Source

NUM_EXAMPLES = {"train": 20000, "validation": 2000, "test": 2000}
SIDE = 32  # pixels
SCALES = (0.5, 1.0)  # smallest and largest
CENTRES = (7.0, 25.0)  # first and last, in pixels; no shape leaves the image
CHUNK = 512  # images drawn at a time

# Half sizes in pixels at scale 1; no point is farther than 7 from the centre.
HALF_SIDE = 4.5
HALF_AXES = (6.5, 3.5)
HALF_HEART = 3.5  # half the side of the heart's square

# Signed distance to a shape's edge, in pixels, negative inside, of the points
# (right, down) that lie there from the shape's centre.
Distance = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def square(
    right: np.ndarray, down: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Distance to a square of area 4 (scale HALF_SIDE)^2."""
    return np.maximum(np.abs(right), np.abs(down)) - HALF_SIDE * scale


def ellipse(
    right: np.ndarray, down: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Distance, to first order, to an ellipse with its long axis to the right.

    With k^2 = (right / a)^2 + (down / b)^2 it is (k - 1) / |grad k|.
    """
    a, b = (half * scale for half in HALF_AXES)
    k = np.hypot(right / a, down / b)
    k_grad = np.hypot(right / a**2, down / b**2)  # k |grad k|
    return (k - 1) * k / np.maximum(k_grad, 1e-6)


def heart(right: np.ndarray, down: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Distance to a heart, tip down: a square on its corner, two half discs.

    The discs' diameters are the square's upper sides. The area is
    (4 + pi) h^2 for h = scale HALF_HEART, and the centre is the centroid.
    """
    half = HALF_HEART * scale
    # Along the square's sides, the centroid is this far from its middle.
    centroid = half * (np.pi / 2 + 2 / 3) / (4 + np.pi)
    # Left and right are alike: the right half is enough.
    across, up = np.abs(right) / np.sqrt(2), -down / np.sqrt(2)
    first, second = up + across + centroid, up - across + centroid
    box = np.maximum(np.abs(first), np.abs(second)) - half
    disc = np.hypot(first - half, second) - half
    return np.minimum(box, disc)


SHAPES: tuple[Distance, ...] = (square, ellipse, heart)


@dataclasses.dataclass(frozen=True)
class Sprites:
    """Shape, scale, orientation and position of one white shape on black.

    The square looks the same at every fifth orientation, the ellipse at every
    tenth.

    References:
      Matthey et al., 2017. dSprites: Disentanglement testing Sprites dataset.
      https://github.com/google-deepmind/dsprites-dataset (64x64, with 40
      orientations and 32 positions each way, without grey edges).
    """

    names: tuple[str, ...] = ("shape", "scale", "orientation", "x", "y")
    sizes: tuple[int, ...] = (len(SHAPES), 6, 20, 16, 16)

    def sample(self, rng: np.random.Generator, num: int) -> np.ndarray:
        """Returns independent uniform draws: [num, 5] int64."""
        return rng.integers(0, self.sizes, size=[num, len(self.sizes)])

    def render(self, factors: np.ndarray) -> np.ndarray:
        """Returns the images of factors [num, 5]: [num, 32, 32, 1] uint8.

        A pixel's value is 255 times the part of it that the shape covers, to
        first order. Orientations turn clockwise; x grows to the right, y
        downwards.
        """
        images = np.empty([len(factors), SIDE, SIDE, 1], np.uint8)
        for shape, distance in enumerate(SHAPES):
            ids = np.flatnonzero(factors[:, 0] == shape)
            for start in range(0, len(ids), CHUNK):
                chunk = ids[start : start + CHUNK]
                images[chunk, ..., 0] = self._draw(distance, factors[chunk])
        return images

    def _draw(self, distance: Distance, factors: np.ndarray) -> np.ndarray:
        """Returns [num, 32, 32] uint8 of factors of one shape."""
        _, scales, turns, lefts, tops = self.sizes
        columns = factors.T[:, :, np.newaxis, np.newaxis]  # [5, num, 1, 1]
        _, scale, turn, left, top = columns
        scale = np.linspace(*SCALES, scales, dtype=np.float32)[scale]
        angle = (2 * np.pi / turns * turn).astype(np.float32)
        pixels = np.arange(SIDE, dtype=np.float32) + 0.5  # their middles
        x = np.linspace(*CENTRES, lefts, dtype=np.float32)[left]
        y = np.linspace(*CENTRES, tops, dtype=np.float32)[top]
        right, down = pixels - x, pixels[:, np.newaxis] - y
        cos, sin = np.cos(angle), np.sin(angle)
        # Into the frame of the shape, which is turned back.
        edge = distance(
            cos * right + sin * down, cos * down - sin * right, scale
        )
        covered = np.clip(0.5 - edge, 0, 1)
        return np.round(255 * covered).astype(np.uint8)


def sprites() -> Source:
    """Different factors drawn once and for all; the label is the shape.

    Images can be equal across the parts where a shape is symmetric.
    """
    space = Sprites()
    cuts = np.cumsum(list(NUM_EXAMPLES.values()))
    chosen = np.random.default_rng(5).choice(
        np.prod(space.sizes), cuts[-1], replace=False
    )
    factors = np.stack(np.unravel_index(chosen, space.sizes), axis=1)
    parts = np.split(factors, cuts[:-1])
    return Source(
        {
            part: (space.render(part_factors), part_factors[:, 0])
            for part, part_factors in zip(NUM_EXAMPLES, parts, strict=True)
        },
        factors=space,
    )
