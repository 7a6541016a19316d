"""How versions appear and vanish where an export lies: a disk, or a store.

On a local disk a folder is renamed at once. In a store of objects (gs://,
s3://) there are no folders to rename: `saved_model.pb`, without which no server
loads a version, is copied there last and removed first.
"""

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping

from export import interruption
from export.integrity import GRAPH, MANIFEST
from tfvae import storage

STAGED, DELETED = ".staging-", ".deleted-"
# A server takes these names for versions; so "007" and " 7" are 7.
NUMBER = re.compile(r"\s*[+-]?\d+\s*")
# Schemes of file systems on which the name of a folder changes at once.
WITH_FOLDERS = {"file", "hdfs", "viewfs"}


class Disk:
    """The local file system."""

    @contextlib.contextmanager
    def staged(self, part: str) -> Iterator[str]:
        """Lends a folder for a new version; it is gone at the end.

        Args:
          part: the folder in which the version is to appear.
        """
        folder = os.path.join(part, f"{STAGED}{uuid.uuid4().hex}")
        os.mkdir(folder)
        # Held until this process ends: a leftover is one that can be taken.
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def settle(self, folder: str) -> None:
        """Makes sure that all files and folders in a folder are on the disk."""
        for directory, _, files in os.walk(folder):
            for name in files:
                storage.sync(os.path.join(directory, name))
            storage.sync(directory)

    def show(
        self, staged: Mapping[str, str], *, then: Callable[[], object]
    ) -> None:
        """Lets versions appear, each by one rename: all of them, or none.

        Args:
          staged: {folder of a version: the folder that becomes it}.
          then: is called when they are there, before a signal is heeded.
        """
        with interruption.held(), contextlib.ExitStack() as undoing:
            for version, folder in staged.items():
                os.rename(folder, version)
                undoing.callback(os.rename, version, folder)
                storage.sync(os.path.dirname(version))
            undoing.pop_all()
            then()

    def hide(self, version: str) -> None:
        """Lets a version vanish at once; what is left of it is a leftover."""
        name = f"{DELETED}{uuid.uuid4().hex}"
        os.rename(version, os.path.join(os.path.dirname(version), name))

    def remove_leftovers(self, part: str) -> None:
        """Removes what no living process stages or deletes."""
        for name in os.listdir(part):
            path = os.path.join(part, name)
            if not name.startswith((STAGED, DELETED)):
                continue
            if os.path.islink(path) or os.path.isfile(path):
                os.remove(path)  # and nothing that a link leads to
            elif _is_free(path):
                shutil.rmtree(path)


class Store:
    """A file system of TensorFlow's, which one program changes at a time."""

    @contextlib.contextmanager
    def staged(self, part: str) -> Iterator[str]:
        """Lends a local folder; see `Disk.staged`."""
        with tempfile.TemporaryDirectory(prefix="tfvae-export-") as folder:
            yield folder

    def settle(self, folder: str) -> None:
        """Does nothing: what counts is the copy, which `show` makes."""

    def show(
        self, staged: Mapping[str, str], *, then: Callable[[], object]
    ) -> None:
        """Copies versions, each with its graph last; see `Disk.show`."""
        copies = {version: _copy_of(version) for version in staged}
        with contextlib.ExitStack() as undoing:
            for version, folder in staged.items():
                undoing.callback(storage.remove, copies[version])
                for name in _files(folder):
                    _copy(folder, copies[version], name)
            with interruption.held():
                for version, folder in staged.items():
                    _copy(folder, copies[version], GRAPH)
                    if copies[version] != version:
                        storage.replace(copies[version], version)
                        undoing.callback(storage.remove, version)
                undoing.pop_all()
                then()

    def hide(self, version: str) -> None:
        """Removes a version, its graph first."""
        storage.remove(os.path.join(version, GRAPH))
        storage.remove(version)

    def remove_leftovers(self, part: str) -> None:
        """Removes copies that a killed export did not complete."""
        for name in storage.names(part):
            folder = os.path.join(part, name)
            is_cut = NUMBER.fullmatch(name) and (
                storage.exists(os.path.join(folder, MANIFEST))
                and not storage.exists(os.path.join(folder, GRAPH))
            )
            if name.startswith(STAGED) or is_cut:
                storage.remove(folder)


def medium_of(path: str) -> Disk | Store:
    """Returns the medium on which a path lies."""
    return Disk() if storage.is_local(path) else Store()


def _copy_of(version: str) -> str:
    """Returns the folder to copy a version to."""
    if version.partition("://")[0] not in WITH_FOLDERS:
        return version
    part, name = os.path.split(version)
    return os.path.join(part, f"{STAGED}{name}")


def _files(folder: str) -> list[str]:
    """Returns the paths in a folder, but for the graph; the manifest first."""
    names = [
        os.path.relpath(os.path.join(directory, name), folder)
        for directory, _, files in os.walk(folder)
        for name in files
    ]
    return sorted({*names} - {GRAPH}, key=lambda name: (name != MANIFEST, name))


def _copy(folder: str, to: str, name: str) -> None:
    path = os.path.join(to, name)
    storage.make_folder(os.path.dirname(path))
    with (
        open(os.path.join(folder, name), "rb") as source,
        storage.writer(path) as file,
    ):
        shutil.copyfileobj(source, file)


def _is_free(folder: str) -> bool:
    """Whether no process holds the lock of a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
