"""Versions of an export: staged beside, published together, pruned.

A server polls the folders, takes every name that is a whole number for a
version, and never looks at a number again once it failed to load. So a version
appears whole or not at all, and no number is used twice.
"""

import contextlib
import json
import operator
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from export import locking
from export.medium import NUMBER, medium_of
from tfvae import storage
from tfvae.errors import InputError, WriteError
from tfvae.folder import Folder, writing

HIGHEST = ".tfvae-versions.json"
LARGEST = 2**63 - 1


class ExportDir(Folder):
    """An export folder: {part}/{version} for each part.

    Args:
      path: of the folder, on any storage that `tfvae.storage` takes.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._medium = medium_of(path)

    def versions(self, part: str) -> list[int]:
        """Returns the versions of a part that are there, rising."""
        if not storage.is_folder(self.file(part)):
            return []
        names = filter(NUMBER.fullmatch, storage.names(self.file(part)))
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
          WriteError: it can no more, as when the disk is full; nothing was
            published.
        """
        with contextlib.ExitStack() as held:
            try:
                for part in parts:
                    storage.make_folder(self.file(part))
                with self.lock():
                    self._remove_leftovers(parts)
                    folders = {
                        part: held.enter_context(
                            self._medium.staged(self.file(part))
                        )
                        for part in parts
                    }
            except OSError as error:
                raise InputError(
                    f"`export_dir` {self.path} cannot be written: "
                    f"{error.strerror}; give another."
                ) from error
            try:
                yield Staging(self, folders)
            except WriteError:
                raise
            except OSError as error:
                with writing(error.filename or self.path):
                    raise

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
            for name in storage.names(self.file(part)):
                if NUMBER.fullmatch(name) and int(name) in removed:
                    self._medium.hide(self.file(part, name))
            self._remove_leftovers([part])
        return removed

    def lock(self) -> AbstractContextManager[None]:
        """Keeps other exports out of a block."""
        return locking.locked(self.path, "versions")

    def _publish(
        self,
        folders: Mapping[str, str],
        asked: int,
        tell: Callable[[int], object],
    ) -> int:
        """See `Staging.publish`."""
        for folder in folders.values():
            self._medium.settle(folder)
        with self.lock():
            version = self._next_version([*folders], asked)
            self._medium.show(
                {
                    self.file(part, str(version)): folder
                    for part, folder in folders.items()
                },
                then=lambda: tell(version),
            )
        return version

    def _next_version(self, parts: Sequence[str], asked: int) -> int:
        """Returns a number that was never used, and notes that it is."""
        there = (v for part in parts for v in self.versions(part))
        highest = max(self._noted(), *there, 0)
        if asked and asked <= highest:
            raise InputError(
                f"`version` must be above {highest}, the highest that was "
                f"published in {self.path}, as servers do not load a number "
                f"twice; got {asked}."
            )
        version = asked or highest + 1
        if version > LARGEST:
            raise InputError(
                f"{self.path} holds version {highest:,}, above which there is "
                "no number; give another --export_dir."
            )
        self.write_json(HIGHEST, {"highest": version})
        return version

    def _noted(self) -> int:
        """Returns the highest number that was ever published."""
        path = self.file(HIGHEST)
        if not storage.exists(path):
            return 0
        try:
            return operator.index(json.loads(storage.read(path))["highest"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(
                f"{path} is damaged; it holds the highest number that was ever "
                'published, as {"highest": 3}: mend it, or remove it if no '
                "version above those in the folder was ever served."
            ) from error

    def _remove_leftovers(self, parts: Sequence[str]) -> None:
        for part in parts:
            self._medium.remove_leftovers(self.file(part))


class Staging:
    """New versions that are being written.

    Args:
      export_dir: where they are to appear.
      folders: {part: the folder to write in}.
    """

    def __init__(
        self, export_dir: ExportDir, folders: Mapping[str, str]
    ) -> None:
        self._export_dir = export_dir
        self.folders = folders

    def publish(
        self, version: int = 0, *, tell: Callable[[int], object] = abs
    ) -> int:
        """Lets all parts appear under one number: all of them, or none.

        Args:
          version: the number; 0: the next one.
          tell: is given it when they are there; signals wait until then.

        Returns:
          version: the number.

        Raises:
          InputError: the number was used before, or the note of the highest
            one is damaged.
        """
        return self._export_dir._publish(self.folders, version, tell)


def _is_int64(number: int) -> bool:
    return -LARGEST - 1 <= number <= LARGEST
