"""Keeps processes that change an export folder out of one another's way."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager

from tfvae import storage
from tfvae.folder import Folder


@contextlib.contextmanager
def locked(export_dir: str, name: str, *, wait: bool = True) -> Iterator[None]:
    """Keeps other processes out of the same block.

    The lock goes with the process that holds it, however that ends. A folder in
    a store is not locked by this: a program has it `alone`, all the time.

    Args:
      export_dir: the export folder.
      name: of the lock.
      wait: until another process is through.

    Raises:
      BlockingIOError: another one is in it, and `wait` is false.
    """
    if not storage.is_local(export_dir):
        yield
        return
    with open(os.path.join(export_dir, f".{name}.lock"), "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def alone(folder: Folder) -> AbstractContextManager[None]:
    """Keeps other programs off a folder in a store; a local one takes many.

    Args:
      folder: the export folder.

    Raises:
      InputError: another program has it; says which.
    """
    if storage.is_local(folder.path):
        return contextlib.nullcontext()
    return folder.hold()
