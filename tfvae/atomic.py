"""A file is written whole, or not at all."""

import contextlib
import os
from collections.abc import Callable
from typing import IO, Any

from tfvae import storage


def write_whole(path: str, write: Callable[[IO[bytes]], Any]) -> None:
    """Writes a file beside its place first, then renames it.

    Nothing is left behind where `write` fails; a kill may leave the file beside
    it, whose name begins with a dot. Stores that cannot rename copy instead;
    an object appears whole there in any case.

    Args:
      path: of the file, on any storage; its folder is made where there is none.
      write: is given the open file.

    Raises:
      OSError: it cannot be written.
    """
    folder, name = os.path.split(path)
    if folder:
        storage.make_folder(folder)
    beside = os.path.join(folder, f".{name}.partial")
    try:
        with storage.writer(beside) as file:
            write(file)
        storage.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            storage.remove(beside)
        raise
