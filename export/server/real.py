"""tensorflow_model_server, in a process of its own."""

import shutil
import socket
import subprocess
from collections.abc import Callable

from export.server import flags as server_flags
from export.server.ending import Ending
from export.server.flags import ServerFlags

BINARY = "tensorflow_model_server"
LOOK_SECONDS = 0.1
KILLED = 128  # plus the signal: the exit status of what a signal ended


def find() -> str | None:
    """Returns where PATH has the real server; None: it has none."""
    return shutil.which(BINARY)


def run(
    flags: ServerFlags,
    *,
    binary: str,
    ending: Ending,
    on_ready: Callable[[], None],
) -> int:
    """Runs the real server, passes signals on, and returns its exit status.

    Args:
      flags: its own.
      binary: the path of it.
      ending: tells when it is to end.
      on_ready: is called once it listens.
    """
    # A session of its own: Ctrl-C reaches it once, from here.
    process = subprocess.Popen(
        [binary, *server_flags.to_argv(flags)], start_new_session=True
    )
    port, is_ready = flags.rest_api_port or flags.port, False
    while process.poll() is None and not ending.wait(LOOK_SECONDS):
        if not is_ready and _listens(port):
            is_ready = True
            on_ready()
    if ending.signal is not None and process.poll() is None:
        process.send_signal(ending.signal)
    status = process.wait()
    return status if status >= 0 else KILLED - status


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
