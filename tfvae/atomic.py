"""A file is written whole, or not at all."""

import os
from collections.abc import Callable
from typing import IO, Any


def write_whole(path: str, write: Callable[[IO[bytes]], Any]) -> None:
    """Writes a file beside its place first, then renames it.

    Nothing is left behind where `write` fails; a kill may leave the file beside
    it, whose name begins with a dot.

    Args:
      path: of the file; its folder is made where there is none.
      write: is given the open file.

    Raises:
      OSError: it cannot be written.
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    beside = os.path.join(folder, f".{name}.partial")
    try:
        with open(beside, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        if os.path.exists(beside):
            os.remove(beside)
