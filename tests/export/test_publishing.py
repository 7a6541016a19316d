"""A version appears whole, under a number of its own, or not at all."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from export.publishing import ExportDir
from tfvae.errors import InputError

# Stages a version, says so, and waits to be killed.
HANGS = """
import sys, time
from export.publishing import ExportDir
with ExportDir(sys.argv[1]).stage(["decoder", "vae"]) as staging:
    print("staged", flush=True)
    time.sleep(60)
"""
# Publishes versions, each of three files that hold their version's key.
PUBLISHES = """
import os, sys, uuid
from export.publishing import ExportDir
for _ in range(int(sys.argv[2])):
    with ExportDir(sys.argv[1]).stage(["decoder", "vae"]) as staging:
        key = uuid.uuid4().hex
        for folder in staging.folders.values():
            os.mkdir(os.path.join(folder, "variables"))
            for name in ("saved_model.pb", "variables/a", "variables/b"):
                with open(os.path.join(folder, name), "w") as file:
                    file.write(key)
                    file.flush()
        staging.publish()
"""
FILES = {"saved_model.pb", "variables/a", "variables/b"}


def publish(path: pathlib.Path, version: int = 0, parts: str = "vae") -> int:
    with ExportDir(str(path)).stage(parts.split(",")) as staging:
        for part, folder in staging.folders.items():
            (pathlib.Path(folder) / "saved_model.pb").write_text(part)
        return staging.publish(version)


def entries(path: pathlib.Path, part: str = "vae") -> set[str]:
    return set(os.listdir(path / part))


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=pathlib.Path(__file__).parents[2],
    )


def test_numbers_count_up_from_1_and_both_parts_have_the_same(
    tmp_path: pathlib.Path,
) -> None:
    assert [publish(tmp_path, parts="decoder,vae") for _ in range(3)] == [
        1,
        2,
        3,
    ]
    assert entries(tmp_path) == entries(tmp_path, "decoder") == {"1", "2", "3"}
    assert (
        tmp_path / "decoder" / "2" / "saved_model.pb"
    ).read_text() == "decoder"


def test_a_number_is_not_used_again_after_its_version_is_gone(
    tmp_path: pathlib.Path,
) -> None:
    publish(tmp_path)
    publish(tmp_path, version=8)
    for name in ("1", "8"):
        (tmp_path / "vae" / name / "saved_model.pb").unlink()
        (tmp_path / "vae" / name).rmdir()
    assert publish(tmp_path) == 9


@pytest.mark.parametrize("name", ["41", "00041", "+41", " 41", "41 "])
def test_names_that_a_server_takes_for_numbers_are_numbers(
    tmp_path: pathlib.Path, name: str
) -> None:
    (tmp_path / "decoder" / name).mkdir(parents=True)
    assert publish(tmp_path, parts="decoder,vae") == 42


@pytest.mark.parametrize(
    "name", ["v41", "41.tmp", ".41", "0x41", "1e1", "1.5", str(2**63)]
)
def test_other_names_are_none(tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / "vae" / name).mkdir(parents=True)
    assert publish(tmp_path) == 1


def test_negative_and_zero_versions_do_not_count(
    tmp_path: pathlib.Path,
) -> None:
    for name in ("-9", "0"):
        (tmp_path / "vae" / name).mkdir(parents=True)
    assert publish(tmp_path) == 1


@pytest.mark.parametrize("version", [1, 5])
def test_a_used_number_is_refused(tmp_path: pathlib.Path, version: int) -> None:
    publish(tmp_path, version=5)
    with pytest.raises(InputError, match=r"`version` must be above 5, .* got"):
        publish(tmp_path, version=version)
    assert entries(tmp_path) == {"5"}


def test_what_fails_leaves_nothing(tmp_path: pathlib.Path) -> None:
    with ExportDir(str(tmp_path)).stage(["vae"]) as staging:
        (pathlib.Path(staging.folders["vae"]) / "x").write_text("x")
        assert len(entries(tmp_path)) == 1
    assert entries(tmp_path) == set()


def test_a_killed_export_blocks_nobody_and_is_cleaned_up(
    tmp_path: pathlib.Path,
) -> None:
    with start(HANGS, str(tmp_path)) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "staged\n"
        # Alive: another export leaves its folder alone.
        assert publish(tmp_path) == 1
        (staged,) = entries(tmp_path) - {"1"}
        assert staged.startswith(".staging-")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert publish(tmp_path, parts="decoder,vae") == 2
    assert entries(tmp_path) == {"1", "2"}
    assert entries(tmp_path, "decoder") == {"2"}


def test_a_folder_that_cannot_be_written_is_refused(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"`export_dir` .*file cannot be writ"):
        publish(tmp_path / "file")


def test_old_versions_go_but_for_those_that_are_kept(
    tmp_path: pathlib.Path,
) -> None:
    for _ in range(6):
        publish(tmp_path)
    export_dir = ExportDir(str(tmp_path))
    assert export_dir.prune("vae", keep=2, but={3, 6}) == [1, 2, 4]
    assert export_dir.versions("vae") == [3, 5, 6]
    assert entries(tmp_path) == {"3", "5", "6"}
    assert export_dir.prune("vae", keep=4, but=()) == []


def test_the_highest_number_is_written_down_first(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path)
    monkeypatch.undo()
    noted = json.loads((tmp_path / ".tfvae-versions.json").read_text())
    assert noted == {"highest": 1}
    assert publish(tmp_path) == 2


class Poller(threading.Thread):
    """Looks at a folder as a server does: every number must be whole."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__(daemon=True)
        self.path, self.stop = path, threading.Event()
        self.seen: dict[str, str] = {}
        self.faults: list[str] = []
        self.num_polls = 0

    def run(self) -> None:
        while not self.stop.is_set():
            for part in ("decoder", "vae"):
                self._poll(self.path / part)
            self.num_polls += 1

    def _poll(self, folder: pathlib.Path) -> None:
        names = os.listdir(folder) if folder.exists() else []
        for name in names:
            version = folder / name
            key = f"{folder.name}/{name}"
            if not name.strip().isdigit() or key in self.seen:
                continue
            found = {
                str(path.relative_to(version)): path.read_text()
                for path in version.rglob("*")
                if path.is_file()
            }
            if set(found) != FILES or len(set(found.values())) != 1:
                self.faults.append(f"{key}: {found}")
            self.seen[key] = found.get("saved_model.pb", "")


@pytest.mark.slow
def test_no_poll_ever_sees_half_a_version(tmp_path: pathlib.Path) -> None:
    """Of more than 200 exports 50 are killed at random moments."""
    poller = Poller(tmp_path)
    poller.start()
    rng, killed = random.Random(0), 0
    for _ in range(50):
        with (
            start(PUBLISHES, str(tmp_path), "1000") as doomed,
            start(PUBLISHES, str(tmp_path), "3") as other,
        ):
            time.sleep(rng.uniform(0.1, 0.35))
            doomed.send_signal(signal.SIGKILL)
            doomed.wait()
            killed += doomed.returncode == -signal.SIGKILL
            assert other.wait(timeout=60) == 0
    poller.stop.set()
    poller.join()
    publish(tmp_path, parts="decoder,vae")  # and cleans up
    assert killed == 50
    assert poller.faults == []
    numbers = ExportDir(str(tmp_path)).versions("decoder")
    assert len(numbers) >= 200
    for part in ("decoder", "vae"):
        assert all(name.isdigit() for name in entries(tmp_path, part))
    assert poller.num_polls > 200
