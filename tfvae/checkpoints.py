"""Checkpoints that are checked before anything is restored from them.

TensorFlow's files of step N are ckpt-N.index and ckpt-N.data-*. A record of
their sizes and sha256 sums, ckpt-N.json, appears by rename once they are on
the medium: a checkpoint without one was never finished. In folders written
before there were records, TensorFlow's list of checkpoints stands in for them.
"""

import contextlib
import io
import os
import re
import zipfile
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from tfvae import records, storage
from tfvae.errors import InputError
from tfvae.folder import Folder, reading, reason, writing

FOLDER = "checkpoints"
KEPT = 2
LIST = "checkpoint"  # TensorFlow's
LISTED = re.compile(r'paths?: ".*?ckpt-(\d+)"')
RECORD = re.compile(r"ckpt-(\d+)\.json")
DATA = re.compile(r"ckpt-(\d+)\.(?:index|data-\d+-of-\d+)")
ANY = re.compile(r"\.?ckpt-(\d+)[._].*")  # debris of a kill, too


class Checkpoints:
    """The checkpoints of a run, the newest `KEPT` of them.

    Args:
      folder: of the run.
      checkpoint: of all objects whose variables are saved.

    Attributes:
      faults: what `newest_whole` found wrong: a sentence a checkpoint.
    """

    def __init__(self, folder: Folder, checkpoint: tf.train.Checkpoint) -> None:
        self.faults: list[str] = []
        self._folder, self._checkpoint = folder, checkpoint
        self._whole: list[int] = []

    def save(self, step: int) -> None:
        """Writes a checkpoint, and removes all but the newest whole ones.

        Args:
          step: that is done.

        Raises:
          WriteError: it cannot be written; those before are whole.
        """
        if not self._folder.writes:
            return
        try:
            self._write(step)
        except OSError:
            with contextlib.suppress(OSError):  # the first is the one to tell
                self._remove(lambda other: other == step)
            raise
        self._whole = [*self._whole, step][-KEPT:]
        with writing(self._path()):
            storage.sync(self._path())
            self._remove(lambda other: other not in self._whole)
            if not self._listed() & set(self._whole):
                storage.remove(self._path(LIST))

    def newest_whole(self) -> int | None:
        """Returns the step of the newest checkpoint without a fault.

        Returns:
          Its step; None: no checkpoint was ever finished.

        Raises:
          InputError: all are damaged, or cannot be read.
        """
        names = self._names()
        written, recorded = _steps(names, DATA), _steps(names, RECORD)
        listed = self._listed() & written
        faults = {
            step: "was not written to its end"
            for step in written - recorded - listed
        }
        found = None
        for step in sorted(recorded | listed, reverse=True):
            check = self._check if step in recorded else self._check_listed
            try:
                check(step)
            except InputError as error:
                faults[step] = f"is damaged: {error}"
            except OSError as error:
                name = os.path.basename(error.filename or self._path())
                faults[step] = f"cannot be read: {name}: {reason(error)}"
            else:
                found = step
                break
        told = [
            f"checkpoint ckpt-{step} {faults[step].rstrip('.')}"
            for step in sorted(faults, reverse=True)
            if found is None or step > found
        ]
        if found is None and (recorded or LIST in names):
            raise InputError(
                f"{self._path()} holds no checkpoint that is whole: "
                f"{'; '.join(told) or f'its list, {LIST}, names none'}. Put "
                "one back, or start anew with --overwrite (the other programs "
                f"need none: weights are in {self._folder.file('weights')})."
            )
        self._whole = [] if found is None else [found]
        place = "the beginning" if found is None else f"ckpt-{found}"
        self.faults = [f"{fault}; going on from {place}." for fault in told]
        return found

    def restore(self, step: int) -> None:
        """Restores all objects as they were saved.

        Args:
          step: of a checkpoint that is whole.

        Raises:
          InputError: it is of other objects, or cannot be read.
        """
        self._restore(self._path(f"ckpt-{step}"))

    def _restore(self, path: str) -> None:
        try:
            with storage.os_errors(path):
                status = self._checkpoint.read(path)
            status.assert_existing_objects_matched()
        except (AssertionError, OSError, ValueError) as error:
            raise InputError(
                f"{path} cannot be restored into this model "
                f"({str(error).splitlines()[0]}); start anew with --overwrite."
            ) from error
        status.expect_partial()  # of the counter that listed ones hold

    def packed(self, step: int) -> bytes:
        """Returns the files of a checkpoint, for `restore_packed` elsewhere."""
        names = [n for n in self._names() if step in _steps([n], DATA)]
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            for name in names:
                files.writestr(name, storage.read(self._path(name)))
        return archive.getvalue()

    def restore_packed(self, content: bytes) -> None:
        """Restores all objects from what `packed` returned.

        Args:
          content: of a checkpoint of the same objects.
        """
        folder = f"ram://tfvae-{os.getpid()}-{id(self)}"
        storage.make_folder(folder)
        with zipfile.ZipFile(io.BytesIO(content)) as files:
            for name in files.namelist():
                with storage.writer(os.path.join(folder, name)) as file:
                    file.write(files.read(name))
            (step,) = _steps(files.namelist(), DATA)
        self._restore(os.path.join(folder, f"ckpt-{step}"))
        storage.remove(folder)

    def _path(self, *names: str) -> str:
        return self._folder.file(FOLDER, *names)

    def _names(self) -> list[str]:
        with reading(self._path()):
            if not storage.exists(self._path()):
                return []
            return storage.names(self._path())

    def _listed(self) -> set[int]:
        """Returns the steps that TensorFlow's list names; no list: none."""
        path = self._path(LIST)
        with reading(path):
            text = storage.read(path) if storage.exists(path) else b""
        return {int(n) for n in LISTED.findall(text.decode(errors="replace"))}

    def _write(self, step: int) -> None:
        self._folder.make(FOLDER)
        path = self._path(f"ckpt-{step}")
        files = {}
        with writing(path):
            storage.remove(f"{path}.json")
            with storage.os_errors(path):
                self._checkpoint.write(path)
            for name in self._names():
                if step in _steps([name], DATA):
                    storage.sync(self._path(name))
                    files[name] = _measured(self._path(name))
        self._folder.write_json(
            os.path.join(FOLDER, f"ckpt-{step}.json"),
            {"step": step, "files": files},
        )

    def _remove(self, is_meant: Callable[[int], bool]) -> None:
        """Removes all files of some steps, records first."""
        for name in sorted(
            self._names(), key=lambda n: not RECORD.fullmatch(n)
        ):
            if any(map(is_meant, _steps([name], ANY))):
                storage.remove(self._path(name))

    def _check(self, step: int) -> None:
        """Compares the files of a step with their record.

        Raises:
          InputError: they differ, or the record is none.
          OSError: one cannot be read.
        """
        path = self._path(f"ckpt-{step}.json")
        record = records.parse_object(storage.read(path), source=path)
        files = record.get("files")
        if not isinstance(files, dict) or not files:
            raise InputError(f"{path} names no files")
        for name, expected in files.items():
            if step not in _steps([name], DATA):
                raise InputError(f"{path} names a file {name!r:.40}")
            found = _measured(self._path(name))
            if found != expected:
                raise InputError(
                    f"{name} has {found['size']:,} bytes, which are not those "
                    "that were written"
                )

    def _check_listed(self, step: int) -> None:
        """Reads all of a checkpoint, whose sums TensorFlow then compares."""
        path = self._path(f"ckpt-{step}")
        try:
            with storage.os_errors(path):
                reader = tf.train.load_checkpoint(path)
                for name in reader.get_variable_to_shape_map():
                    reader.get_tensor(name)
        except (IndexError, ValueError) as error:
            raise InputError(str(error)) from error


def forget(folder: Folder) -> None:
    """Removes all that says that there are checkpoints; they are left.

    Args:
      folder: of the run.

    Raises:
      OSError: it cannot be removed.
    """
    path = folder.file(FOLDER)
    for name in storage.names(path) if storage.exists(path) else []:
        if name == LIST or RECORD.fullmatch(name):
            storage.remove(os.path.join(path, name))


def _steps(names: Iterable[str], pattern: re.Pattern[str]) -> set[int]:
    """Returns the steps of those names that a pattern matches."""
    matches = filter(None, map(pattern.fullmatch, names))
    return {int(match[1]) for match in matches}


def _measured(path: str) -> dict[str, Any]:
    size, sha256 = storage.size_and_sha256(path)
    return {"size": size, "sha256": sha256}
