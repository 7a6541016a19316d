"""The body of an HTTP request, unpacked as the server does."""

import zlib

MOST_UNPACKED_BYTES = 100 * 1000 * 1000
GZIP = 16 + zlib.MAX_WBITS
SIZE_BYTES = 4  # at the end of a gzip stream, little-endian


def unpack(body: bytes, *, encoding: str) -> bytes:
    """Returns a body without its compression.

    Args:
      body: as it was sent.
      encoding: its Content-Encoding; only "gzip" is known, as it is written
        here, and anything else is no compression.

    Returns:
      body: empty where it is not exactly one whole gzip stream, of at most
        100 MB.
    """
    if "gzip" not in encoding:
        return body
    size = int.from_bytes(body[-SIZE_BYTES:], "little")
    if size > MOST_UNPACKED_BYTES:
        return b""
    stream = zlib.decompressobj(GZIP)
    try:
        unpacked = stream.decompress(body, size + 1)
    except zlib.error:
        return b""
    is_whole = stream.eof and not stream.unused_data
    return unpacked if is_whole else b""
