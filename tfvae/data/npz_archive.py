"""Arrays of an npz archive, whoever made it: nothing is unpickled or extracted,
and sizes are checked before memory is taken."""

import lzma
import math
import os
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Collection
from typing import IO, BinaryIO

import numpy as np

from tfvae.errors import InputError
from tfvae.storage import open_file

SINGLE_ARRAY = b"\x93NUMPY"
HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# What damaged or odd archives raise in zipfile and numpy.
UNREADABLE = (
    ArithmeticError, EOFError, MemoryError, SyntaxError, TypeError, ValueError,
    OSError,
    RuntimeError,  # encrypted, an unknown compression, or nested too deep
    lzma.LZMAError, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read_arrays(
    path: str, wanted: Collection[str], *, name: str, most_bytes: int
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Reads arrays of an npz archive.

    An archive may take as much memory as it takes on disk, whatever that is;
    one that is compressed, `most_bytes` if that is more.

    Args:
      path: of the archive.
      wanted: names of the arrays to read, as far as they are there.
      name: of the archive, for messages.
      most_bytes: that compressed arrays may take together.

    Returns:
      arrays: by name, those that are wanted.
      held: names of all that the archive holds.

    Raises:
      InputError: no such file, no archive of arrays of numbers, or one that
        takes more memory.
    """
    try:
        file = open_file(path)
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or error}.") from error
    with file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, of old headers
        try:
            return _read(file, wanted, name, most_bytes)
        except InputError:
            raise
        except UNREADABLE as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(
                f"{name} is no readable npz archive: {reason.rstrip('.')}."
            ) from error


def _read(
    file: BinaryIO, wanted: Collection[str], name: str, most_bytes: int
) -> tuple[dict[str, np.ndarray], list[str]]:
    if file.read(len(SINGLE_ARRAY)) == SINGLE_ARRAY:
        raise InputError(f"{name} is a single array, not an npz archive.")
    with zipfile.ZipFile(file) as archive:
        members = {
            member.filename.removesuffix(".npy"): member
            for member in archive.infolist()
        }
        found = {key: members[key] for key in wanted if key in members}
        total = sum(member.file_size for member in found.values())
        if total > max(most_bytes, os.fstat(file.fileno()).st_size):
            num_mb = -(-total // 2**20)
            raise InputError(
                f"{name}: its arrays take {num_mb:,} MiB of memory once "
                f"decompressed; give --max_resident_mb={num_mb} where that is "
                "what you want."
            )
        arrays = {
            key: _read_member(archive, member, f"{name}: `{key}`")
            for key, member in found.items()
        }
        return arrays, sorted(members)


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str
) -> np.ndarray:
    with archive.open(member) as content:
        _check_header(content, member.file_size, name)
    with archive.open(member) as content:
        return np.lib.format.read_array(content, allow_pickle=False)


def _check_header(content: IO[bytes], num_bytes: int, name: str) -> None:
    """Makes sure that an array's header tells what follows it.

    Args:
      content: of the member, at its start.
      num_bytes: of the member.
      name: of the array, for messages.
    """
    version = np.lib.format.read_magic(content)
    if version not in HEADER_READERS:
        raise InputError(f"{name} is in an unknown format, {version}.")
    shape, _, dtype = HEADER_READERS[version](content)
    if dtype.hasobject or not dtype.itemsize:
        raise InputError(
            f"{name} must hold numbers; got {dtype}, and Python objects are "
            "never loaded."
        )
    told = math.prod(shape) * dtype.itemsize
    held = num_bytes - content.tell()
    if told != held or min(shape, default=0) < 0:
        raise InputError(
            f"{name} is damaged: its header tells of {told:,} bytes, and "
            f"{held:,} follow."
        )
