"""A server in a process of its own: ours, or the one TF_MODEL_SERVER names."""

import contextlib
import itertools
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]
REAL = os.environ.get("TF_MODEL_SERVER", "")
OURS = [sys.executable, "-m", "export.serve"]


# Below those that the system gives out by itself; a hundred for each process,
# so that servers of tests that run side by side do not meet on one.
_PORTS = itertools.count(10_000 + 100 * (os.getpid() % 200))


def free_port() -> int:
    """Returns a port on which nothing listens, another one at every call."""
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("the ports never end")


class ServerProcess:
    """A server, from its start to the end of its block.

    Args:
      *flags: of tensorflow_model_server, without the ports.
      program: what takes them; by default the server under test.

    Attributes:
      url: of its REST interface.
      grpc_address: of its gRPC interface.
      process: the process.
    """

    def __init__(self, *flags: str, program: list[str] | None = None) -> None:
        self.port, self.grpc_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.grpc_address = f"127.0.0.1:{self.grpc_port}"
        if program is None:
            program = [REAL] if REAL else [*OURS, "--server=development"]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (__exit__)
        self.process = subprocess.Popen(
            [
                *program,
                f"--rest_api_port={self.port}",
                f"--port={self.grpc_port}",
                *flags,
            ],
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def __enter__(self) -> "ServerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._log.close()

    def listens(self, seconds: float = 60) -> bool:
        """Whether REST can be reached within so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.exited():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return True
        return False

    def ready(self, seconds: float = 60) -> "ServerProcess":
        """Waits until REST can be reached."""
        assert self.listens(seconds), self.output()
        return self

    def exited(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def output(self) -> str:
        """What it has printed so far."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def stop(self, number: int = signal.SIGTERM, seconds: float = 15) -> int:
        """Ends the process, and returns its exit status."""
        if not self.exited():
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
