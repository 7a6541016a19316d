"""The worker processes of a job on this machine: started, watched, ended."""

import contextlib
import ctypes
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

from tfvae import cluster, program

PAUSE = 0.05  # seconds between two looks at the processes
# How long the others may take to tell of an error of their own after one ended:
# a worker that fails takes down all, and its own words are the ones to show.
LAST_WORDS = 3.0
ERROR_LINES = 20
SIGNALS = (signal.SIGINT, signal.SIGTERM)
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl


@dataclasses.dataclass(frozen=True)
class End:
    """How a job ended.

    Attributes:
      status: to exit with.
      text: what happened, where something did.
      is_worth_restarting: whether a worker was killed or lost, and none failed
        by itself.
    """

    status: int
    text: str = ""
    is_worth_restarting: bool = False


class Job:
    """The processes of a job; in its context, which ends them all.

    Args:
      command: of every worker.
      num_workers: how many to start.
      grace_seconds: that a worker which was told to stop may take.
    """

    def __init__(
        self, command: Sequence[str], num_workers: int, grace_seconds: float
    ) -> None:
        self._command = list(command)
        self._num_workers = num_workers
        self._grace_seconds = grace_seconds
        self._told = 0  # the signal that this process was sent
        self._kill_at = float("inf")
        self._workers: list[subprocess.Popen] = []
        self._errors: list[IO[bytes]] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Job":
        for number in SIGNALS:
            before = signal.signal(number, self._pass_on)
            self._stack.callback(signal.signal, number, before)
        self._stack.callback(self._end_all)
        addresses = tuple(
            f"127.0.0.1:{port}" for port in _free_ports(self._num_workers)
        )
        for index in range(self._num_workers):
            self._start(addresses, index)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def wait(self) -> End:
        """Returns once all have ended, or one has and the others were ended."""
        while self._running() and not self._broken():
            time.sleep(PAUSE)
            if time.monotonic() > self._kill_at:
                return End(128 + self._told, "some had to be killed")
        give_up = time.monotonic() + LAST_WORDS
        while self._running() and time.monotonic() < give_up:
            time.sleep(PAUSE)
        statuses = [worker.poll() for worker in self._workers]
        if self._told:
            return End(STATUS_OF_SIGNAL[self._told])
        return self._judge(statuses)

    def _start(self, addresses: tuple[str, ...], index: int) -> None:
        errors = self._stack.enter_context(tempfile.TemporaryFile())
        self._errors.append(errors)
        is_chief = index == 0
        self._workers.append(
            subprocess.Popen(
                self._command,
                env=os.environ
                | {"TF_CONFIG": cluster.tf_config(addresses, index)}
                | _own_gpus(index, len(addresses)),
                stdin=subprocess.DEVNULL,
                stdout=None if is_chief else subprocess.DEVNULL,
                stderr=None if is_chief else errors,
                start_new_session=True,  # Ctrl-C comes to this process alone
                preexec_fn=_prepare(index, len(addresses)),
            )
        )

    def _running(self) -> bool:
        return any(worker.poll() is None for worker in self._workers)

    def _broken(self) -> bool:
        return not self._told and any(w.poll() for w in self._workers)

    def _judge(self, statuses: list[int | None]) -> End:
        """Returns what the ends of the workers, None if it has not, amount to."""
        failed = [
            (index, status)
            for index, status in enumerate(statuses)
            if status is not None and 0 < status and status not in PASSING
        ]
        if failed:
            index, status = failed[0]
            self._show_errors(index)
            return End(status)
        ended = {i: status for i, status in enumerate(statuses) if status}
        if not ended:
            return End(program.DONE)
        # One that was killed is the reason; those that lost it are not.
        index = min(ended, key=lambda i: ended[i])
        text = f"worker {index} {_how_ended(ended[index])}"
        return End(program.LOST_WORKER, text, is_worth_restarting=True)

    def _show_errors(self, index: int) -> None:
        if index == 0:
            return  # the chief's are on the terminal
        self._errors[index].seek(0)
        lines = self._errors[index].read().decode(errors="replace").splitlines()
        for line in lines[-ERROR_LINES:]:
            print(f"worker {index}: {line}", file=sys.stderr)

    def _pass_on(self, number: int, frame: Any) -> None:
        """Hands a signal to all workers; a second one is not waited for."""
        if self._told:
            self._kill_at = 0.0
        self._told = number
        self._kill_at = min(
            self._kill_at, time.monotonic() + self._grace_seconds
        )
        for worker in self._workers:
            worker.send_signal(number)

    def _end_all(self) -> None:
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.wait()


PASSING = (program.LOST_WORKER, program.INTERRUPTED, program.TERMINATED)
STATUS_OF_SIGNAL = {
    signal.SIGINT: program.INTERRUPTED,
    signal.SIGTERM: program.TERMINATED,
}


def _how_ended(status: int) -> str:
    if status < 0:
        return f"was killed ({signal.Signals(-status).name})"
    if status == program.LOST_WORKER:
        return "lost another one"
    return "was told to stop, and saved"


def _free_ports(num: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            for _ in range(num)
        ]
        return [server.getsockname()[1] for server in servers]


def _prepare(index: int, num: int) -> Callable[[], None] | None:
    """Returns what a worker's process does first, where the system can.

    It ends when this process does, however that ends, and keeps to its share
    of the cores: threads of several workers on one core slow each other down.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    cores = sorted(os.sched_getaffinity(0))
    own = cores[index::num] if len(cores) >= num else cores
    parent = os.getpid()

    def prepare() -> None:
        libc.prctl(DIE_WITH_PARENT, signal.SIGKILL)
        os.sched_setaffinity(0, own)
        if os.getppid() != parent:  # it ended before
            os._exit(program.LOST_WORKER)

    return prepare


def _own_gpus(index: int, num: int) -> dict[str, str]:
    """Returns the variable that gives a worker its share of the GPUs."""
    folder = "/proc/driver/nvidia/gpus"
    found = len(os.listdir(folder)) if os.path.isdir(folder) else 0
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = given.split(",") if given else [str(i) for i in range(found)]
    if not found or len(gpus) < num:
        return {}
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpus[index::num])}
