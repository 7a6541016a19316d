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
import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

import tfvae
from tfvae.cluster import Cluster
from tfvae.errors import InputError, LostWorkerError

Settings = dict[str, Any]
PAUSE = 0.1  # seconds between two calls at an address that does not answer
CONNECT_SECONDS = 5.0
# How long the chief waits for the rest once one has come that does not fit, to
# tell them, too.
LATE_SECONDS = 5.0
TELL_AFTER, TELL_EVERY = 5.0, 30.0  # seconds, of those that are missing
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
    own = {
        "tfvae": tfvae.__version__, "workers": cluster.addresses, **given
    }  # fmt: skip
    own = json.loads(json.dumps(own))  # as others get to see it
    if not cluster.is_chief:
        return _call(cluster, own, timeout)
    with contextlib.closing(_Reception(cluster, own)) as reception:
        reception.wait(timeout, tell)
        if reception.refusal:
            reception.answer({"refused": reception.refusal})
            raise InputError(reception.refusal)
        reception.answer({"settings": settings})
    return settings


class _Reception:
    """The chief's address, where the others call and wait for an answer.

    Who is silent, sends something else or goes away holds up nobody.

    Args:
      cluster: the job.
      own: what the chief was asked for.
    """

    def __init__(self, cluster: Cluster, own: Settings) -> None:
        self.refusal = ""
        self._addresses = cluster.addresses
        self._own = own
        self._workers: dict[str, socket.socket] = {}
        self._texts: dict[socket.socket, bytes] = {}  # so far, of each caller
        self._server = _listen(cluster.addresses[0])
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)

    def close(self) -> None:
        """Lets go of the address and of all callers."""
        for line in (self._server, *self._texts):
            line.close()
        self._selector.close()

    def wait(self, timeout: float, tell: Callable[[str], None]) -> None:
        """Returns once all are there, or some that are show that one is wrong.

        Raises:
          LostWorkerError: not all have come in time.
        """
        began = time.monotonic()
        shown, deadline = began + TELL_AFTER, began + timeout
        while missing := self._missing():
            now = time.monotonic()
            if self.refusal:
                deadline = min(deadline, now + LATE_SECONDS)
            if now >= deadline and self.refusal:
                return
            if now >= deadline:
                raise LostWorkerError(
                    f"worker {missing} did not come within {timeout:g} s; see "
                    "whether it runs and reaches this host, then start all "
                    "again."
                )
            if now >= shown:
                tell(f"waiting for worker {missing}")
                shown = now + TELL_EVERY
            self._look(min(deadline, shown) - now)

    def answer(self, message: dict[str, Any]) -> None:
        """Tells all workers that have come."""
        for worker in self._workers.values():
            _send(worker, message)

    def _missing(self) -> str:
        return ", ".join(
            f"{index} ({address})"
            for index, address in enumerate(self._addresses)
            if index > 0 and str(index) not in self._workers
        )

    def _look(self, seconds: float) -> None:
        """Waits at most so long for someone to call, to speak or to go."""
        for key, _ in self._selector.select(seconds):
            if key.fileobj is not self._server:
                self._hear(key.fileobj)
                continue
            with contextlib.suppress(OSError):  # who has gone already
                caller, _ = self._server.accept()
                caller.setblocking(False)
                self._selector.register(caller, selectors.EVENT_READ)
                self._texts[caller] = b""

    def _hear(self, caller: Any) -> None:
        if caller not in self._texts:  # let go of a moment ago
            return
        part = b""
        with contextlib.suppress(OSError):
            part = caller.recv(4096)
        text = self._texts[caller] = self._texts[caller] + part
        if not part or len(text) > LONGEST_LINE:
            self._drop(caller)
        elif text.endswith(b"\n"):
            self._admit(caller, _parse(text))

    def _admit(self, caller: socket.socket, message: Settings) -> None:
        """Takes in a worker of this job."""
        index, theirs = str(message.get("index")), message.get("given")
        if message.get("hello") != GREETING or not isinstance(theirs, dict):
            self._drop(caller)
            return
        if theirs != self._own:
            self.refusal = self.refusal or _difference(
                f"worker {index}", theirs, self._own
            )
        if index in self._workers:  # it was started again; or twice
            text = f"another process is worker {index}."
            _send(self._workers[index], {"refused": text})
        self._workers[index] = caller

    def _drop(self, caller: socket.socket) -> None:
        self._selector.unregister(caller)
        del self._texts[caller]
        caller.close()
        for index, worker in list(self._workers.items()):
            if worker is caller:
                del self._workers[index]


def _difference(name: str, theirs: Settings, own: Settings) -> str:
    """Returns in words what one worker and the chief do not agree on."""
    differences = [
        f"{key} is {theirs.get(key, 'not given')} on {name}, "
        f"{own.get(key, 'not given')} on the chief"
        for key in sorted({*theirs, *own})
        if theirs.get(key) != own.get(key)
    ]
    return (
        "all workers must be given the same flags, of one version of tfvae: "
        f"{'; '.join(differences)}."
    )


def _listen(address: str) -> socket.socket:
    host, port = _host_and_port(address)
    try:
        if host in LOOPBACK:
            return socket.create_server((host, port))
        with contextlib.suppress(OSError, ValueError):  # where IPv6 is off
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True
            )
        return socket.create_server(("", port))
    except OSError as error:
        raise InputError(
            f"port {port} of {address} cannot be opened: {error.strerror}; "
            "choose another."
        ) from error


def _call(cluster: Cluster, own: Settings, timeout: float) -> Settings:
    """Calls at the chief's until it answers; returns the run's settings."""
    address = cluster.addresses[0]
    hello = {"hello": GREETING, "index": cluster.index, "given": own}
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        message: Settings = {}
        with (
            contextlib.suppress(OSError),  # it does not listen yet, or has gone
            socket.create_connection(
                _host_and_port(address), min(left, CONNECT_SECONDS)
            ) as line,
        ):
            _send(line, hello)
            message = _receive(line, deadline)
        if "refused" in message:
            raise InputError(str(message["refused"]))
        if isinstance(message.get("settings"), dict):
            return message["settings"]
        time.sleep(PAUSE)
    raise LostWorkerError(
        f"the chief ({address}) did not answer within {timeout:g} s; see "
        "whether it runs and can be reached, then start all again."
    )


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _send(line: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # who has gone calls again
        line.sendall(json.dumps(message).encode() + b"\n")


def _receive(line: socket.socket, deadline: float) -> Settings:
    """Returns one message, {} where there comes none of ours."""
    text = b""
    while not text.endswith(b"\n") and len(text) < LONGEST_LINE:
        line.settimeout(max(deadline - time.monotonic(), 0.001))
        part = line.recv(4096)
        if not part:
            break
        text += part
    return _parse(text)


def _parse(text: bytes) -> Settings:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
