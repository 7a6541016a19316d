"""Training on several processes: the same as on one, and what ends it."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import worker_runs
from tfvae import cluster, job, program, rendezvous, train
from tfvae.errors import InputError
from tfvae.job import End, Job

ROOT = pathlib.Path(__file__).parents[1]
SMALL = {"epochs": 1, "latent_dim": 2, "hidden_units": [6]}
DIGITS = SMALL | {"dataset": "digits", "batch_size": 239}  # 6 of them, and 5
DIP = DIGITS | {"objective": "dip", "batch_size": 719}  # 2 of them, and 1
IMAGES = SMALL | {"batch_size": 9, "max_resident_mb": 0}  # 3 of them, and 5
# Of the last batch of 5, 4 workers get 2, 2, 1 and 0; of that of 1, 2 get 1, 0.
RUNS: dict[int, dict[str, dict[str, Any]]] = {
    2: {"label": DIGITS | {"condition": "label"}, "dip": DIP},
    4: {"images": IMAGES},
}


def write_images(folder: pathlib.Path) -> None:
    """Writes 40 random PNGs in two sub-folders."""
    rng = np.random.default_rng(0)
    for index in range(40):
        image = rng.integers(256, size=[9, 7, 3], dtype=np.uint8)
        path = folder / "ab"[index % 2] / f"{index}.png"
        tf.io.write_file(str(path), tf.io.encode_png(image))


def work(folder: pathlib.Path, num_workers: int) -> End:
    """Trains the folder's runs with several processes."""
    command = [sys.executable, "-m", "tests.worker_runs", str(folder)]
    with Job(command, num_workers, 30) as started:
        return started.wait()


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [2, 4])
def test_several_processes_learn_what_one_does(
    num_workers: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    runs = {name: dict(one) for name, one in RUNS[num_workers].items()}
    if "images" in runs:
        write_images(tmp_path / "png")
        runs["images"]["dataset"] = f"images:{tmp_path / 'png'}"
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    assert work(tmp_path, num_workers) == End(program.DONE)
    for name, settings in runs.items():
        alone = worker_runs.fit(
            settings, tmp_path / f"{name}-alone", tf.distribute.get_strategy()
        )
        ended = [
            dict(np.load(tmp_path / f"{name}-{index}.npz"))
            for index in range(num_workers)
        ]
        for other in ended[1:]:
            assert ended[0].keys() == other.keys()
            for key, value in ended[0].items():
                assert value.tobytes() == other[key].tobytes(), (name, key)
        for key, value in alone.items():
            difference = np.abs(ended[0][key] - value).max()
            assert difference <= 1e-5 * np.abs(value).max(), (name, key)
        # The chief alone has written.
        assert (tmp_path / name / "weights" / "last.npz").is_file()


def start(
    index: int, addresses: Sequence[str], *arguments: str
) -> subprocess.Popen:
    """Returns a process of train that is worker `index` of a job."""
    return subprocess.Popen(
        [sys.executable, "-m", "tfvae.train", "--strategy=multi_worker",
         "--worker_timeout=120", *arguments],
        cwd=ROOT,
        env=os.environ
        | {"TF_CONFIG": cluster.tf_config(tuple(addresses), index)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def two_addresses() -> list[str]:
    return [f"127.0.0.1:{port}" for port in job._free_ports(2)]


@pytest.mark.slow
def test_worker_that_hangs_is_noticed(tmp_path: pathlib.Path) -> None:
    flags = ["--epochs=100000", "--hidden_units=4", f"--run_dir={tmp_path}/r"]
    addresses = two_addresses()
    chief, other = (start(index, addresses, *flags) for index in range(2))
    try:
        assert chief.stdout is not None
        for line in chief.stdout:
            if line.startswith("epoch 2/"):
                break
        other.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        _, errors = chief.communicate(timeout=60)
        assert time.monotonic() - began < 20
        assert chief.returncode == program.LOST_WORKER
        assert errors == (
            "train.py: worker 1 no longer answers; what was saved is whole. "
            "Start all workers again, to go on from there.\n"
        )
    finally:
        chief.kill()
        other.kill()
        other.communicate()


@pytest.mark.slow
def test_data_that_are_wrong_on_one_worker_alone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A relative path: each worker has a folder, and one no data in it.
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", x=rng.random([30, 5]))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    script = (
        "import os, runpy\n"
        "index = os.environ['TF_CONFIG'].endswith('\"index\": 1}}')\n"
        "os.makedirs('1', exist_ok=True)\n"
        "os.chdir(['.', '1'][index])\n"
        "runpy.run_module('tfvae.train', run_name='__main__', alter_sys=True)"
    )
    flags = ["--dataset=npz:x.npz", "--strategy=multi_worker", "--epochs=5"]
    command = [sys.executable, "-c", script, *flags, f"--run_dir={tmp_path}/r"]
    monkeypatch.chdir(tmp_path)
    with Job(command, 2, 30) as started:
        end = started.wait()
    assert end == End(program.WRONG_INPUT)


@pytest.mark.parametrize("index", [0, 1])
def test_flags_that_differ_end_both(
    index: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = tuple(two_addresses())
    monkeypatch.setenv("TF_CONFIG", cluster.tf_config(addresses, index))
    line = (
        r"^all workers must be given the same flags, of one version of tfvae: "
        rf"seed is {1 + index} on worker 1, {2 - index} on the chief\.$"
    )
    flags = [
        "--strategy=multi_worker",
        f"--run_dir={tmp_path}/r",
        "--seed=2",
        "--worker_timeout=30",
    ]
    with futures.ThreadPoolExecutor() as pool:
        other = pool.submit(
            rendezvous.meet,
            cluster.Cluster(addresses, 1 - index),
            given={"seed": 1},
            settings={},
            timeout=30,
        )
        with pytest.raises(InputError, match=line):
            train.main(["train", *flags])
        with pytest.raises(InputError, match=line):
            other.result(30)
    assert not (tmp_path / "r").exists()
