"""A folder's files, on any storage, and what happens where none can be."""

import errno
import os
import pathlib
import re
from collections.abc import Iterator
from typing import IO, Any

import pytest

from tfvae import storage
from tfvae.errors import FailedError, InputError, WriteError
from tfvae.folder import Folder, reading, write_whole


@pytest.fixture(params=["", "file://", "ram://"])
def folder(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path
) -> Iterator[Folder]:
    path = f"{request.param}{tmp_path / 'a'}"
    yield Folder(path)
    storage.remove(path)


def _one(file: IO[bytes]) -> None:
    file.write(b"one")


def test_files_are_written_on_any_storage(folder: Folder) -> None:
    folder.write_json("b/c.json", {"d": [1, 2]})
    assert storage.read_text(folder.file("b", "c.json")) == (
        '{\n  "d": [\n    1,\n    2\n  ]\n}\n'
    )
    assert storage.names(folder.file("b")) == ["c.json"]
    assert (folder.has("b"), folder.has("c.json")) == (True, False)
    folder.remove_if_empty()
    assert folder.has("b", "c.json")
    storage.remove(folder.file("b"))
    folder.remove_if_empty()
    assert not storage.exists(folder.path)


def test_who_does_not_write_leaves_all_as_it_is(folder: Folder) -> None:
    quiet = Folder(folder.path, writes=False)
    quiet.write("a", _one)
    quiet.write_json("b", {})
    quiet.make("c")
    assert not storage.exists(folder.path)
    storage.make_folder(folder.path)
    quiet.remove_if_empty()
    assert storage.names(folder.path) == []


def test_folder_that_was_removed_is_not_made_anew(folder: Folder) -> None:
    folder.write("a", _one)
    storage.remove(folder.path)
    with pytest.raises(
        WriteError,
        match=f"{re.escape(str(folder))} cannot be written: No such file or "
        "directory; what was saved before is whole; the folder was removed "
        r"meanwhile: put it back, then give the same command again\.",
    ):
        folder.write("a", _one)
    assert not storage.exists(folder.path)


@pytest.mark.parametrize(
    ("number", "reason", "remedy"),
    [
        (errno.ENOSPC, "No space left on device", "make room there"),
        (errno.EDQUOT, "Disk quota exceeded", "make room there"),
        (errno.EFBIG, "File too large", "allow larger files"),
        (errno.EROFS, "Read-only file system", "allow writing there"),
        (errno.EACCES, "Permission denied", "allow writing there"),
        (errno.EIO, "Input/output error", "see to the storage"),
        (None, "OSError", "see to the storage"),
    ],
)
def test_write_that_fails_is_one_line_and_leaves_what_was(
    tmp_path: pathlib.Path, number: int | None, reason: str, remedy: str
) -> None:
    folder = Folder(str(tmp_path))
    folder.write("a", _one)

    def fail(file: IO[bytes]) -> None:
        file.write(b"tw")
        raise OSError(number, os.strerror(number)) if number else OSError

    with pytest.raises(FailedError) as caught:
        folder.write("a", fail)
    assert str(caught.value) == (
        f"{tmp_path}/a cannot be written: {reason}; what was saved before is "
        f"whole; {remedy}, then give the same command again."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"one"


@pytest.mark.parametrize("broken", ["make_folder", "writer", "replace"])
def test_any_step_of_writing_may_fail(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = Folder(str(tmp_path))
    monkeypatch.setattr(storage, broken, fail)
    with pytest.raises(WriteError, match="No space left"):
        folder.write("a", _one)
    assert list(tmp_path.iterdir()) == []


def test_storage_out_of_reach_is_wrong_input() -> None:
    with (
        pytest.raises(
            InputError,
            match="gs://b/a cannot be read: no route; see that it can, or give "
            r"another\.",
        ),
        reading("gs://b/a"),
    ):
        raise OSError(errno.EHOSTUNREACH, "no route")
    with pytest.raises(InputError, match="no file system is loaded for no://"):
        Folder("no://b").has("a")


def test_missing_file_is_for_the_reader_to_tell(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError), reading("a"):
        storage.read(str(tmp_path / "a"))


def test_file_that_cannot_be_written_whole_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr(storage, "writer", full)
    with pytest.raises(WriteError, match=r"f cannot be written: No space left"):
        write_whole(str(tmp_path / "f"), lambda file: file.write(b"x"))
    assert list(tmp_path.iterdir()) == []
