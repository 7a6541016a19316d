"""A folder whose files are written whole."""

import contextlib
import errno
import json
import os
from collections.abc import Callable, Iterator
from typing import IO, Any

from tfvae import atomic, holding, storage
from tfvae.errors import InputError, WriteError


class Folder:
    """Paths and files of one folder.

    Args:
      path: of the folder, on any storage that `tfvae.storage` takes.
      writes: whether anything is written or removed there. Where not, what
        would do so does nothing: so all workers of a job run the same code,
        and one of them writes.
    """

    def __init__(self, path: str, *, writes: bool = True) -> None:
        self.path = path
        self.writes = writes
        self._was_there = False
        self._hold: holding.Hold | None = None

    def __str__(self) -> str:
        return self.path

    def file(self, *names: str) -> str:
        """Returns the path of something in the folder."""
        return os.path.join(self.path, *names)

    def has(self, *names: str) -> bool:
        """Whether there is a file or folder of that name in it.

        Raises:
          InputError: it cannot be known.
        """
        path = self.file(*names)
        with reading(path):
            return storage.exists(path)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keeps the folder to this process; see `holding.hold`.

        Raises:
          InputError: another process holds it.
          WriteError: it cannot be held.
        """
        if not self.writes:
            yield
            return
        with contextlib.ExitStack() as stack:
            with writing(self.file(holding.NAME)):
                held = holding.hold(self.path)
                self._hold = stack.enter_context(held)
            stack.callback(setattr, self, "_hold", None)
            yield

    def remove_if_empty(self) -> None:
        """Removes the folder if nothing came to be in it."""
        if self.writes and set(storage.names(self.path)) <= {holding.NAME}:
            storage.remove(self.file(holding.NAME))
            storage.remove_empty(self.path)

    def make(self, *names: str) -> None:
        """Makes a folder in it; the folder itself only where it never was.

        Raises:
          WriteError: it cannot be made, or the folder was removed meanwhile,
            or another process took it over.
        """
        if not self.writes:
            return
        with writing(self.path):
            if self._was_there and not storage.exists(self.path):
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
            if self._hold:
                self._hold.check()
            storage.make_folder(self.file(*names))
        self._was_there = True

    def write(self, name: str, write: Callable[[IO[bytes]], Any]) -> None:
        """Writes one file whole: beside it first, then by rename.

        Args:
          name: path inside the folder.
          write: is given the open file.

        Raises:
          WriteError: it cannot be written; what was there before is whole.
        """
        if not self.writes:
            return
        self.make(os.path.dirname(name))
        write_whole(self.file(name), write)

    def write_json(self, name: str, content: Any) -> None:
        """Writes a JSON file."""
        text = json.dumps(content, indent=2) + "\n"
        self.write(name, lambda file: file.write(text.encode()))


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """Turns errors of the storage into wrong input; missing files are missing.

    Args:
      path: that is read.

    Raises:
      InputError: it cannot be read.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {reason(error)}; see that it can, or "
            "give another."
        ) from error


def write_whole(path: str, write: Callable[[IO[bytes]], Any]) -> None:
    """Writes a file as `atomic.write_whole` does.

    Raises:
      WriteError: it cannot be written.
    """
    with writing(path):
        atomic.write_whole(path, write)


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Turns errors of the storage into one line that says what to do.

    Args:
      path: that is written.

    Raises:
      WriteError: it cannot be written.
    """
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "see to the storage")
        raise WriteError(
            f"{path} cannot be written: {reason(error)}; what was saved "
            f"before is whole; {remedy}, then give the same command again."
        ) from error


def reason(error: OSError) -> str:
    """Returns what the system says of an error."""
    return error.strerror or str(error) or type(error).__name__


REMEDIES = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EFBIG: "allow larger files",
    errno.EACCES: "allow writing there",
    errno.EPERM: "allow writing there",
    errno.EROFS: "allow writing there",
    errno.ENOENT: "the folder was removed meanwhile: put it back",
}
