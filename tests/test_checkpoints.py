"""Checkpoints: checked before they are used, whole or not there."""

import errno
import json
import pathlib
import re
import resource
import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfvae import checkpoints, storage
from tfvae.checkpoints import Checkpoints
from tfvae.errors import InputError, WriteError
from tfvae.folder import Folder

DATA = "ckpt-{}.data-00000-of-00001"


def _make(
    path: pathlib.Path | str, size: int = 3, *, writes: bool = True
) -> tuple[tf.Variable, Checkpoints]:
    variable = tf.Variable(tf.zeros([size]))
    folder = Folder(str(path), writes=writes)
    return variable, Checkpoints(folder, tf.train.Checkpoint(v=variable))


def _save(path: pathlib.Path | str, *steps: int) -> None:
    """Saves checkpoints in which each number is the step."""
    variable, saved = _make(path)
    for step in steps:
        variable.assign(tf.fill([3], float(step)))
        saved.save(step)


def _names(path: pathlib.Path) -> set[str]:
    return {entry.name for entry in (path / "checkpoints").iterdir()}


def _files(*steps: int) -> set[str]:
    return {
        name.format(step)
        for step in steps
        for name in (DATA, "ckpt-{}.index", "ckpt-{}.json")
    }


@pytest.mark.parametrize("kind", ["local", "file", "ram"])
def test_newest_is_restored_to_the_bit_on_any_storage(
    tmp_path: pathlib.Path, kind: str
) -> None:
    path = {
        "local": str(tmp_path),
        "file": f"file://{tmp_path}",
        "ram": "ram://newest",
    }[kind]
    variable, saved = _make(path)
    for step in (3, 6, 9):
        variable.assign([np.pi * step, -0.0, 1e-40])
        saved.save(step)
    other, found = _make(path)
    assert (found.newest_whole(), found.faults) == (9, [])
    found.restore(9)
    assert other.numpy().tobytes() == variable.numpy().tobytes()
    names = storage.names(f"{path}/checkpoints")
    assert set(names) == _files(6, 9)
    checkpoints.forget(Folder(path))
    assert found.newest_whole() is None


def test_folder_without_checkpoints_has_none(tmp_path: pathlib.Path) -> None:
    _, saved = _make(tmp_path / "run")
    assert (saved.newest_whole(), saved.faults) == (None, [])


def _cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _flip(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    content[1] ^= 4
    path.write_bytes(content)


def _change(key: str, value: Any) -> Callable[[pathlib.Path], None]:
    def change(path: pathlib.Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))

    return change


def _make_folder(path: pathlib.Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("name", "damage", "told"),
    [
        (DATA, _cut, "has [0-9]+ bytes, which are not those"),
        (DATA, _flip, "has [0-9]+ bytes, which are not those"),
        (DATA, pathlib.Path.unlink, "be read: ckpt-9.data-.*: No such file"),
        (DATA, _make_folder, "be read: ckpt-9.data-.*: Is a directory"),
        ("ckpt-{}.index", _flip, "ckpt-9.index has .* bytes, which are not"),
        ("ckpt-{}.index", pathlib.Path.unlink, "read: ckpt-9.index: No such"),
        ("ckpt-{}.json", _cut, "json is not JSON"),
        ("ckpt-{}.json", _change("files", 3), "json names no files"),
        ("ckpt-{}.json", _change("files", {}), "json names no files"),
        ("ckpt-{}.json", _change("files", {"../a": 1}), r"a file '\.\./a'"),
        ("ckpt-{}.json", lambda path: path.write_text("[]"), "one JSON object"),
    ],
)  # fmt: skip
def test_damaged_one_is_told_and_the_one_before_is_used(
    tmp_path: pathlib.Path,
    name: str,
    damage: Callable[[pathlib.Path], None],
    told: str,
) -> None:
    _save(tmp_path, 6, 9)
    damage(tmp_path / "checkpoints" / name.format(9))
    variable, saved = _make(tmp_path)
    assert saved.newest_whole() == 6
    (fault,) = saved.faults
    assert fault.startswith("checkpoint ckpt-9 ")
    assert fault.endswith("; going on from ckpt-6.")
    assert re.search(told, fault)
    saved.restore(6)
    assert variable.numpy().tolist() == [6.0] * 3


def test_all_damaged_is_told_with_what_to_do(tmp_path: pathlib.Path) -> None:
    _save(tmp_path, 6, 9)
    for step in (6, 9):
        _flip(tmp_path / "checkpoints" / DATA.format(step))
    _, saved = _make(tmp_path)
    with pytest.raises(
        InputError,
        match="checkpoints holds no checkpoint that is whole: checkpoint "
        "ckpt-9 is damaged: .*; checkpoint ckpt-6 is damaged: .*Put one back, "
        r"or start anew with --overwrite \(the other programs need none: "
        r"weights are in .*/weights\)\.",
    ):
        saved.newest_whole()


@pytest.mark.parametrize(
    ("steps", "place"), [((), "the beginning"), ((6,), "ckpt-6")]
)
def test_unfinished_one_is_told_and_later_removed(
    tmp_path: pathlib.Path, steps: tuple[int, ...], place: str
) -> None:
    _save(tmp_path, *steps, 9)
    folder = tmp_path / "checkpoints"
    (folder / "ckpt-9.json").unlink()
    (folder / ".ckpt-9.json.partial").write_text("{")
    (folder / "ckpt-12_temp").mkdir()
    (folder / "mine.txt").touch()
    _, saved = _make(tmp_path)
    assert saved.newest_whole() == (steps[-1] if steps else None)
    told = (
        f"checkpoint ckpt-9 was not written to its end; going on from {place}."
    )
    assert saved.faults == [told]
    saved.save(11)
    assert _names(tmp_path) == _files(*steps, 11) | {"mine.txt"}


def _save_as_before(path: pathlib.Path, *steps: int) -> None:
    variable = tf.Variable(tf.zeros([3]))
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(v=variable), str(path / "checkpoints"), 2
    )
    for step in steps:
        variable.assign(tf.fill([3], float(step)))
        manager.save(step)


def test_list_of_tensorflow_stands_in_for_records(
    tmp_path: pathlib.Path,
) -> None:
    _save_as_before(tmp_path, 3, 6, 9)
    variable, saved = _make(tmp_path)
    assert (saved.newest_whole(), saved.faults) == (9, [])
    saved.restore(9)
    assert variable.numpy().tolist() == [9.0] * 3
    saved.save(12)
    assert _names(tmp_path) >= _files(12) | {DATA.format(9), "checkpoint"}
    _flip(tmp_path / "checkpoints" / DATA.format(12))
    assert _make(tmp_path)[1].newest_whole() == 9
    saved.save(15)
    assert _names(tmp_path) == _files(12, 15)


@pytest.mark.parametrize("name", [DATA, "ckpt-{}.index"])
@pytest.mark.parametrize("length", [0, 5, -5, -40])
def test_listed_one_that_is_cut_is_found_out(
    tmp_path: pathlib.Path, name: str, length: int
) -> None:
    _save_as_before(tmp_path, 6, 9)
    path = tmp_path / "checkpoints" / name.format(9)
    path.write_bytes(path.read_bytes()[:length])
    _, saved = _make(tmp_path)
    assert saved.newest_whole() == 6
    assert saved.faults[0].startswith("checkpoint ckpt-9 ")


def test_list_that_is_damaged_is_told(tmp_path: pathlib.Path) -> None:
    _save_as_before(tmp_path, 6)
    (tmp_path / "checkpoints" / "checkpoint").write_bytes(b"\xff\x00")
    with pytest.raises(
        InputError, match="checkpoint ckpt-6 was not written to"
    ):
        _make(tmp_path)[1].newest_whole()
    for path in (tmp_path / "checkpoints").glob("ckpt-*"):
        path.unlink()
    with pytest.raises(InputError, match="its list, checkpoint, names none"):
        _make(tmp_path)[1].newest_whole()


def test_checkpoint_of_another_model_is_refused(tmp_path: pathlib.Path) -> None:
    _save(tmp_path, 6)
    told = (
        r"ckpt-6 cannot be restored into this model \({}.*\); start anew with "
        r"--overwrite\."
    )
    _, larger = _make(tmp_path, 5)
    with pytest.raises(InputError, match=told.format("Received incompatible")):
        larger.restore(6)
    more = tf.train.Checkpoint(v=tf.Variable([0.0] * 3), w=tf.Variable(1.0))
    with pytest.raises(InputError, match=told.format("Found 1 Python obj")):
        Checkpoints(Folder(str(tmp_path)), more).restore(6)
    with pytest.raises(InputError, match=r"ckpt-8 cannot .* Failed to find"):
        _make(tmp_path)[1].restore(8)


def test_who_does_not_write_leaves_nothing(tmp_path: pathlib.Path) -> None:
    _make(tmp_path / "run", writes=False)[1].save(3)
    assert list(tmp_path.iterdir()) == []


def test_record_goes_before_its_files_are_written_anew(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path, 6)
    write, there = tf.train.Checkpoint.write, []

    def look(self: tf.train.Checkpoint, path: str) -> None:
        there.append(pathlib.Path(f"{path}.json").exists())
        write(self, path)

    monkeypatch.setattr(tf.train.Checkpoint, "write", look)
    _save(tmp_path, 6)
    assert there == [False]
    assert _names(tmp_path) == _files(6)


def _fail(number: int) -> Callable[..., None]:
    def fail(*_: Any) -> None:
        raise OSError(number, "told by the system")

    return fail


@pytest.mark.parametrize("broken", ["sync", "size_and_sha256", "replace"])
def test_save_that_fails_leaves_those_before(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    _save(tmp_path, 3, 6)
    _, saved = _make(tmp_path)
    saved.newest_whole()
    with monkeypatch.context() as patched:
        patched.setattr(storage, broken, _fail(errno.ENOSPC))
        with pytest.raises(
            WriteError,
            match=r"ckpt-9.* cannot be written: told by the system; what was "
            "saved before is whole; make room there, then give the same "
            r"command again\.",
        ):
            saved.save(9)
    assert _names(tmp_path) == _files(3, 6)
    saved.save(9)
    assert _names(tmp_path) == _files(6, 9)


@pytest.fixture
def _small_files() -> Iterator[None]:
    """No file may grow beyond 2 KiB: a real disk that is full."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("_small_files")
def test_tensorflow_s_own_error_of_writing_is_one_line(
    tmp_path: pathlib.Path,
) -> None:
    _save(tmp_path, 3)
    _, large = _make(tmp_path, 1000)
    with pytest.raises(
        WriteError, match="ckpt-6 cannot be written: File too large; what was "
        "saved before is whole; allow larger files, then give",
    ):  # fmt: skip
        large.save(6)
    assert _names(tmp_path) == _files(3)


def test_folder_that_was_removed_is_not_made_anew(
    tmp_path: pathlib.Path,
) -> None:
    _, saved = _make(tmp_path / "run")
    saved.save(3)
    storage.remove(str(tmp_path / "run"))
    with pytest.raises(WriteError, match="run cannot be written: No such file"):
        saved.save(6)
    assert list(tmp_path.iterdir()) == []
