"""A search by many processes: who takes part, and who is still alive.

A chief hands out trials by keras-tuner's own protocol (gRPC); workers find it
by keras-tuner's environment variables and share its folder.
"""

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

from keras_tuner.src.distribute.utils import has_chief_oracle, is_chief_oracle

from tfvae import atomic
from tfvae.errors import InputError

TUNER_ID = "KERASTUNER_TUNER_ID"
ORACLE_IP = "KERASTUNER_ORACLE_IP"
ORACLE_PORT = "KERASTUNER_ORACLE_PORT"
CHIEF = "chief"  # keras-tuner's word for it, anywhere in the id
FOLDER = "workers"
MOST_PORT = 65535


def set_environment(role: str, address: str, worker_id: str = "") -> None:
    """Sets keras-tuner's environment variables; those that are set stay.

    Args:
      role: "alone", "chief" or "worker".
      address: HOST:PORT of the chief.
      worker_id: of a worker; "": from its host's name and its process.

    Raises:
      InputError: an address or an id that cannot be one, or a role that
        variables which are set already contradict.
    """
    if role != "alone":
        ip, port = _parse_address(address)
        os.environ.setdefault(ORACLE_IP, ip)
        os.environ.setdefault(ORACLE_PORT, port)
        tuner_id = worker_id if worker_id and role != CHIEF else _own_id(role)
        os.environ.setdefault(TUNER_ID, _check_id(tuner_id, role))
    missing = [
        name
        for name in (ORACLE_PORT, TUNER_ID)
        if ORACLE_IP in os.environ and name not in os.environ
    ]
    if missing:
        raise InputError(
            f"the environment has {ORACLE_IP}, but not {missing[0]}; set both, "
            "or none and give --role."
        )
    found = "chief" if is_chief() else "worker" if is_worker() else "alone"
    if role not in ("alone", found):
        raise InputError(
            f"`role` is {role}, but {TUNER_ID}={os.environ[TUNER_ID]} in the "
            f"environment makes it a {found}; unset it or give --role={found}."
        )


def is_chief() -> bool:
    """Returns whether this process hands trials out."""
    return is_chief_oracle()


def is_worker() -> bool:
    """Returns whether this process gets its trials from a chief."""
    return has_chief_oracle() and not is_chief_oracle()


def chief_address() -> str:
    """Returns HOST:PORT of the chief, from the environment."""
    return f"{os.environ[ORACLE_IP]}:{os.environ[ORACLE_PORT]}"


@contextlib.contextmanager
def heartbeat(directory: str) -> Iterator[None]:
    """Shows that this process is alive where it is a worker.

    Args:
      directory: that chief and workers share.
    """
    if is_worker():
        with Heartbeat(directory, os.environ[TUNER_ID]):
            yield
    else:
        yield


class Heartbeat:
    """A file with a number that grows as long as a worker lives.

    The file goes when the worker leaves; one that is killed leaves it behind.

    Args:
      directory: that chief and workers share.
      tuner_id: of the worker.
      interval_seconds: between two beats.
    """

    def __init__(
        self, directory: str, tuner_id: str, interval_seconds: float = 2.0
    ) -> None:
        self._path = os.path.join(directory, FOLDER, tuner_id)
        self._interval_seconds = interval_seconds
        self._is_over = threading.Event()
        self._thread = threading.Thread(
            target=self._beat, name=f"heartbeat of {tuner_id}", daemon=True
        )

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()
        with contextlib.suppress(FileNotFoundError):
            os.remove(self._path)

    def _beat(self) -> None:
        count = 0
        while True:
            count += 1
            text = str(count).encode()
            # A disk that is full for a while is no reason to stop.
            with contextlib.suppress(OSError):
                atomic.write_whole(self._path, lambda file: file.write(text))  # noqa: B023
            if self._is_over.wait(self._interval_seconds):
                return


class Watch:
    """Which workers show no sign of life any more.

    A worker is lost when its number has stood still for a while by the chief's
    own clock, so that clocks of two hosts are never compared; or at once when
    it took its file away.

    Args:
      directory: that chief and workers share.
      timeout_seconds: for how long a number may stand still.
      clock: returns seconds.
    """

    def __init__(
        self,
        directory: str,
        timeout_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = os.path.join(directory, FOLDER)
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        # {tuner id: (its number, since when it stands still)}
        self._seen: dict[str, tuple[str, float]] = {}

    def present(self) -> set[str]:
        """Returns the ids of workers that have a file, alive or not."""
        with contextlib.suppress(FileNotFoundError):
            names = os.listdir(self._folder)
            return {name for name in names if not name.startswith(".")}
        return set()

    def lost(self, tuner_ids: Iterable[str]) -> list[str]:
        """Returns those of the workers that are lost, sorted.

        Args:
          tuner_ids: workers that take part. One that has no file yet counts
            from the first time that it is among them.
        """
        now, seen, lost = self._clock(), {}, []
        for tuner_id in sorted(tuner_ids):
            number = self._number(tuner_id)
            before, since = self._seen.get(tuner_id, (number, now))
            if number != before:
                since = now
            seen[tuner_id] = (number, since)
            has_left = bool(before) and not number
            if has_left or now - since > self._timeout_seconds:
                lost.append(tuner_id)
        self._seen = seen
        return lost

    def forget(self, tuner_id: str) -> None:
        """Removes the file that a lost worker left; a live one writes again."""
        self._seen.pop(tuner_id, None)
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self._folder, tuner_id))

    def _number(self, tuner_id: str) -> str:
        """Returns a worker's number; "" where it has no file."""
        try:
            with open(
                os.path.join(self._folder, tuner_id), encoding="utf-8"
            ) as file:
                return file.read()
        except FileNotFoundError:
            return ""
        except OSError:  # a shared disk stumbled: no news
            return self._seen.get(tuner_id, ("", 0.0))[0]


def _own_id(role: str) -> str:
    if role == CHIEF:
        return CHIEF
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())
    return f"{host.replace(CHIEF, 'host')}-{os.getpid()}"


def _check_id(tuner_id: str, role: str) -> str:
    is_name = re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", tuner_id)
    if role != CHIEF and (CHIEF in tuner_id or not is_name):
        raise InputError(
            "`worker_id` must be letters, digits, '.', '_' and '-' without the "
            f"word {CHIEF}; got {tuner_id!r}."
        )
    return tuner_id


def _parse_address(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    is_port = port.isdecimal() and 0 < int(port) <= MOST_PORT
    if not host or not is_port:
        raise InputError(
            "`chief` must be HOST:PORT, for example 127.0.0.1:8790; got "
            f"{address!r}."
        )
    return host, port
