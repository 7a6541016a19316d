"""A chief and workers as processes, killed by SIGKILL."""

import collections
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import toy_chief
import toy_search

from tuning import workers

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> str:
    """HOST:PORT that is free; the environment names it."""
    return toy_chief.take_address(monkeypatch)


def _process(
    directory: pathlib.Path, address: str, role: str, name: str, seconds: float
) -> subprocess.Popen:
    arguments = [role, address, name, str(directory), str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for variable in (workers.TUNER_ID, workers.ORACLE_IP, workers.ORACLE_PORT):
        environment.pop(variable, None)
    return subprocess.Popen(
        [sys.executable, toy_search.__file__, *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def _begin(name: str, directory: pathlib.Path) -> None:
    """Lets a worker begin, and waits until it is busy with a trial."""
    (directory / name).touch()
    path, deadline = directory / "begun.jsonl", time.monotonic() + 60
    while not path.exists() or f'"{name}"' not in path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_worker_killed_in_mid_trial_loses_only_that_trial(
    tmp_path: pathlib.Path, address: str
) -> None:
    served = toy_chief.Chief(tmp_path).start()
    victim = _process(tmp_path, address, "worker", "victim", 600)
    worker = _process(tmp_path, address, "worker", "good", 0)
    _begin("victim", tmp_path)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    _begin("good", tmp_path)
    said, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0, said
    served.join()
    toy_chief.check(served.oracle, tmp_path)
    times = collections.Counter(i for i, *_ in toy_search.begun(tmp_path))
    assert sorted(times.values()) == [1, 1, 1, 1, 1, 2]
    assert served.watch.present() == set()


@pytest.mark.slow
def test_chief_and_a_worker_killed(
    tmp_path: pathlib.Path, address: str
) -> None:
    first = _process(tmp_path, address, "chief", "", 0)
    started = {
        name: _process(tmp_path, address, "worker", name, seconds)
        for name, seconds in {"victim": 600, "good": 1}.items()
    }
    for name in started:
        _begin(name, tmp_path)
    for process in (first, started["victim"]):
        process.send_signal(signal.SIGKILL)
        process.communicate()
    second = _process(tmp_path, address, "chief", "", 0)
    for process in (second, started["good"]):
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
    toy_chief.check(toy_chief.Chief(tmp_path).oracle, tmp_path)
    times = collections.Counter(i for i, *_ in toy_search.begun(tmp_path))
    assert sorted(times.values()) == [1, 1, 1, 1, 1, 2]
