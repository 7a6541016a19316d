"""Files and folders, on the local disk or wherever TensorFlow reaches.

A path with a scheme (gs://, s3://, hdfs://, file://, ram://) goes through
`tf.io.gfile`; any other through the operating system, without TensorFlow.
"""

import contextlib
import errno
import hashlib
import io
import os
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import IO, Any, BinaryIO, TypeVar

from tfvae.errors import InputError

T = TypeVar("T")
ANSWER_SECONDS = 60.0  # that a store may take to say something of a file
CHUNK = 2**20  # bytes read at once
NEAR = ("file", "ram")  # schemes that always answer


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
    return _ask(path, "exists")


def is_folder(path: str) -> bool:
    """Whether there is a folder of that path."""
    if is_local(path):
        return os.path.isdir(path)
    return _ask(path, "isdir")


def modified(path: str) -> int:
    """Returns when a file was written last, in ns; 0: there is none."""
    if not exists(path):
        return 0
    if is_local(path):
        return os.stat(path).st_mtime_ns
    return int(_ask(path, "stat").mtime_nsec)


def names(folder: str) -> list[str]:
    """Returns the names of what a folder holds, sorted."""
    if is_local(folder):
        return sorted(os.listdir(folder))
    # Object stores mark folders by a slash, and list the folder itself.
    found = {name.rstrip("/") for name in _ask(folder, "listdir")}
    return sorted(found - {""})


def make_folder(path: str) -> None:
    """Makes a folder and those above it, where there are none."""
    if is_local(path):
        os.makedirs(path, exist_ok=True)
        return
    _ask(path, "makedirs")


def remove(path: str) -> None:
    """Removes a file, or a folder with all that it holds; nothing: nothing."""
    if not exists(path):
        return
    folder = is_folder(path)
    if is_local(path):
        (shutil.rmtree if folder else os.remove)(path)
        return
    _ask(path, "rmtree" if folder else "remove")


def remove_empty(folder: str) -> None:
    """Removes a folder that holds nothing."""
    if is_local(folder):
        os.rmdir(folder)
    else:
        _ask(folder, "rmtree")


def replace(source: str, path: str) -> None:
    """Renames a file over another; at once on file systems that can."""
    if is_local(path):
        os.replace(source, path)
        return
    _ask(source, "rename", path, overwrite=True)


def open_file(path: str) -> BinaryIO:
    """Opens a local file for reading, and never waits for a writer.

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


def read(path: str) -> bytes:
    """Returns what a file holds.

    Raises:
      FileNotFoundError: there is none.
    """
    if is_local(path):
        with open_file(path) as local:
            return local.read()
    with os_errors(path), _gfile().GFile(path, "rb") as file:
        return file.read()


def size_and_sha256(path: str) -> tuple[int, str]:
    """Returns how many bytes a file has, and their sum in hexadecimals."""
    total, size = hashlib.sha256(), 0
    with contextlib.ExitStack() as stack:
        if is_local(path):
            file = stack.enter_context(open_file(path))
        else:
            stack.enter_context(os_errors(path))
            file = stack.enter_context(_gfile().GFile(path, "rb"))
        while part := file.read(CHUNK):
            total.update(part)
            size += len(part)
    return size, total.hexdigest()


def sync(path: str) -> None:
    """Sees to it that a file, or a folder's list of names, is on the medium.

    Elsewhere than on a local disk a file that is written is there.
    """
    if not is_local(path):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    if path.startswith("ram://"):  # which would write on at a file's end
        remove(path)
    with os_errors(path), _gfile().GFile(path, "wb") as file:
        file.write(content.getvalue())


@contextlib.contextmanager
def os_errors(path: str) -> Iterator[None]:
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
        text = NOISE.sub("", error.message or type(error).__name__)
        text = text.splitlines()[0].strip()
        for number in SYSTEM_S:
            if text.endswith(os.strerror(number)):
                raise OSError(number, os.strerror(number), path) from error
        number = NUMBERS.get(type(error).__name__, errno.EIO)
        raise OSError(number, text, path) from error


def _gfile() -> Any:
    import tensorflow as tf  # takes seconds; local paths do without

    return tf.io.gfile


def _ask(path: str, what: str, *arguments: Any, **more: Any) -> Any:
    """Calls a function of `tf.io.gfile`, and waits a bounded time for it.

    A host that is out of reach is tried again for many minutes.
    """
    call = getattr(_gfile(), what)
    with os_errors(path):
        if path.partition("://")[0] in NEAR:
            return call(path, *arguments, **more)
        return _within(
            ANSWER_SECONDS, lambda: call(path, *arguments, **more), path
        )


def _within(seconds: float, call: Callable[[], T], path: str) -> T:
    import tensorflow as tf

    answer: futures.Future[T] = futures.Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except tf.errors.OpError as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return answer.result(seconds)
    except futures.TimeoutError:
        raise OSError(
            errno.ETIMEDOUT, f"no answer in {seconds:g} s", path
        ) from None


# What TensorFlow puts around the system's own words.
NOISE = re.compile(r"\{\{.*?\}\}|\[Op:\w*\]")
SYSTEM_S = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM,
    errno.EROFS, errno.ENOENT,
)  # fmt: skip
NUMBERS = {
    "NotFoundError": errno.ENOENT,
    "PermissionDeniedError": errno.EACCES,
    "UnauthenticatedError": errno.EACCES,
    "ResourceExhaustedError": errno.ENOSPC,
    "AlreadyExistsError": errno.EEXIST,
}
