"""Keeps processes that change an export folder out of one another's way."""

import contextlib
import fcntl
import os
from collections.abc import Iterator


@contextlib.contextmanager
def locked(export_dir: str, name: str, *, wait: bool = True) -> Iterator[None]:
    """Keeps other processes out of the same block.

    The lock goes with the process that holds it, however that ends.

    Args:
      export_dir: the export folder.
      name: of the lock.
      wait: until another process is through.

    Raises:
      BlockingIOError: another one is in it, and `wait` is false.
    """
    with open(os.path.join(export_dir, f".{name}.lock"), "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
