"""The factors that an image was made from, where a data set knows them."""

import dataclasses
from typing import Protocol

import numpy as np

from tfvae.data import images


class FactorSpace(Protocol):
    """Images as a function of independent, uniform, discrete factors."""

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each factor."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each factor: they are 0, ..., size - 1."""

    def sample(self, rng: np.random.Generator, num: int) -> np.ndarray:
        """Returns independent draws: [num, num_factors] int64."""

    def render(self, factors: np.ndarray) -> np.ndarray:
        """Returns the images of [num, num_factors] factors, not yet divided.

        They are in the range of the split's own examples: `x / split.divisor`
        is what a model sees (of a dequantised split: `(x + 1/2) / divisor`).
        """


@dataclasses.dataclass(frozen=True)
class Resized:
    """A factor space whose images are `image_size` pixels high and wide."""

    space: FactorSpace
    image_size: int

    @property
    def names(self) -> tuple[str, ...]:
        """See `FactorSpace.names`."""
        return self.space.names

    @property
    def sizes(self) -> tuple[int, ...]:
        """See `FactorSpace.sizes`."""
        return self.space.sizes

    def sample(self, rng: np.random.Generator, num: int) -> np.ndarray:
        """See `FactorSpace.sample`."""
        return self.space.sample(rng, num)

    def render(self, factors: np.ndarray) -> np.ndarray:
        """See `FactorSpace.render`."""
        return images.transform_array(
            self.space.render(factors),
            image_size=self.image_size,
            grayscale=False,
        )
