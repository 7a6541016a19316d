"""A file is there whole or as it was before."""

import errno
import pathlib
from concurrent import futures
from typing import IO, Any

import pytest

from tfvae import atomic, storage


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


@pytest.mark.parametrize("scheme", ["file://", "ram://"])
def test_any_storage_will_do(tmp_path: pathlib.Path, scheme: str) -> None:
    path = f"{scheme}{tmp_path}/new/a"

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise KeyError

    atomic.write_whole(path, lambda file: file.write(b"before, and longer"))
    with pytest.raises(KeyError):
        atomic.write_whole(path, fail)
    assert storage.read(path) == b"before, and longer"
    atomic.write_whole(path, lambda file: file.write(b"after"))
    assert storage.read(path) == b"after"
    assert storage.names(f"{scheme}{tmp_path}/new") == ["a"]


def test_path_may_be_a_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    atomic.write_whole("a", lambda file: file.write(b"x"))
    assert (tmp_path / "a").read_bytes() == b"x"


def test_first_error_is_the_one_that_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    def fail(file: IO[bytes]) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(storage, "remove", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        atomic.write_whole(str(tmp_path / "a"), fail)


def test_two_writers_never_mix(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "f"
    contents = [letter * (1000 + n) for n, letter in enumerate([b"a", b"b"])]
    seen: set[bytes] = set()

    def write(content: bytes) -> None:
        def slowly(file: Any) -> None:
            for byte in content[::50]:
                file.write(bytes([byte]) * 50)
                file.flush()

        for _ in range(100):
            atomic.write_whole(str(path), slowly)
            seen.add(path.read_bytes())

    with futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(write, contents))
    assert {len(set(content)) for content in seen} == {1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]
