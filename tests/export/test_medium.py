"""Versions appear and vanish on every medium, and through its faults."""

import errno
import json
import os
import pathlib
import signal
from collections.abc import Callable
from typing import Any

import pytest

from export import interruption
from export.medium import Disk, Store, medium_of
from export.publishing import ExportDir
from tests.export.places import place, tree
from tfvae import storage
from tfvae.errors import InputError, WriteError

__all__ = ["place"]  # a fixture

PARTS = ("decoder", "vae")
# In the order in which a store gets them.
FILES = (
    "assets.extra/tfvae.json", "batching_params.pbtxt",
    "variables/variables.data-00000-of-00001", "variables/variables.index",
    "saved_model.pb",
)  # fmt: skip


def publish(place: str, version: int = 0, tell: Any = abs) -> int:
    with ExportDir(place).stage(PARTS) as staging:
        for part, folder in staging.folders.items():
            for name in FILES:
                path = pathlib.Path(folder) / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(f"{part} {name}")
        return staging.publish(version, tell=tell)


def versions(place: str) -> dict[str, list[str]]:
    return {part: storage.names(os.path.join(place, part)) for part in PARTS}


def both(*names: str) -> dict[str, list[str]]:
    return {part: [*names] for part in PARTS}


def test_versions_appear_whole_with_rising_numbers(place: str) -> None:
    told: list[int] = []
    assert [publish(place, tell=told.append) for _ in range(2)] == [1, 2]
    assert publish(place, 7, tell=told.append) == 7
    assert told == [1, 2, 7]
    assert ExportDir(place).versions("vae") == [1, 2, 7]
    assert tree(os.path.join(place, "decoder")) == {
        f"{number}/{name}" for number in (1, 2, 7) for name in FILES
    }
    path = os.path.join(place, "vae", "2", FILES[2])
    assert storage.read_text(path) == f"vae {FILES[2]}"
    noted = storage.read(os.path.join(place, ".tfvae-versions.json"))
    assert json.loads(noted) == {"highest": 7}
    with pytest.raises(InputError, match="`version` must be above 7"):
        publish(place, version=7)
    assert versions(place) == both("1", "2", "7")


def test_what_is_not_published_leaves_nothing(place: str) -> None:
    with ExportDir(place).stage(PARTS) as staging:
        for folder in staging.folders.values():
            (pathlib.Path(folder) / "saved_model.pb").write_text("x")
    assert tree(place) == set()


def test_old_versions_go(place: str) -> None:
    for _ in range(4):
        publish(place)
    export_dir = ExportDir(place)
    assert export_dir.prune("vae", keep=1, but={2}) == [1, 3]
    assert storage.names(export_dir.file("vae")) == ["2", "4"]


@pytest.mark.parametrize(
    "highest",
    [
        "", "{", "[]", "3", "{}", '{"highest": "3"}', '{"highest": 1e999}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_damaged_note_of_the_highest_number_is_told(
    tmp_path: pathlib.Path, highest: str
) -> None:
    (tmp_path / ".tfvae-versions.json").write_text(highest)
    with pytest.raises(InputError, match=r"versions\.json is damaged; .*mend"):
        publish(str(tmp_path))
    assert versions(str(tmp_path)) == both()


@pytest.mark.parametrize("highest", [2**63 - 1, 10**30])
def test_numbers_come_to_an_end(tmp_path: pathlib.Path, highest: int) -> None:
    note = tmp_path / ".tfvae-versions.json"
    note.write_text(json.dumps({"highest": highest}))
    with pytest.raises(InputError, match=r"above which there is no number"):
        publish(str(tmp_path))


def test_store_has_the_graph_last_and_loses_it_first(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, seen = f"ram://{tmp_path.name}-{os.getpid()}", []

    def noting(name: str) -> None:
        real = getattr(storage, name)

        def called(path: str, *more: Any) -> Any:
            if "/vae/1" in path:
                seen.append((name, path.rpartition("/vae/1")[2]))
            return real(path, *more)

        monkeypatch.setattr(storage, name, called)

    noting("writer")
    for _ in range(2):
        publish(place)
    assert seen == [("writer", f"/{name}") for name in FILES]
    seen.clear()
    noting("remove")
    ExportDir(place).prune("vae", keep=1, but=())
    assert seen == [("remove", "/saved_model.pb"), ("remove", "")]


def test_media_are_told_by_their_scheme() -> None:
    assert isinstance(medium_of("/E"), Disk)
    assert isinstance(medium_of("E"), Disk)
    for path in ("gs://b/E", "s3://b/E", "hdfs://h/E", "file:///E", "ram://E"):
        assert isinstance(medium_of(path), Store)


def test_what_killed_copies_left_is_removed(tmp_path: pathlib.Path) -> None:
    ram = f"ram://{tmp_path.name}-{os.getpid()}"
    disk = f"file://{tmp_path}"
    # Of a store without folders: a number without its graph.
    cut = {
        f"{ram}/vae/5/{FILES[0]}": True,
        f"{ram}/vae/6/notes.txt": False,  # somebody else's
        f"{disk}/vae/.staging-5/{FILES[-1]}": True,
        f"{disk}/vae/6/notes.txt": False,
    }
    for path in cut:
        storage.make_folder(os.path.dirname(path))
        with storage.writer(path) as file:
            file.write(b"left")
    for root in (ram, disk):
        publish(root)
        assert storage.names(f"{root}/vae") == ["6", "7"]
    assert [path for path in cut if storage.exists(path)] == [
        path for path, is_debris in cut.items() if not is_debris
    ]


def test_links_and_files_in_the_place_of_versions(
    tmp_path: pathlib.Path,
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    place = tmp_path / "E"
    (place / "vae").mkdir(parents=True)
    (place / "vae" / "1").symlink_to(outside)
    (place / "vae" / "2").write_text("a file")
    (place / "vae" / ".deleted-3").symlink_to(tmp_path / "nowhere")
    (place / "vae" / ".staging-4").symlink_to(outside)
    assert publish(str(place)) == 3
    ExportDir(str(place)).prune("vae", keep=1, but=())
    assert os.listdir(place / "vae") == ["3"]
    assert (outside / "precious").read_text() == "x"


class Steps:
    """Does something at one of the calls that change a file system."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.at = 0, 0
        self.act: Callable[[str], None] = full
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # for speed
        for owner, name in (
            (os, "rename"), (os, "mkdir"), (os, "replace"), (os, "fsync"),
            (storage, "writer"), (storage, "replace"), (storage, "make_folder"),
            (storage, "sync"),
        ):  # fmt: skip
            monkeypatch.setattr(owner, name, self._wrapped(owner, name))

    def _wrapped(self, owner: Any, name: str) -> Callable[..., Any]:
        real = getattr(owner, name)

        def called(path: Any, *more: Any, **named: Any) -> Any:
            self.count += 1
            if self.count == self.at:
                self.act(str(path))
            return real(path, *more, **named)

        return called

    def attempt(self, at: int, act: Callable[[str], None]) -> None:
        self.count, self.at, self.act = 0, at, act


def full(path: str) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def test_full_disk_at_any_step_leaves_nothing_and_the_next_export_works(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(place)
    steps, failed = Steps(monkeypatch), 0
    before = versions(place)
    for at in range(1, 200):
        steps.attempt(at, full)
        try:
            publish(place)
        except (InputError, WriteError):
            assert versions(place) == before
            failed += 1
        else:  # a step that a folder does without, as it is there already
            before = versions(place)
            assert before["vae"] == before["decoder"]
        if steps.count < at:
            break
    assert failed > 10
    assert at < 199


def test_full_disk_is_told_in_one_line(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(
            WriteError,
            match=r"E/vae/x cannot be written: No space left on device; what "
            r"was saved before is whole; make room",
        ),
        ExportDir(place).stage(PARTS),
    ):
        full(os.path.join(place, "vae", "x"))
    steps = Steps(monkeypatch)
    steps.attempt(1, full)
    with pytest.raises(InputError, match=r"written: No space .*; give another"):
        publish(place)


def test_signal_at_any_step_publishes_both_parts_or_none(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(place)
    steps, told = Steps(monkeypatch), [1]
    for at in range(1, 200):
        steps.attempt(at, lambda path: os.kill(os.getpid(), signal.SIGTERM))
        status = interruption.run(
            lambda: publish(place, tell=told.append) and 0, stopped=""
        )
        assert versions(place) == both(*sorted(map(str, told)))
        if status == 0:
            break
        assert status == 143
    assert 10 < at < 199
    assert len(told) > 2  # signals after the last chance to stop
    steps.attempt(0, full)
    publish(place, tell=told.append)
    assert versions(place) == both(*sorted(map(str, told)))
