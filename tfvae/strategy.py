"""From a name to a tf.distribute strategy."""

import contextlib
import ctypes
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator

import tensorflow as tf

from tfvae.cluster import Cluster
from tfvae.errors import InputError, LostWorkerError

SIGEV_THREAD, CLOCK_MONOTONIC = 2, 1  # of Linux's <signal.h> and <time.h>


class _Event(ctypes.Structure):
    """struct sigevent of <signal.h>."""

    _fields_ = (
        ("value", ctypes.c_long),
        ("number", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("rest", ctypes.c_char * 40),
    )


# What a collective operation ends in when a worker is gone.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
)


def split_cpu(num_devices: int) -> None:
    """Splits the CPU into logical devices, before TensorFlow first uses it.

    Raises:
      InputError: TensorFlow has used the CPU already.
    """
    cpu = tf.config.list_physical_devices("CPU")[0]
    device = tf.config.LogicalDeviceConfiguration()
    try:
        tf.config.set_logical_device_configuration(cpu, [device] * num_devices)
    except RuntimeError as error:
        raise InputError(
            f"`num_virtual_devices`={num_devices} comes too late: TensorFlow "
            "has used the CPU already; set it first."
        ) from error


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy of that name; see `STRATEGIES`.

    Raises:
      KeyError: no strategy has that name.
    """
    return STRATEGIES[name]()


def multi_worker(cluster: Cluster, *, timeout: int) -> tf.distribute.Strategy:
    """Returns the strategy of a job, before TensorFlow first runs anything.

    Args:
      cluster: the job, of several workers that all call this now.
      timeout: seconds to wait for them; then the process ends.

    Raises:
      InputError: the worker's own port is taken.
      LostWorkerError: another worker has gone meanwhile.
    """
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
    )
    try:
        with noticing_lost_workers(), _ending_after(timeout):
            made = tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except tf.errors.UnknownError as error:
        raise InputError(
            f"{cluster.addresses[cluster.index]} cannot be listened at: "
            f"{error.message}; choose another port."
        ) from error
    # TensorFlow takes SIGTERM for itself, and does nothing about it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return made


@contextlib.contextmanager
def noticing_lost_workers() -> Iterator[None]:
    """Turns what TensorFlow says of a worker that is gone into one line.

    A worker that ends is noticed at once; one that hangs, or that the network
    cuts off, after ten seconds.

    Raises:
      LostWorkerError: another worker no longer answers.
    """
    try:
        yield
    except LOST as error:
        found = re.search(r"/job:worker/(?:replica:0/)?task:(\d+)", str(error))
        who = f"worker {found[1]}" if found else "another worker"
        raise LostWorkerError(
            f"{who} no longer answers; what was saved is whole. Start all "
            "workers again, to go on from there."
        ) from error


@contextlib.contextmanager
def _ending_after(seconds: int) -> Iterator[None]:
    """Ends the process, with the status of a lost worker, if that long in here.

    TensorFlow waits with Python's lock held: no handler and no thread of Python
    runs. And signals that end others do nothing to a container's first process.
    So it is a thread of the C library that calls its _exit.
    """
    if sys.platform != "linux":
        signal.alarm(seconds)
        try:
            yield
        finally:
            signal.alarm(0)
        return
    libc = ctypes.CDLL("librt.so.1", use_errno=True)
    exit_call = ctypes.cast(libc._exit, ctypes.c_void_p)
    event = _Event(os.EX_TEMPFAIL, 0, SIGEV_THREAD, exit_call)
    timer = ctypes.c_void_p()
    at = (ctypes.c_long * 4)(0, 0, seconds, 0)  # not again, and when
    libc.timer_create(CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer))
    libc.timer_settime(timer, 0, at, None)
    try:
        yield
    finally:
        libc.timer_delete(timer)


def _one_device() -> tf.distribute.Strategy:
    return tf.distribute.get_strategy()


def _mirrored() -> tf.distribute.Strategy:
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    devices = tf.config.list_logical_devices(kind)
    if len(devices) == 1:  # nothing to mirror, and XLA cannot cross a replica
        return _one_device()
    return tf.distribute.MirroredStrategy([device.name for device in devices])


STRATEGIES: dict[str, Callable[[], tf.distribute.Strategy]] = {
    "one_device": _one_device,
    "mirrored": _mirrored,
}
