"""A file is there whole or as it was before."""

import errno
import pathlib
from typing import IO

import pytest

from tfvae import atomic


def test_file_appears_whole_or_not_at_all(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"before")

    def fill_the_disk(file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        atomic.write_whole(str(path), fill_the_disk)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
    atomic.write_whole(str(path), lambda file: file.write(b"after"))
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_is_made(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "new" / "deep" / "a"
    atomic.write_whole(str(path), lambda file: file.write(b"x"))
    assert path.read_bytes() == b"x"


def test_place_is_untouched_while_the_file_is_written(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "a"
    seen = []
    atomic.write_whole(str(path), lambda file: seen.append(path.exists()))
    assert seen == [False]
    assert path.exists()
