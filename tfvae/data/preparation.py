"""What is asked of a data set's values, whatever their source."""

import dataclasses

from tfvae.errors import InputError

Shape = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Preparation:
    """Settings of loading; the fields of the same names in Config say more.

    Attributes:
      name: of the data set, for messages.
      data_dir: where TFDS keeps prepared data; empty: its own.
      image_size: side of the images; 0 keeps height and width.
      grayscale: three channels become one.
      binarize: "none", "static" or "dynamic".
      seed: of static binarisation.
      max_resident_bytes: the most that is held in memory.
      dequantize: uniform noise is added to whole levels.

    Raises:
      InputError: `dequantize` together with `binarize`.
    """

    name: str
    data_dir: str = ""
    image_size: int = 0
    grayscale: bool = False
    binarize: str = "none"
    seed: int = 0
    max_resident_bytes: int = 2**31
    dequantize: bool = False

    def __post_init__(self) -> None:
        if self.dequantize and self.binarize != "none":
            raise InputError(
                f"`dequantize` and `binarize` {self.binarize} exclude each "
                "other; give one."
            )

    def image_shape(self, stored: tuple[int | None, int | None, int]) -> Shape:
        """Returns (height, width, channels) of the images once prepared.

        Args:
          stored: shape in the source; height and width are None where the
            images differ in size.

        Raises:
          InputError: the images differ in size and `image_size` is 0.
        """
        height, width, channels = stored
        if self.image_size:
            height = width = self.image_size
        if height is None or width is None:
            raise InputError(
                f"`dataset` {self.name} holds images of different sizes; give "
                "--image_size."
            )
        one_channel = self.grayscale and channels == 3
        return height, width, 1 if one_channel else channels

    def support(self, found: str) -> str:
        """Returns the support of what a model sees, given what was `found`.

        Raises:
          InputError: binarisation is asked of real-valued data.
        """
        if self.dequantize and found == "binary":
            return "unit"
        if self.binarize == "none":
            return found
        if found == "real":
            raise InputError(
                f"`binarize` needs data in [0, 1]; `dataset` {self.name} is "
                "real-valued."
            )
        return "binary"

    def levels(self, found: int | None) -> int | None:
        """Returns the levels after binarisation and dequantisation.

        Args:
          found: number of levels in the source; None: it is continuous.

        Raises:
          InputError: dequantisation is asked of data without levels.
        """
        if not self.dequantize:
            return found if self.binarize == "none" else 2
        if found is None:
            raise InputError(
                "`dequantize` needs whole levels, such as 8-bit images; "
                f"`dataset` {self.name} holds floats."
            )
        return None
