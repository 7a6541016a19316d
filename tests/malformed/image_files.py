"""Image files that are none, or too large: (name, content, words)."""

import functools
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

Recipe = Callable[[], bytes]
SIGNATURE = b"\x89PNG\r\n\x1a\n"
LEVELS = np.random.default_rng(5).integers(0, 256, [6, 5, 3], np.uint8)


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    """Returns an image file, as Pillow writes it."""
    buffer = io.BytesIO()
    image = image or Image.fromarray(LEVELS)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    """Returns a chunk of a PNG."""
    crc = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)


def png(
    width: int, height: int, data: bytes | None = None, *, depth: int = 8,
    colour: int = 0, more: bytes = b"", end: bytes = chunk(b"IEND", b""),
) -> bytes:  # fmt: skip
    """Returns a PNG of any header; by default with a row of its pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    if data is None:
        data = zlib.compress(b"\0" * (min(width, 9999) + 1))
    body = chunk(b"IHDR", header) + more + chunk(b"IDAT", data)
    return SIGNATURE + body + end


def jpeg(width: int, height: int) -> bytes:
    """Returns a small JPEG whose header tells another size."""
    content = JPEG()
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


def flipped(content: bytes, at: int) -> bytes:
    """Returns content with a byte turned."""
    at %= len(content)
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


PNG = functools.cache(lambda: saved("png"))
JPEG = functools.cache(lambda: saved("jpeg"))
ROWS = zlib.compress(b"".join(b"\0" + row.tobytes() for row in LEVELS))
IMAGE_FILES: list[tuple[str, Recipe, str]] = [
    # No PNG, no JPEG.
    ("empty.png", lambda: b"", "it is empty"),
    ("text.png", lambda: b"no image at all\n", "it is no PNG or JPEG"),
    ("text.jpg", lambda: b"no image at all\n", "it is no PNG or JPEG"),
    ("html.jpg", lambda: b"<!doctype html><title>404", "no PNG or JPEG"),
    ("zeros.png", lambda: b"\0" * 999, "it is no PNG or JPEG"),
    ("gif.png", lambda: saved("gif"), "it is no PNG or JPEG"),
    ("bmp.png", lambda: saved("bmp"), "it is no PNG or JPEG"),
    ("webp.jpg", lambda: saved("webp"), "it is no PNG or JPEG"),
    ("tiff.jpg", lambda: saved("tiff"), "it is no PNG or JPEG"),
    ("ico.png", lambda: saved("ico"), "it is no PNG or JPEG"),
    ("ppm.png", lambda: saved("ppm"), "it is no PNG or JPEG"),
    ("eps.jpg", lambda: saved("eps"), "it is no PNG or JPEG"),
    ("pdf.png", lambda: b"%PDF-1.4\n", "it is no PNG or JPEG"),
    ("svg.png", lambda: b'<svg xmlns="x"/>', "it is no PNG or JPEG"),
    ("zip.png", lambda: b"PK\x03\x04" * 9, "it is no PNG or JPEG"),
    ("gif of a huge canvas.png", lambda: saved("gif").replace(
        b"\5\0\6\0", b"\xff\xff\xff\xff", 1), "it is no PNG or JPEG"),
    # A PNG that is cut, or damaged.
    ("signature.png", lambda: SIGNATURE, "it is no PNG or JPEG"),
    ("header cut.png", lambda: PNG()[:20], "it ends within its header"),
    ("header.png", lambda: PNG()[:33], "remove or replace the file"),
    ("half.png", lambda: PNG()[: len(PNG()) // 2], "remove or replace"),
    ("end cut.png", lambda: PNG()[:-20], "remove or replace the file"),
    ("newlines.png", lambda: PNG().replace(b"\r\n", b"\n"), "no PNG or JPEG"),
    ("header's sum.png", lambda: flipped(PNG(), 29), "remove or replace"),
    ("data's sum.png", lambda: flipped(PNG(), -14), "remove or replace"),
    ("data.png", lambda: flipped(PNG(), 60), "remove or replace"),
    ("no width.png", lambda: png(0, 6), "tells of 6x0 pixels"),
    ("no height.png", lambda: png(5, 0), "tells of 0x5 pixels"),
    ("depth 3.png", lambda: png(5, 6, depth=3), "remove or replace"),
    ("colour 5.png", lambda: png(5, 6, colour=5), "remove or replace"),
    ("no palette.png", lambda: png(5, 6, colour=3), "remove or replace"),
    ("no data.png", lambda: png(5, 6, b""), "remove or replace"),
    ("not packed.png", lambda: png(5, 6, b"hello"), "remove or replace"),
    ("few rows.png", lambda: png(5, 6), "remove or replace"),
    ("unknown chunk.png", lambda: png(5, 6, ROWS, colour=2,
        more=chunk(b"ABCD", b"")), "remove or replace"),
    ("header not first.png", lambda: SIGNATURE + chunk(b"CgBI", b"\0" * 4)
        + PNG()[8:], "it is no PNG or JPEG"),
    # A JPEG that is cut, or damaged.
    ("start.jpg", lambda: JPEG()[:3], "it ends before it tells its size"),
    ("tables.jpg", lambda: JPEG()[:100], "it ends before it tells its size"),
    ("size cut.jpg", lambda: JPEG()[:JPEG().index(b"\xff\xc0") + 6],
        "it ends before it tells its size"),
    ("size.jpg", lambda: JPEG()[:JPEG().index(b"\xff\xc0") + 9], "remove or"),
    ("scan cut.jpg", lambda: JPEG()[:-40], "remove or replace the file"),
    ("end.jpg", lambda: b"\xff\xd8\xff\xd9", "before it tells its size"),
    ("scan first.jpg", lambda: b"\xff\xd8\xff\xda\0\x08" + b"\0" * 99,
        "it ends before it tells its size"),
    ("start twice.jpg", lambda: b"\xff\xd8" + JPEG(), "before it tells"),
    ("fill.jpg", lambda: b"\xff\xd8" + b"\xff" * 9999, "before it tells"),
    ("length 0.jpg", lambda: b"\xff\xd8\xff\xe0\0\0" * 99, "before it tells"),
    ("length beyond.jpg", lambda: b"\xff\xd8\xff\xe0\xff\xff", "before it"),
    ("no height.jpg", lambda: jpeg(5, 0), "tells of 0x5 pixels"),
    ("no width.jpg", lambda: jpeg(0, 6), "tells of 6x0 pixels"),
    ("12 bits.jpg", lambda: JPEG().replace(b"\xff\xc0\0\x11\x08",
        b"\xff\xc0\0\x11\x0c"), "remove or replace"),
    ("lossless.jpg", lambda: JPEG().replace(b"\xff\xc0", b"\xff\xc3"),
        "remove or replace"),
    # Bombs: refused by their headers, before anything is decoded.
    ("60000x60000.png", lambda: png(60_000, 60_000), "it has 60000x60000 "),
    ("8193x8192.png", lambda: png(8192, 8193), "at most 67,108,864 are dec"),
    ("2^31 wide.png", lambda: png(2**31 - 1, 2**31 - 1), "are decoded"),
    ("2^32 wide.png", lambda: png(2**32 - 1, 2**32 - 1), "are decoded"),
    ("one long row.png", lambda: png(2**31 - 1, 1), "are decoded"),
    ("16 bits.png", lambda: png(20_000, 20_000, depth=16, colour=6), "has 200"),
    ("1 bit.png", lambda: png(65_535, 65_535, depth=1), "are decoded"),
    ("65500x65500.jpg", lambda: jpeg(65_500, 65_500), "it has 65500x65500 "),
    ("65535x1025.jpg", lambda: jpeg(1025, 65_535), "are decoded"),
]  # fmt: skip
# Odd, but as good as any: (name, content).
GOOD_FILES: list[tuple[str, Recipe]] = [
    ("palette.png", lambda: saved("png", Image.fromarray(LEVELS).convert("P"))),
    ("black and white.png", lambda: saved("png", Image.fromarray(
        LEVELS).convert("1"))),
    ("16 bits.png", lambda: saved("png", Image.fromarray(
        LEVELS[..., 0].astype(np.uint16) * 257))),
    ("transparent.png", lambda: saved("png", Image.fromarray(LEVELS).convert(
        "RGBA"))),
    ("animated.png", lambda: saved("png", save_all=True, append_images=[
        Image.fromarray(255 - LEVELS)])),
    ("more behind.png", lambda: PNG() + b"\0" * 50),
    ("a jpeg.png", JPEG),
    ("a png.jpg", PNG),
    ("progressive.jpg", lambda: saved("jpeg", progressive=True)),
    ("grey.jpg", lambda: saved("jpeg", Image.fromarray(LEVELS).convert("L"))),
    ("cmyk.jpg", lambda: saved("jpeg", Image.fromarray(LEVELS).convert(
        "CMYK"))),
    ("exif of nonsense.jpg", lambda: saved("jpeg", exif=b"Exif\0\0MM\0*" +
        b"\xff" * 60)),
    ("comment of 60 kB.jpg", lambda: saved("jpeg", comment=b"\xff\xc0" * 30_000)
    ),
]  # fmt: skip
