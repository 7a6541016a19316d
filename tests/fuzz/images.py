"""Fuzzes the reading of image files, by TensorFlow's decoders and by Pillow's:
pixels or InputError, nothing else."""

import contextlib
import io
import os
import tempfile
import zlib
from collections.abc import Iterator

import atheris

from tests.fuzz.harness import fuzz

with atheris.instrument_imports(
    include=["tfvae", "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.Image"]
):
    import numpy as np
    import PIL.JpegImagePlugin
    import PIL.PngImagePlugin  # noqa: F401
    from PIL import Image

    from tfvae import program

    with program.quiet_start():
        program.start_tensorflow()
        from tfvae.data import image_header, images
    from tfvae.errors import InputError
    from tfvae.plots import reading

MOST_PIXELS = 2**16  # so that each takes a millisecond
SIGNATURE = b"\x89PNG\r\n\x1a\n"
EVENT_SHAPE = (5, 4, 3)


def seeds() -> Iterator[bytes]:
    """Yields small images of every kind."""
    levels = np.random.default_rng(0).integers(0, 256, [7, 6, 4], np.uint8)
    image = Image.fromarray(levels)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        for options in ({}, {"bits": 2}, {"dpi": (3, 4)}):
            buffer = io.BytesIO()
            image.convert(mode).save(buffer, "png", **options)
            yield buffer.getvalue()
    for mode in ("L", "RGB", "CMYK", "YCbCr"):
        for options in ({}, {"progressive": True}, {"exif": b"Exif\0\0MM\0*"}):
            buffer = io.BytesIO()
            image.convert(mode).save(buffer, "jpeg", **options)
            yield buffer.getvalue()


def with_true_sums(content: bytes) -> bytes:
    """Returns a PNG with the CRC of each chunk set right; else the content."""
    if not content.startswith(SIGNATURE):
        return content
    made, first = content[: len(SIGNATURE)], len(SIGNATURE)
    while len(chunk := content[first:]) >= 12:
        last = 8 + int.from_bytes(chunk[:4], "big")
        made += chunk[:last] + zlib.crc32(chunk[4:last]).to_bytes(4, "big")
        first += last + 4
    return made + chunk


def read(content: bytes) -> None:
    """Reads what the fuzzer made, twice."""
    with open(PATH, "wb") as file:
        file.write(with_true_sums(content))
    with contextlib.suppress(InputError):
        height, width, channels = images.probe_file(PATH)
        assert height * width <= MOST_PIXELS
        assert 1 <= channels <= 4
    with contextlib.suppress(InputError):
        pixels = reading.read_image(PATH, event_shape=EVENT_SHAPE)
        assert pixels.shape == EVENT_SHAPE
        assert pixels.min() >= 0
        assert pixels.max() <= 1


if __name__ == "__main__":
    image_header.MOST_PIXELS = reading.MOST_PIXELS = MOST_PIXELS
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        PATH = os.path.join(scratch, "a.png")
        fuzz(read, seeds())
