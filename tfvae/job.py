"""The worker processes of a job on this machine: started, watched, ended."""

import contextlib
import ctypes
import dataclasses
import glob
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

from tfvae import cluster, program
from tfvae.errors import InputError

PAUSE = 0.05  # seconds between two looks at the processes
# How long the others may take to tell of an error of their own after one ended:
# a worker that fails takes down all, and its own words are the ones to show.
LAST_WORDS = 3.0
ERROR_LINES = 20
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Ends of a worker that went on as long as it could.
PASSING = (program.LOST_WORKER, program.INTERRUPTED, program.TERMINATED)
# Below those that systems give to connections that go out.
PORTS = range(10240, 32768)
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
        self._received: list[int] = []  # signals, in their order
        self._give_up_at = float("inf")
        self._workers: list[subprocess.Popen] = []
        self._errors: list[IO[bytes]] = []
        self._ends: dict[int, int] = {}  # statuses, in the order of the ends
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Job":
        ports = _free_ports(self._num_workers)
        addresses = tuple(f"127.0.0.1:{port}" for port in ports)
        with contextlib.ExitStack() as stack:
            for number in SIGNALS:
                before = signal.signal(number, self._receive)
                stack.callback(signal.signal, number, before)
            stack.callback(self._end_all)
            for index in range(self._num_workers):
                errors = stack.enter_context(tempfile.TemporaryFile())
                self._errors.append(errors)
                self._workers.append(self._start(addresses, index))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def wait(self) -> End:
        """Returns once all have ended, or are not to be waited for."""
        is_told = False
        while len(self._ends) < self._num_workers:
            time.sleep(PAUSE)
            self._look()
            now = time.monotonic()
            if self._received and not is_told:
                is_told = True
                self._give_up_at = now + self._grace_seconds
                for worker in self._workers:
                    worker.send_signal(self._received[0])
            elif not is_told and any(self._ends.values()):
                self._give_up_at = min(self._give_up_at, now + LAST_WORDS)
            if now > self._give_up_at or len(self._received) > 1:
                break
        return self._judge()

    def _start(
        self, addresses: tuple[str, ...], index: int
    ) -> subprocess.Popen[bytes]:
        is_chief = index == 0
        return subprocess.Popen(
            self._command,
            env=os.environ
            | {"TF_CONFIG": cluster.tf_config(addresses, index)}
            | _own_gpus(index, len(addresses)),
            stdin=subprocess.DEVNULL,
            stdout=None if is_chief else subprocess.DEVNULL,
            stderr=None if is_chief else self._errors[index],
            start_new_session=True,  # Ctrl-C comes to this process alone
            preexec_fn=_prepare(index, len(addresses)),
        )

    def _look(self) -> None:
        """Notes which processes have ended."""
        for index, worker in enumerate(self._workers):
            status = worker.poll()
            if status is not None:
                self._ends.setdefault(index, status)

    def _judge(self) -> End:
        """Returns what the ends of the workers amount to."""
        bad = [index for index, status in self._ends.items() if status]
        failed = [
            index
            for index in bad
            if self._ends[index] > 0 and self._ends[index] not in PASSING
        ]
        if failed:
            self._show_errors(failed[0])
            return End(self._ends[failed[0]])
        is_all = len(self._ends) == self._num_workers
        if is_all and not bad:
            return End(program.DONE)
        if self._received:
            text = "" if is_all else "some workers had to be killed."
            return End(128 + self._received[0], text)
        # One that was killed is the reason; those that lost it are not.
        index = min(bad, key=lambda index: self._ends[index] > 0)
        self._show_errors(index)
        text = f"worker {index} {_how_ended(self._ends[index])}"
        return End(program.LOST_WORKER, text, is_worth_restarting=True)

    def _show_errors(self, index: int) -> None:
        if index == 0:
            return  # the chief's are on the terminal
        self._errors[index].seek(0)
        lines = self._errors[index].read().decode(errors="replace").splitlines()
        for line in lines[-ERROR_LINES:]:
            print(f"worker {index}: {line}", file=sys.stderr)

    def _receive(self, number: int, frame: Any) -> None:
        """Keeps a signal for `wait`: some workers may not be started yet."""
        self._received.append(number)

    def _end_all(self) -> None:
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.wait()


def _how_ended(status: int) -> str:
    if status < 0:
        return f"was killed ({signal.Signals(-status).name})"
    if status == program.LOST_WORKER:
        return "lost another one"
    return "was told to stop, and saved"


def _free_ports(num: int) -> list[int]:
    ports: list[int] = []
    with contextlib.ExitStack() as stack:
        for port in random.sample(PORTS, len(PORTS)):
            if len(ports) == num:
                break
            with contextlib.suppress(OSError):  # it is taken
                server = socket.create_server(("127.0.0.1", port))
                stack.enter_context(server)
                ports.append(port)
    return ports


def _prepare(index: int, num: int) -> Callable[[], None] | None:
    """Returns what a worker's process does first, where the system can.

    It ends when this process does, however that ends, and keeps to its share
    of the cores: threads of several workers on one core slow each other down.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    cores = _own_cores(index, num)
    parent = os.getpid()

    def prepare() -> None:
        libc.prctl(DIE_WITH_PARENT, signal.SIGKILL)
        os.sched_setaffinity(0, cores)
        if os.getppid() != parent:  # it ended before
            os._exit(program.LOST_WORKER)

    return prepare


def _own_cores(index: int, num: int) -> list[int]:
    cores = sorted(os.sched_getaffinity(0))
    return cores[index::num] if len(cores) >= num else cores


def _own_gpus(index: int, num: int) -> dict[str, str]:
    """Returns the variable that gives a worker its share of the GPUs.

    Raises:
      InputError: there are some, but fewer than workers.
    """
    found = len(glob.glob("/dev/nvidia[0-9]*"))
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = [str(gpu) for gpu in range(found)]
    if given is not None:
        gpus = [gpu for gpu in given.split(",") if gpu not in ("", "-1")]
    if not found or not gpus:
        return {}
    if len(gpus) < num:
        raise InputError(
            f"`workers` must be at most {len(gpus)}, as there are GPUs; got "
            f"{num}; to train on the CPU set CUDA_VISIBLE_DEVICES=-1."
        )
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpus[index::num])}
