"""From a name to a strategy; splitting the CPU."""

import contextlib
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

from tfvae import program, strategy
from tfvae.cluster import Cluster
from tfvae.errors import InputError, LostWorkerError
from tfvae.flags import LAUNCH_FIELDS
from tfvae.settings import rule_of


def test_flag_offers_the_strategies_that_there_are() -> None:
    words = rule_of(LAUNCH_FIELDS["strategy"]).words
    assert set(words) == {*strategy.STRATEGIES, "multi_worker"}


def test_one_device_is_one_replica() -> None:
    made = strategy.make_strategy("one_device")
    assert made.num_replicas_in_sync == 1
    assert made is tf.distribute.get_strategy()


def test_mirrored_takes_every_logical_cpu_where_there_is_no_gpu() -> None:
    if tf.config.list_logical_devices("GPU"):
        pytest.skip("there is a GPU")
    made = strategy.make_strategy("mirrored")
    assert isinstance(made, tf.distribute.MirroredStrategy)
    assert made.num_replicas_in_sync == 4  # as conftest.py split it
    devices = {name[-5:] for name in made.extended.worker_devices}
    assert devices == {"CPU:0", "CPU:1", "CPU:2", "CPU:3"}


def test_mirrored_takes_the_gpus_where_there_are_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def logical_devices(kind: str) -> list[tf.config.LogicalDevice]:
        number = {"GPU": 3, "CPU": 5}[kind]
        return [
            tf.config.LogicalDevice(f"/device:{kind}:{n}", kind)
            for n in range(number)
        ]

    monkeypatch.setattr(tf.config, "list_logical_devices", logical_devices)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", asked.append)
    strategy.make_strategy("mirrored")
    assert asked == [["/device:GPU:0", "/device:GPU:1", "/device:GPU:2"]]


def test_mirrored_over_one_device_is_no_strategy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # XLA cannot compile a step across a replica, be it the only one.
    one = [tf.config.LogicalDevice("/device:CPU:0", "CPU")]
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: one * (kind == "CPU")
    )
    made = strategy.make_strategy("mirrored")
    assert made is tf.distribute.get_strategy()


def test_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError, match="horovod"):
        strategy.make_strategy("horovod")


def test_split_cpu_that_comes_too_late_is_refused() -> None:
    tf.config.list_logical_devices()
    with pytest.raises(
        InputError,
        match=r"`num_virtual_devices`=3 comes too late: TensorFlow has used "
        r"the CPU already; set it first\.",
    ):
        strategy.split_cpu(3)


LONE = """
import ctypes, os, time
from tfvae import strategy
with strategy._ending_after(1):
    pass
time.sleep(1.2)
print("goes on as process", os.getpid(), flush=True)
with strategy._ending_after(1):
    ctypes.PyDLL(None).sleep(60)  # with Python's lock held
print("should have ended")
"""
OWN_PIDS = ["unshare", "-r", "-p", "-f", "--mount-proc"]


def _can_unshare() -> bool:
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(
            [*OWN_PIDS, "true"], capture_output=True
        ).returncode == 0  # fmt: skip
    return False


@pytest.mark.slow
@pytest.mark.skipif(not _can_unshare(), reason="needs unshare")
def test_wait_for_workers_ends_though_the_lock_is_held() -> None:
    # And though this is process 1, as in a container.
    result = subprocess.run(
        [*OWN_PIDS, sys.executable, "-c", LONE],
        cwd=pathlib.Path(__file__).parents[1],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.stdout == "goes on as process 1\n"
    assert result.returncode == program.LOST_WORKER


@pytest.mark.parametrize(
    ("kind", "text", "who"),
    [
        (tf.errors.UnavailableError, "/job:worker/replica:0/task:3 is", "3"),
        (tf.errors.DeadlineExceededError, "at /job:worker/task:12: no", "12"),
        (tf.errors.AbortedError, "Connection reset by peer", ""),
        (tf.errors.CancelledError, "Cancelled", ""),
    ],
)
def test_lost_worker_is_one_line(
    kind: type[tf.errors.OpError], text: str, who: str
) -> None:
    name = f"worker {who}" if who else "another worker"
    with (
        pytest.raises(
            LostWorkerError,
            match=rf"^{name} no longer answers; what was saved is whole\. "
            r"Start all workers again, to go on from there\.$",
        ),
        strategy.noticing_lost_workers(),
    ):
        raise kind(None, None, text)


def test_other_errors_are_left_as_they_are() -> None:
    error = tf.errors.InvalidArgumentError(None, None, "a shape")
    with (
        pytest.raises(tf.errors.InvalidArgumentError, match="a shape"),
        strategy.noticing_lost_workers(),
    ):
        raise error


def _multi_worker(
    error: tf.errors.OpError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(resolver: object) -> None:
        raise error

    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", fail)
    strategy.multi_worker(Cluster(("a:1", "b:2"), 1), timeout=100)


def test_port_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    error = tf.errors.UnknownError(None, None, "Could not start gRPC server")
    with pytest.raises(
        InputError,
        match=r"^b:2 cannot be listened at: Could not start gRPC server; "
        r"choose another port\.$",
    ):
        _multi_worker(error, monkeypatch)


def test_worker_that_goes_as_all_start(monkeypatch: pytest.MonkeyPatch) -> None:
    error = tf.errors.UnavailableError(None, None, "/job:worker/task:0")
    with pytest.raises(LostWorkerError, match=r"^worker 0 no longer answers"):
        _multi_worker(error, monkeypatch)
