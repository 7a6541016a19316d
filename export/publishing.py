"""Versions of an export: staged beside, published by one rename, pruned.

A server polls the folders, takes every name that is a whole number for a
version, and never looks at a number again once it failed to load. So a version
appears whole or not at all, and no number is used twice.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager

from export import locking
from tfvae.errors import InputError
from tfvae.folder import Folder

STAGED, DELETED = ".staging-", ".deleted-"
HIGHEST = ".tfvae-versions.json"
# A server takes these names for versions; so "007" and " 7" are 7.
NUMBER = re.compile(r"\s*[+-]?\d+\s*")
LARGEST = 2**63 - 1


class ExportDir(Folder):
    """An export folder: {part}/{version} for each part.

    Args:
      path: of the folder.
    """

    def versions(self, part: str) -> list[int]:
        """Returns the versions of a part that are there, rising."""
        if not os.path.isdir(self.file(part)):
            return []
        names = filter(NUMBER.fullmatch, os.listdir(self.file(part)))
        return sorted(
            {number for name in names if _is_int64(number := int(name))}
        )

    @contextlib.contextmanager
    def stage(self, parts: Sequence[str]) -> Iterator["Staging"]:
        """Makes a folder for each part, in which to write its new version.

        What is not published by the end of the block is removed, and so is
        what killed exports have left.

        Args:
          parts: to publish together, under one number.

        Raises:
          InputError: the folder cannot be written.
        """
        try:
            for part in parts:
                os.makedirs(self.file(part), exist_ok=True)
            with self.lock():
                self._remove_leftovers(parts)
                staging = Staging(self, parts)
        except OSError as error:
            raise InputError(
                f"`export_dir` {self.path} cannot be written: "
                f"{error.strerror}; give another."
            ) from error
        try:
            yield staging
        finally:
            staging.close()

    def prune(self, part: str, *, keep: int, but: Collection[int]) -> list[int]:
        """Removes old versions; each vanishes at once.

        Args:
          part: of which.
          keep: how many of the newest stay.
          but: versions that stay, too.

        Returns:
          versions: that were removed.
        """
        with self.lock():
            versions = self.versions(part)
            old = [v for v in versions[: max(0, len(versions) - keep)]]
            removed = [version for version in old if version not in but]
            for name in os.listdir(self.file(part)):
                if NUMBER.fullmatch(name) and int(name) in removed:
                    os.rename(
                        self.file(part, name),
                        self.file(part, f"{DELETED}{uuid.uuid4().hex}"),
                    )
            self._remove_leftovers([part])
        return removed

    def lock(self) -> AbstractContextManager[None]:
        """Keeps other exports out of a block."""
        return locking.locked(self.path, "versions")

    def _next_version(self, parts: Sequence[str], asked: int) -> int:
        """Returns a number that was never used, and notes that it is."""
        highest = 0
        if os.path.exists(self.file(HIGHEST)):
            with open(self.file(HIGHEST), encoding="utf-8") as file:
                highest = json.load(file)["highest"]
        highest = max(highest, *(v for p in parts for v in self.versions(p)), 0)
        if asked and asked <= highest:
            raise InputError(
                f"`version` must be above {highest}, the highest that was "
                f"published in {self.path}, as servers do not load a number "
                f"twice; got {asked}."
            )
        version = asked or highest + 1
        self.write_json(HIGHEST, {"highest": version})
        return version

    def _remove_leftovers(self, parts: Sequence[str]) -> None:
        """Removes what no living process stages or deletes."""
        for part in parts:
            for name in os.listdir(self.file(part)):
                path = self.file(part, name)
                if name.startswith((STAGED, DELETED)) and _is_free(path):
                    shutil.rmtree(path)


class Staging:
    """New versions that are being written.

    Args:
      export_dir: where they are to appear.
      parts: of it.

    Attributes:
      folders: {part: the folder to write in}.
    """

    def __init__(self, export_dir: ExportDir, parts: Sequence[str]) -> None:
        self._export_dir = export_dir
        self.folders: dict[str, str] = {}
        self._locks: list[int] = []
        for part in parts:
            folder = export_dir.file(part, f"{STAGED}{uuid.uuid4().hex}")
            os.mkdir(folder)
            self.folders[part] = folder
            # Held until this process ends: a leftover is one that can be taken.
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._locks.append(lock)

    def publish(self, version: int = 0) -> int:
        """Lets all parts appear under one number, each by one rename.

        Args:
          version: the number; 0: the next one.

        Returns:
          version: the number.

        Raises:
          InputError: the number was used before.
        """
        for folder in self.folders.values():
            _to_disk(folder)
        export_dir = self._export_dir
        with export_dir.lock():
            version = export_dir._next_version([*self.folders], version)
            for part, folder in self.folders.items():
                os.rename(folder, export_dir.file(part, str(version)))
                _sync(export_dir.file(part))
        return version

    def close(self) -> None:
        """Removes what was not published."""
        for folder in self.folders.values():
            shutil.rmtree(folder, ignore_errors=True)
        for lock in self._locks:
            os.close(lock)


def _to_disk(folder: str) -> None:
    """Makes sure that all files and folders in a folder are on the disk."""
    for directory, _, files in os.walk(folder):
        for name in files:
            _sync(os.path.join(directory, name))
        _sync(directory)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def _is_int64(number: int) -> bool:
    return -LARGEST - 1 <= number <= LARGEST
