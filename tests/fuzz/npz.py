"""Fuzzes the reader of npz archives: arrays or InputError, nothing else."""

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator

import atheris

from tests.fuzz.harness import fuzz

with atheris.instrument_imports(
    include=["tfvae", "zipfile", "numpy.lib._format_impl"]
):
    import zipfile

    import numpy as np

    from tfvae.data import npz_archive
    from tfvae.errors import InputError

MOST_BYTES = 2**22
WANTED = ("x", "y", "x_train", "x_test")


def archive(member: bytes, *, compressed: bool = False) -> bytes:
    """Returns a zip archive that holds x.npy and y.npy."""
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind) as made:
        made.writestr("x.npy", member)
        made.writestr("y.npy", member)
    return buffer.getvalue()


def seeds() -> Iterator[bytes]:
    """Yields good archives, first bytes of arrays, and other archives."""
    rng = np.random.default_rng(0)
    for dtype in ("u1", "<f4", ">i8", "?", "U3", "M8[s]", "c8", "i4,f8"):
        buffer = io.BytesIO()
        array = rng.integers(0, 2, [3, 4, 2]).astype(dtype)
        np.lib.format.write_array(buffer, array, version=(1, 0))
        yield from (b"\0" + buffer.getvalue(), b"\1" + buffer.getvalue())
        yield b"\2" + archive(buffer.getvalue())
        yield b"\2" + archive(buffer.getvalue(), compressed=True)
    yield b"\2" + buffer.getvalue()


def correct_crc(content: bytes) -> bytes:
    """Returns the content, as an archive whose member has a true sum."""
    return archive(content[1:], compressed=content[0] == 1)


def read(content: bytes) -> None:
    """Reads what the fuzzer made: an array (0, 1) or an archive (2)."""
    if not content:
        return
    made = correct_crc(content) if content[0] < 2 else content[1:]
    with open(PATH, "wb") as file:
        file.write(made)
    with contextlib.suppress(InputError):
        arrays, _ = npz_archive.read_arrays(
            PATH, WANTED, name="it", most_bytes=MOST_BYTES
        )
        assert sum(array.nbytes for array in arrays.values()) <= MOST_BYTES


if __name__ == "__main__":
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        PATH = os.path.join(scratch, "a.npz")
        fuzz(read, seeds())
