"""Local paths and TensorFlow's behave alike."""

import errno
import hashlib
import os
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import tensorflow as tf

from tfvae import storage
from tfvae.errors import InputError


@pytest.fixture(params=["", "file://", "ram://"])
def root(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path
) -> Iterator[str]:
    path = f"{request.param}{tmp_path}/root"
    storage.make_folder(path)
    yield path
    storage.remove(path)


def _write(path: str, content: bytes) -> None:
    with storage.writer(path) as file:
        file.write(content)


def test_files_and_folders_come_and_go(root: str) -> None:
    a, b = f"{root}/a", f"{root}/b/c"
    storage.make_folder(b)
    storage.make_folder(b)
    _write(a, b"long content")
    _write(a, "ü".encode())
    assert (storage.read(a), storage.read_text(a)) == (b"\xc3\xbc", "ü")
    assert storage.names(root) == ["a", "b"]
    assert [storage.exists(path) for path in (a, b, f"{b}/d")] == [
        True, True, False,
    ]  # fmt: skip
    assert [storage.is_folder(path) for path in (a, b)] == [False, True]
    _write(f"{b}/d", b"new")
    storage.replace(f"{b}/d", a)
    assert (storage.read(a), storage.names(b)) == (b"new", [])
    storage.remove_empty(b)
    storage.remove(f"{root}/b")
    storage.remove(a)
    storage.remove(a)
    assert storage.names(root) == []


def test_time_of_a_file_is_its_last_writing_s(root: str) -> None:
    path = f"{root}/a"
    assert storage.modified(path) == 0
    _write(path, b"1")
    if not root.startswith("ram://"):  # which keeps no times
        os.utime(path.removeprefix("file://"), (3, 5))
        assert storage.modified(path) == 5_000_000_000


def test_what_is_written_may_go_back(root: str) -> None:
    with storage.writer(f"{root}/a") as file:
        file.write(b"12345")
        file.seek(1)
        file.write(b"-")
    assert storage.read(f"{root}/a") == b"1-345"


def test_sum_is_of_all_that_a_file_holds(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "CHUNK", 3)
    _write(f"{root}/a", b"1234567")
    storage.sync(f"{root}/a")
    assert storage.size_and_sha256(f"{root}/a") == (
        7, hashlib.sha256(b"1234567").hexdigest(),
    )  # fmt: skip


def test_missing_files_are_python_s_own_error(root: str) -> None:
    for call in (storage.read, storage.names, storage.size_and_sha256):
        with pytest.raises(FileNotFoundError) as caught:
            call(f"{root}/none")
        assert caught.value.errno == errno.ENOENT
        assert caught.value.filename == f"{root}/none"


def test_unknown_scheme_is_told() -> None:
    with pytest.raises(
        InputError, match=r"no file system is loaded for no:// \(no://a\); "
        r"tensorflow-io brings s3:// and others\.",
    ):  # fmt: skip
        storage.exists("no://a")


@pytest.mark.parametrize(
    ("kind", "message", "number", "told"),
    [
        (tf.errors.UnknownError, "{{node A}} b; File too large [Op:SaveV2]",
         errno.EFBIG, "File too large"),
        (tf.errors.ResourceExhaustedError, "b; No space left on device",
         errno.ENOSPC, "No space left on device"),
        (tf.errors.ResourceExhaustedError, "quota", errno.ENOSPC, "quota"),
        (tf.errors.PermissionDeniedError, "no\nat all", errno.EACCES, "no"),
        (tf.errors.NotFoundError, "none", errno.ENOENT, "none"),
        (tf.errors.DataLossError, "sum", errno.EIO, "sum"),
        (tf.errors.AbortedError, None, errno.EIO, "AbortedError"),
    ],
)  # fmt: skip
def test_tensorflow_s_errors_become_python_s(
    kind: Any, message: str | None, number: int, told: str
) -> None:
    with pytest.raises(OSError, match=told) as caught, storage.os_errors("p"):
        raise kind(None, None, message)
    assert (caught.value.errno, caught.value.strerror) == (number, told)
    assert isinstance(caught.value, type(OSError(number, "")))


def test_store_that_does_not_answer_is_waited_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(storage, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(tf.io.gfile, "exists", lambda path: ended.wait(9))
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer in 0\.05 s: 'gs://b/a'"):
        storage.exists("gs://b/a")
    assert time.monotonic() - started < 8
    ended.set()


def test_store_that_answers_with_an_error_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: str) -> None:
        raise tf.errors.PermissionDeniedError(None, None, f"not you: {path}")

    monkeypatch.setattr(tf.io.gfile, "exists", refuse)
    with pytest.raises(PermissionError, match="not you: gs://b/a"):
        storage.exists("gs://b/a")
    monkeypatch.setattr(tf.io.gfile, "exists", lambda path: path == "gs://b/a")
    assert storage.exists("gs://b/a")


def test_what_was_written_is_on_the_medium(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda number: synced.append(os.fstat(number).st_ino)
    )
    path = tmp_path / "a"
    _write(str(path), b"1")
    storage.sync(str(tmp_path))
    assert synced == [path.stat().st_ino, tmp_path.stat().st_ino]
