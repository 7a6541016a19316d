"""Searches that are killed, and searches of many processes, as users run them.

Trials are real ones, so that a kill falls into training as well as between.
"""

import csv
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[2]
NUM_TRIALS = 6
FLAGS = (
    "--hidden_units=16", "--batch_size=600", "--epochs=40", "--nll_samples=3",
    "--latent_dim=3", "--seed=4", f"--max_trials={NUM_TRIALS}",
)  # fmt: skip
LONGEST_SECONDS = 240

Start = Callable[..., subprocess.Popen]
pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    """Starts a search of one process; none outlives the test."""
    processes: list[subprocess.Popen] = []

    def start_process(*flags: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "tuning.search", "--directory=D", *flags],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        return process

    yield start_process
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _wait_for(found: Callable[[], bool], process: subprocess.Popen) -> None:
    started = time.monotonic()
    while not found():
        assert process.poll() is None, process.stdout.read()  # type: ignore[union-attr]
        assert time.monotonic() - started < LONGEST_SECONDS
        time.sleep(0.01)


def _rows(directory: pathlib.Path) -> list[dict[str, str]]:
    if not (directory / "trials.csv").exists():
        return []
    with open(directory / "trials.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _num_ended(directory: pathlib.Path) -> int:
    return sum(row["status"] == "COMPLETED" for row in _rows(directory))


def _in_training(directory: pathlib.Path) -> set[str]:
    """Returns the trials of which an epoch is done and no figure known."""
    return {
        path.parts[-3].removeprefix("trial_")
        for path in directory.glob("search/trial_*/run/metrics.jsonl")
        if not (path.parents[1] / "figures.json").exists()
    }


def _at(directory: pathlib.Path, worker: str) -> str:
    """Returns the trial that a worker is at; "": none."""
    path = directory / "search" / "oracle.json"
    if not path.exists():
        return ""
    return json.loads(path.read_text())["ongoing_trials"].get(worker, "")


def _assert_whole(directory: pathlib.Path) -> None:
    rows = _rows(directory)
    assert [row["status"] for row in rows] == ["COMPLETED"] * NUM_TRIALS
    assert len({row["C"] for row in rows}) == NUM_TRIALS
    assert len({row["trial"] for row in rows}) == NUM_TRIALS
    assert (directory / "report.html").exists()
    best = min(rows, key=lambda row: float(row["objective"]))
    config = json.loads((directory / "best" / "config.json").read_text())
    assert config["C"] == float(best["C"])


def test_a_search_survives_three_kills_at_random_moments(
    start: Start, tmp_path: pathlib.Path
) -> None:
    directory = tmp_path / "D"
    moments = random.Random(5)
    ended: list[int] = []
    before: dict[str, float] = {}
    for _ in range(3):
        process = start(*FLAGS)
        goal = _num_ended(directory) + 1
        _wait_for(lambda goal=goal: _num_ended(directory) >= goal, process)
        time.sleep(moments.uniform(0, 1.5))
        process.kill()
        process.wait()
        ended.append(_num_ended(directory))
        for path in directory.glob("search/trial_*/figures.json"):
            changed = path.stat().st_mtime
            # A trial that was measured is never measured again.
            assert before.setdefault(path.parts[-2], changed) == changed
    assert ended == sorted(ended)
    process = start(*FLAGS)
    out, _ = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 0, out
    _assert_whole(directory)


def test_a_worker_that_is_killed_loses_its_trial_alone(
    start: Start, tmp_path: pathlib.Path
) -> None:
    directory = tmp_path / "D"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"--chief=127.0.0.1:{free.getsockname()[1]}"
    common = (address, "--worker_timeout=5", *FLAGS)
    chief = start("--role=chief", *common)
    victim, second = (
        start("--role=worker", f"--worker_id={name}", *common)
        for name in ("victim", "second")
    )
    _wait_for(
        lambda: _at(directory, "victim") in _in_training(directory), victim
    )
    lost = _at(directory, "victim")
    victim.send_signal(signal.SIGKILL)
    out, _ = chief.communicate(timeout=LONGEST_SECONDS)
    assert chief.returncode == 0, out
    assert "victim" in out
    assert second.wait(timeout=60) == 0
    _assert_whole(directory)
    (row,) = [row for row in _rows(directory) if row["trial"] == lost]
    assert row["status"] == "COMPLETED"
