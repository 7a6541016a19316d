"""A file is written whole, or not at all."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
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
    with _only_writer(beside):
        try:
            with storage.writer(beside) as file:
                write(file)
            storage.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is to be told
                storage.remove(beside)
            raise


@contextlib.contextmanager
def _only_writer(path: str) -> Iterator[None]:
    """Waits until no other process writes a local file, and keeps it so.

    Stores write an object whole; there the last of several writers wins.
    """
    if not storage.is_local(path):
        yield
        return
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(path, descriptor):
                yield
                return
        finally:
            os.close(descriptor)


def _is_still(path: str, descriptor: int) -> bool:
    """Whether a path is that of an open file, which may have been renamed."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
