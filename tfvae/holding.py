"""One process at a time holds a folder; others are told which.

On a local disk the operating system keeps the lock, and releases it at any end
of the process. Elsewhere a file names the holder, who renews it as a sign of
life. That is no true lock: two processes may both hold a folder that begin
within `SETTLE_SECONDS` of each other on a store slower than that; so may one
that takes over from a holder that was stopped, or cut off, for longer than
`STALE_SECONDS`, until the latter looks, which it does before it writes a file.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, Protocol

from tfvae import atomic, storage
from tfvae.errors import InputError

NAME = ".lock"
STALE_SECONDS = 60.0  # without a sign of life: the holder is gone
RENEW_SECONDS = 10.0
SETTLE_SECONDS = 1.0  # until one that began at the same moment is seen
LOCKLESS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)

Record = dict[str, Any]


class Hold(Protocol):
    """That a folder is held."""

    def check(self) -> None:
        """Raises OSError where another process has taken the folder over."""


@contextlib.contextmanager
def hold(folder: str) -> Iterator[Hold]:
    """Holds a folder for as long as the context lasts.

    Elsewhere than on a local disk a holder that may have died is watched until
    it gives a sign of life (`RENEW_SECONDS`) or is gone (`STALE_SECONDS`).

    Args:
      folder: its path, on any storage; it is made where there is none.

    Yields:
      What knows whether the folder is still held.

    Raises:
      InputError: another process holds it.
      OSError: the file that says so cannot be written.
    """
    storage.make_folder(folder)
    path = os.path.join(folder, NAME)
    with contextlib.ExitStack() as stack:
        held = None
        if storage.is_local(folder):
            held = stack.enter_context(_locked(path))
        yield held or stack.enter_context(_signed(path))


class _Locked:
    """Held by the operating system, which gives no folder away."""

    def check(self) -> None:
        """See `Hold.check`."""


@contextlib.contextmanager
def _locked(path: str) -> Iterator[Hold | None]:
    """Yields None where the file system has no locks."""
    with contextlib.ExitStack() as stack:
        is_at = False
        while not is_at:  # the holder before removes the file that it had
            file = stack.enter_context(open(path, "a+b", buffering=0))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise _taken(path, _parse(file.read())) from None
            except OSError as error:
                if error.errno not in LOCKLESS:
                    raise
                yield None
                return
            is_at = _is_at(path, file.fileno())
        file.truncate(0)
        file.write(json.dumps(_own_record()).encode())
        try:
            yield _Locked()
        finally:
            with contextlib.suppress(OSError):  # its content does not matter
                if _is_at(path, file.fileno()):
                    os.remove(path)


def _is_at(path: str, descriptor: int) -> bool:
    """Whether an open file is the one of that path."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class _Signed:
    """Held by a file that a thread renews."""

    def __init__(self, path: str) -> None:
        self.token = uuid.uuid4().hex
        self._path = path
        self._record = _own_record() | {"token": self.token}
        self._ended = threading.Event()
        self._renewing = threading.Thread(target=self._renew, daemon=True)
        self._other: Record = {}

    def write(self) -> None:
        """Gives a sign of life."""
        content = json.dumps(self._record | {"sign": time.time()}).encode()
        atomic.write_whole(self._path, lambda file: file.write(content))

    def check(self) -> None:
        """See `Hold.check`."""
        found = _read(self._path)
        if found.get("token", self.token) != self.token:
            self._other = found
        if self._other:
            raise OSError(
                errno.EBUSY,
                f"{_who(self._other)} took the folder over, as this process "
                f"gave no sign of life for {STALE_SECONDS:g} s",
            )

    def begin(self) -> None:
        """Gives signs of life from now on."""
        self._renewing.start()

    def end(self) -> None:
        """Gives the folder free, unless another has it."""
        self._ended.set()
        self._renewing.join(STALE_SECONDS)
        with contextlib.suppress(OSError):  # it is gone without it, in time
            self.check()
            storage.remove(self._path)

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            with contextlib.suppress(OSError):  # the next time, perhaps
                self.check()
                self.write()


@contextlib.contextmanager
def _signed(path: str) -> Iterator[Hold]:
    _wait_until_gone(path)
    held = _Signed(path)
    held.write()
    time.sleep(SETTLE_SECONDS)
    found = _read(path)
    if found.get("token") != held.token:
        raise _taken(path, found)
    held.begin()
    try:
        yield held
    finally:
        held.end()


def _wait_until_gone(path: str) -> None:
    """Waits for a holder to give no sign of life.

    It is watched: clocks of two hosts may differ.

    Raises:
      InputError: it gave one.
    """
    first, started = _read(path), time.monotonic()
    if not first or _has_ended(first):
        return
    age = time.time() - first.get("sign", 0.0)
    watch = max(2 * RENEW_SECONDS, STALE_SECONDS - max(age, 0.0))
    while time.monotonic() - started < watch:
        time.sleep(RENEW_SECONDS / 10)
        found = _read(path)
        if not found:
            return
        if found != first:
            raise _taken(path, found)


def _has_ended(record: Record) -> bool:
    """Whether a holder is known to be no more: it ran here."""
    if any(record.get(key) != _own_record()[key] for key in ("host", "space")):
        return False
    try:
        os.kill(record["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is another user's
        return False
    return False


def _own_record() -> Record:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    space = "/proc/self/ns/pid"  # a container has its own numbers
    return {
        "host": socket.gethostname(),
        "space": os.readlink(space) if os.path.islink(space) else "",
        "pid": os.getpid(),
        "program": spec.name if spec else os.path.basename(sys.argv[0]),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _read(path: str) -> Record:
    try:
        return _parse(storage.read(path))
    except FileNotFoundError:
        return {}


def _parse(content: bytes) -> Record:
    """Returns {} for what no holder has written."""
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    kinds = {"host": str, "pid": int, "program": str, "since": str}
    if not isinstance(record, dict) or not all(
        isinstance(record.get(key), kind) for key, kind in kinds.items()
    ):
        return {}
    sign = record.get("sign", 0.0)
    is_sound = isinstance(sign, int | float) and 0 < record["pid"] < 2**31
    return record if is_sound else {}


def _who(record: Record) -> str:
    if not record:  # it has not written yet who it is
        return "another process"
    return (
        f"{record['program']} (process {record['pid']} on {record['host']}, "
        f"since {record['since']})"
    )


def _taken(path: str, record: Record) -> InputError:
    return InputError(
        f"{os.path.dirname(path)} is in use by {_who(record)}; wait until it "
        "has ended, stop it, or give another folder."
    )
