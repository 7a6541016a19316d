"""Image files in, arrays of their pixels out."""

import os
import struct
import warnings
import zlib

import numpy as np
from PIL import Image

from tfvae.errors import InputError

WHITE = 255
FORMATS = ("PNG", "JPEG")  # Pillow knows many more, some by other programs
MOST_PIXELS = 2**26  # 8192 x 8192, as of the images that a model is trained on
# What a file that is no image, or a damaged or huge one, raises.
UNREADABLE = (
    OSError, ValueError, SyntaxError, TypeError, ArithmeticError, LookupError,
    struct.error, EOFError, MemoryError, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip


def read_image(path: str, *, event_shape: tuple[int, int, int]) -> np.ndarray:
    """Reads an image file, brought to the shape that a model takes.

    Transparency is left out, colours become grey (ITU-R 601) where the model
    knows none, and another size is resized with antialiasing.

    Args:
      path: of a PNG or JPEG file.
      event_shape: (height, width, channels), of 1 or 3 channels.

    Returns:
      pixels: of that shape, float32, in [0, 1].

    Raises:
      InputError: there is no image that can be read, one of more than
        MOST_PIXELS, or images do not fit.
    """
    height, width, channels = event_shape
    if channels not in (1, 3):
        raise InputError(
            f"image files hold 1 or 3 channels and do not fit {channels}; "
            "give FILE.npz."
        )
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"cannot read the image {path}: it is no file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of damaged metadata
            image = _decoded(path, "L" if channels == 1 else "RGB")
    except UNREADABLE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"cannot read the image {path}: {reason}.") from error
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, np.float32) / WHITE
    return pixels.reshape(event_shape)


def _decoded(path: str, mode: str) -> Image.Image:
    with Image.open(path, formats=FORMATS) as file:
        if file.width * file.height > MOST_PIXELS:
            raise ValueError(
                f"it has {file.height}x{file.width} pixels, and at most "
                f"{MOST_PIXELS:,} are decoded"
            )
        return _eight_bits(file).convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Returns an image of at most 8 bits a channel, without transparency."""
    if image.mode.startswith("I"):  # 16 bits, which `convert` would cut off
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("P", "PA"):  # a palette, of colours or of greys
        image = image.convert("RGBA")
    return image.convert("RGB") if image.mode == "RGBA" else image
