"""Files and folders, on the local disk or wherever TensorFlow reaches.

A path with a scheme (gs://, s3://, hdfs://, file://, ram://) goes through
`tf.io.gfile`; any other through the operating system, without TensorFlow.
"""

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from typing import IO, Any

from tfvae.errors import InputError


def is_local(path: str) -> bool:
    """Whether a path is one of the operating system's."""
    return "://" not in path


def exists(path: str) -> bool:
    """Whether there is a file or folder of that path.

    Raises:
      OSError: it cannot be known, as for all functions here.
      InputError: nothing here reads the path's scheme, likewise.
    """
    if is_local(path):
        return os.path.exists(path)
    with _os_errors(path):
        return _gfile().exists(path)


def is_folder(path: str) -> bool:
    """Whether there is a folder of that path."""
    if is_local(path):
        return os.path.isdir(path)
    with _os_errors(path):
        return _gfile().isdir(path)


def names(folder: str) -> list[str]:
    """Returns the names of what a folder holds, sorted."""
    if is_local(folder):
        return sorted(os.listdir(folder))
    with _os_errors(folder):
        # Object stores mark folders by a slash, and list the folder itself.
        found = {name.rstrip("/") for name in _gfile().listdir(folder)}
    return sorted(found - {""})


def make_folder(path: str) -> None:
    """Makes a folder and those above it, where there are none."""
    if is_local(path):
        os.makedirs(path, exist_ok=True)
        return
    with _os_errors(path):
        _gfile().makedirs(path)


def remove(path: str) -> None:
    """Removes a file, or a folder with all that it holds; nothing: nothing."""
    if not exists(path):
        return
    folder = is_folder(path)
    if is_local(path):
        (shutil.rmtree if folder else os.remove)(path)
        return
    with _os_errors(path):
        (_gfile().rmtree if folder else _gfile().remove)(path)


def replace(source: str, path: str) -> None:
    """Renames a file over another; at once on file systems that can."""
    if is_local(path):
        os.replace(source, path)
        return
    with _os_errors(path):
        _gfile().rename(source, path, overwrite=True)


def read(path: str) -> bytes:
    """Returns what a file holds.

    Raises:
      FileNotFoundError: there is none.
    """
    if is_local(path):
        with open(path, "rb") as file:
            return file.read()
    with _os_errors(path), _gfile().GFile(path, "rb") as file:
        return file.read()


def read_text(path: str) -> str:
    """Returns the UTF-8 text that a file holds."""
    return read(path).decode()


@contextlib.contextmanager
def writer(path: str) -> Iterator[IO[bytes]]:
    """Yields a file to write, which is on the medium when the context ends.

    Args:
      path: of a file in a folder that exists.
    """
    if is_local(path):
        with open(path, "wb") as local:
            yield local
            local.flush()
            os.fsync(local.fileno())
        return
    content = io.BytesIO()  # what is written may go back, as archives do
    yield content
    with _os_errors(path), _gfile().GFile(path, "wb") as file:
        file.write(content.getvalue())


def _gfile() -> Any:
    import tensorflow as tf  # takes seconds; local paths do without

    return tf.io.gfile


@contextlib.contextmanager
def _os_errors(path: str) -> Iterator[None]:
    """Turns TensorFlow's errors of files into Python's."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.UnimplementedError as error:
        scheme = path.partition("://")[0]
        raise InputError(
            f"no file system is loaded for {scheme}:// ({path}); "
            "tensorflow-io brings s3:// and others."
        ) from error
    except tf.errors.OpError as error:
        kind = KINDS.get(type(error).__name__, OSError)
        text = error.message or type(error).__name__
        raise kind(None, text.splitlines()[0], path) from error


KINDS: dict[str, type[OSError]] = {
    "NotFoundError": FileNotFoundError,
    "PermissionDeniedError": PermissionError,
}
