"""A data file, opened only where it is one: pipes and devices are refused."""

import errno
import os
import stat
from typing import BinaryIO


def open_file(path: str) -> BinaryIO:
    """Opens a regular file for reading, and never waits for a writer.

    Raises:
      OSError: there is none, or it is a folder, a pipe or a device.
    """
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", path)
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
