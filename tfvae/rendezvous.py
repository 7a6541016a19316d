"""The workers of a job meet before TensorFlow waits for them.

TensorFlow's own waiting has no bound, cannot be interrupted and does not say
who is missing. So each worker first calls at the chief's address; once all
have, the chief tells them the settings of the run, and lets go of the address
for TensorFlow to take.

A message is a line of JSON. It is neither encrypted nor signed, and neither is
TensorFlow's traffic: the job's network must be trusted.
"""

import contextlib
import json
import socket
import time
from collections.abc import Callable
from typing import Any

from tfvae.cluster import Cluster
from tfvae.errors import InputError, LostWorkerError

Settings = dict[str, Any]
PAUSE = 0.1  # seconds between two calls at an address that does not answer
ANSWER_SECONDS = 10.0  # for a caller to send its line
LONGEST_LINE = 2**16
GREETING = "tfvae"
LOOPBACK = ("127.0.0.1", "localhost")


def meet(
    cluster: Cluster,
    *,
    given: Settings,
    settings: Settings,
    timeout: float,
    tell: Callable[[str], None] = print,
) -> Settings:
    """Waits until all workers are there; returns the chief's settings.

    Args:
      cluster: the job.
      given: what this worker was asked for; equal on all.
      settings: of the run, as this worker knows them.
      timeout: seconds to wait.
      tell: is given a sentence to show where there is something to wait for.

    Raises:
      InputError: a worker was asked for something else, or the address is
        taken.
      LostWorkerError: not all have come in time.
    """
    deadline = time.monotonic() + timeout
    given = json.loads(json.dumps(given))  # as others get to see it
    if not cluster.is_chief:
        return _call(cluster, given, deadline, timeout)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_listen(cluster.addresses[0]))
        callers = _gather(cluster, server, given, deadline, timeout, tell, stack)
        for caller in callers:
            _send(caller, {"settings": settings})
    return settings


def _listen(address: str) -> socket.socket:
    host, port = _host_and_port(address)
    try:
        return socket.create_server((host if host in LOOPBACK else "", port))
    except OSError as error:
        raise InputError(
            f"port {port} of {address} cannot be opened: {error.strerror}; "
            "choose another."
        ) from error


def _gather(
    cluster: Cluster,
    server: socket.socket,
    given: Settings,
    deadline: float,
    timeout: float,
    tell: Callable[[str], None],
    stack: contextlib.ExitStack,
) -> list[socket.socket]:
    """Returns a connection from each of the other workers."""
    callers: dict[int, socket.socket] = {}
    others = set(range(1, len(cluster.addresses)))
    shown = time.monotonic() + 5
    while missing := sorted(others - set(callers)):
        names = ", ".join(f"{i} ({cluster.addresses[i]})" for i in missing)
        left = deadline - time.monotonic()
        if left <= 0:
            raise LostWorkerError(
                f"worker {names} did not come within {timeout:g} s; see whether "
                "it runs and reaches this host, then start all again."
            )
        if time.monotonic() > shown:
            tell(f"waiting for worker {names}")
            shown += 30
        server.settimeout(min(left, 1.0))
        with contextlib.suppress(TimeoutError):
            caller = stack.enter_context(server.accept()[0])
            index = _hear(caller, given)
            if index in others:
                callers[index] = caller
    return list(callers.values())


def _hear(caller: socket.socket, given: Settings) -> int | None:
    """Returns the index of who calls; None: no worker of this job."""
    message = _receive(caller, ANSWER_SECONDS)
    if message is None or message.get("hello") != GREETING:
        return None
    theirs = message.get("given")
    if theirs != given:
        text = (
            f"all workers must be given the same flags; worker "
            f"{message.get('index')} has {theirs}, the chief {given}."
        )
        _send(caller, {"refused": text})
        raise InputError(text)
    return message.get("index")


def _call(
    cluster: Cluster, given: Settings, deadline: float, timeout: float
) -> Settings:
    """Calls at the chief's; returns what it says."""
    chief = cluster.addresses[0]
    own = {"hello": GREETING, "index": cluster.index, "given": given}
    while (left := deadline - time.monotonic()) > 0:
        with contextlib.suppress(OSError):
            with socket.create_connection(_host_and_port(chief), left) as line:
                _send(line, own)
                answer = _receive(line, deadline - time.monotonic())
            if answer and "refused" in answer:
                raise InputError(answer["refused"])
            if answer and "settings" in answer:
                return answer["settings"]
        time.sleep(PAUSE)
    raise LostWorkerError(
        f"the chief ({chief}) did not answer within {timeout:g} s; see whether "
        "it runs and can be reached, then start all again."
    )


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _send(line: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # who has gone calls again
        line.sendall(json.dumps(message).encode() + b"\n")


def _receive(line: socket.socket, seconds: float) -> dict[str, Any] | None:
    """Returns one message; None: none came, or no message of ours."""
    deadline, text = time.monotonic() + seconds, b""
    while not text.endswith(b"\n") and len(text) < LONGEST_LINE:
        line.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            part = line.recv(4096)
        except OSError:
            return None
        if not part:
            return None
        text += part
    try:
        message = json.loads(text)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
