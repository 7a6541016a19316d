"""Runs of python -m tfvae.train that are killed, and go on to the same end."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tests.runs import assert_same_run

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[1]
# 6 steps an epoch, run in executions of 4 and 2.
PLAIN = (
    "--epochs=60", "--hidden_units=16", "--latent_dim=2", "--batch_size=256",
    "--steps_per_execution=4",
)  # fmt: skip
MIRRORED = (*PLAIN, "--epochs=12", "--strategy=mirrored",
            "--num_virtual_devices=2", "--steps_per_execution=1")  # fmt: skip
ADVERSARY = (*PLAIN, "--epochs=12", "--objective=factor", "--prior=vamp",
             "--num_components=5", "--binarize=dynamic",
             "--kl_schedule=linear:3", "--steps_per_execution=1")  # fmt: skip
LONGEST_START_SECONDS = 120
POLL_SECONDS = 0.003

Started = Callable[..., subprocess.Popen]


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Started]:
    """Starts a training process; none outlives the test."""
    processes: list[subprocess.Popen] = []

    def start_process(*flags: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "tfvae.train", *flags],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start_process
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of a run with PLAIN that nothing has disturbed."""
    run_dir = tmp_path_factory.mktemp("runs") / "undisturbed"
    subprocess.run(
        [sys.executable, "-m", "tfvae.train", f"--run_dir={run_dir}", *PLAIN],
        cwd=run_dir.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return run_dir


def _train(start: Started, run_dir: pathlib.Path, *flags: str) -> str:
    process = start(f"--run_dir={run_dir}", *flags)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def _num_epochs(run_dir: pathlib.Path) -> int:
    path = run_dir / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def _assert_readable(run_dir: pathlib.Path) -> None:
    """Whatever is there is whole."""
    for path in run_dir.glob("*.json"):
        json.loads(path.read_text())
    metrics = run_dir / "metrics.jsonl"
    if metrics.exists():
        lines = metrics.read_text().splitlines()
        epochs = [json.loads(line)["epoch"] for line in lines]
        assert epochs == list(range(1, len(epochs) + 1))
    for path in run_dir.glob("weights/[!.]*.npz"):
        with np.load(path) as arrays:
            assert all(np.isfinite(arrays[name]).all() for name in arrays)


def _watch(
    process: subprocess.Popen,
    run_dir: pathlib.Path,
    until: Callable[[], bool],
) -> None:
    """Looks at the run's files, over and over, until something is so."""
    started = time.monotonic()
    while not until() and process.poll() is None:
        assert time.monotonic() - started < LONGEST_START_SECONDS
        _assert_readable(run_dir)
        time.sleep(POLL_SECONDS)


def _wait(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _kill(
    process: subprocess.Popen,
    run_dir: pathlib.Path,
    *,
    epochs: int,
    delay: float,
) -> bool:
    """Kills a run `delay` s after it has done `epochs` more; False: it ended.

    Files are looked at all the while, and once the process is dead.
    """
    goal = _num_epochs(run_dir) + epochs
    if epochs:
        _watch(process, run_dir, lambda: _num_epochs(run_dir) >= goal)
    _watch(process, run_dir, _wait(delay))
    was_running = process.poll() is None
    process.kill()
    process.wait()
    _assert_readable(run_dir)
    return was_running and process.returncode == -signal.SIGKILL


def _assert_same_end(one: pathlib.Path, other: pathlib.Path) -> None:
    assert_same_run(one, other)
    results = [
        json.loads((path / "result.json").read_text()) for path in (one, other)
    ]
    for result in results:
        del result["train_seconds"], result["images_per_second"]
    assert results[0] == results[1]


def test_killed_at_random_moments_ends_with_the_same_weights(
    start: Started, tmp_path: pathlib.Path, undisturbed: pathlib.Path
) -> None:
    disturbed = tmp_path / "disturbed"
    draw = random.Random(20240613)
    # Two while starting (config.json may be there, or not yet), the rest while
    # training, whose epochs are mostly writing: a share of one.
    plan = [(0, draw.uniform(0.5, 9.0)) for _ in range(2)]
    plan += [(draw.randint(1, 8), draw.uniform(0, 0.15)) for _ in range(4)]
    draw.shuffle(plan)
    stood_at = []
    for epochs, delay in plan:
        process = start(f"--run_dir={disturbed}", *PLAIN)
        assert _kill(process, disturbed, epochs=epochs, delay=delay)
        stood_at.append(_num_epochs(disturbed))
    assert stood_at == sorted(stood_at)  # never loses a finished epoch
    assert stood_at[-1] >= 4
    out = _train(start, disturbed)
    assert f"epoch {stood_at[-1] - 1}/" not in out  # at most one done again
    _assert_same_end(undisturbed, disturbed)


def test_killed_while_finishing_ends_with_the_same_result(
    start: Started, tmp_path: pathlib.Path
) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    flags = (*PLAIN, "--epochs=3")
    _train(start, undisturbed, *flags)
    process = start(f"--run_dir={disturbed}", *flags)
    assert _kill(process, disturbed, epochs=3, delay=0.3)
    assert not (disturbed / "result.json").exists()
    _train(start, disturbed)
    _assert_same_end(undisturbed, disturbed)


@pytest.mark.parametrize(
    "flags", [MIRRORED, ADVERSARY], ids=["mirrored", "adversary"]
)
def test_killed_then_interrupted_ends_with_the_same_weights(
    start: Started, tmp_path: pathlib.Path, flags: tuple[str, ...]
) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    _train(start, undisturbed, *flags)
    process = start(f"--run_dir={disturbed}", *flags)
    assert _kill(process, disturbed, epochs=2, delay=0.05)
    process = start(f"--run_dir={disturbed}", *flags)
    goal = _num_epochs(disturbed) + 2
    _watch(process, disturbed, lambda: _num_epochs(disturbed) >= goal)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert (process.returncode, err) == (143, "")
    assert "stopped by SIGTERM; all that was learned is saved." in out
    _train(start, disturbed, *flags)
    _assert_same_end(undisturbed, disturbed)


def test_ctrl_c_prints_the_command_that_goes_on(
    start: Started, tmp_path: pathlib.Path, undisturbed: pathlib.Path
) -> None:
    process = start(*PLAIN)  # a folder of its own choice
    runs = tmp_path / "runs"
    _watch(process, runs, lambda: any(map(_num_epochs, runs.glob("digits-*"))))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, err) == (130, "")
    program, module, flag = re.fullmatch(
        r"  python (-m) (tfvae\.train) (--run_dir=\S+)", out.splitlines()[-1]
    ).groups()
    assert (program, module) == ("-m", "tfvae.train")
    (run_dir,) = runs.iterdir()
    assert flag == f"--run_dir=runs/{run_dir.name}"
    finishing = start(flag)
    out, err = finishing.communicate()
    assert finishing.returncode == 0, err
    _assert_same_end(undisturbed, run_dir)
