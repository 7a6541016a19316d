"""What the header of an image file says of its size, before it is decoded."""

import os
from typing import BinaryIO

from tfvae.storage import open_file

MOST_PIXELS = 2**26  # 8192 x 8192
MOST_BYTES = 2**30
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
JPEG = b"\xff\xd8\xff"
JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15
JPEG_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a segment
JPEG_LAST = {0xD8, 0xD9, 0xDA}  # no size comes after these


def check(path: str) -> None:
    """Makes sure that a file is a PNG or JPEG that can be decoded safely.

    Raises:
      OSError: there is no such file, or it is no regular one.
      ValueError: it is of another kind, damaged, of more than MOST_PIXELS or
        of more than MOST_BYTES; says which.
    """
    with open_file(path) as file:
        num_bytes = os.fstat(file.fileno()).st_size
        if num_bytes > MOST_BYTES:
            raise ValueError(
                f"it takes {num_bytes:,} bytes, and at most {MOST_BYTES:,} are "
                "read"
            )
        height, width = read_size(file)
    if not height or not width:
        raise ValueError(f"its header tells of {height}x{width} pixels")
    if height * width > MOST_PIXELS:
        raise ValueError(
            f"it has {height}x{width} pixels, and at most {MOST_PIXELS:,} are "
            "decoded"
        )


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Returns (height, width) of a PNG or JPEG.

    Args:
      file: at its start.

    Raises:
      ValueError: it is neither, or ends before it tells its size.
    """
    start = file.read(len(PNG))
    if start == PNG:
        width, height = file.read(4), file.read(4)
        if len(height) < 4:
            raise ValueError("it ends within its header")
        return int.from_bytes(height, "big"), int.from_bytes(width, "big")
    if start.startswith(JPEG):
        file.seek(2)
        return _jpeg_size(file)
    raise ValueError("it is empty" if not start else "it is no PNG or JPEG")


def _jpeg_size(file: BinaryIO) -> tuple[int, int]:
    """Returns (height, width); the file stands behind the first marker."""
    while (marker := _next_marker(file)) not in JPEG_LAST:
        if marker in JPEG_ALONE:
            continue
        length = int.from_bytes(file.read(2), "big")
        if marker in JPEG_SIZES:
            segment = file.read(5)  # bits a channel, height, width
            if len(segment) < 5:
                break
            return (
                int.from_bytes(segment[1:3], "big"),
                int.from_bytes(segment[3:5], "big"),
            )
        file.seek(max(length - 2, 0), os.SEEK_CUR)
    raise ValueError("it ends before it tells its size")


def _next_marker(file: BinaryIO) -> int:
    """Returns the next marker, as libjpeg finds it: other bytes are skipped."""
    while byte := file.read(1):
        if byte != b"\xff":
            continue
        while (byte := file.read(1)) == b"\xff":
            pass
        if byte and byte != b"\0":
            return byte[0]
    raise ValueError("it ends before it tells its size")
