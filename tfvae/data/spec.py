"""What a model must know of the data: shape, classes, support, levels."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """The data's shape and range.

    Attributes:
      event_shape: of one x: (height, width, channels) or (features,).
      num_classes: labels run from 0 to num_classes - 1; None: no labels.
      support: "binary" (0 and 1), "unit" (in [0, 1]) or "real".
      levels: x is one of k / (levels - 1), k = 0, ..., levels - 1; None: x is
        continuous, from the start or by dequantisation.
    """

    event_shape: tuple[int, ...]
    num_classes: int | None
    support: str
    levels: int | None = None

    @property
    def is_image(self) -> bool:
        """Whether one x is [height, width, channels]."""
        return len(self.event_shape) == 3

    @property
    def num_dims(self) -> int:
        """D, the number of dimensions of one x."""
        return math.prod(self.event_shape)
