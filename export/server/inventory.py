"""The versions in memory: loads and unloads them, tells where they stand."""

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol, TypeVar

from export.codes import Code
from export.server import loading
from export.server.arrival import Arrival
from export.server.errors import ServingError
from export.server.lifecycle import Lifecycle, State, Version
from export.server.servable import Servable, VersionStatus

GRACE_SECONDS = 5.0  # for requests that still run when all is closed
LOG = logging.getLogger(__name__)
Result = TypeVar("Result")


class Load(Protocol):
    """Loads a version."""

    def __call__(self, name: str, *, version: int, folder: str) -> Servable:
        """Returns it, ready to be used; raises ServingError."""


class Inventory:
    """Loads and unloads versions, one after the other, as the server does.

    Only the first ones are loaded side by side.

    Args:
      load: loads a version.
      max_retries: after a failed load.
      retry_seconds: between two tries.
    """

    def __init__(
        self, load: Load, *, max_retries: int, retry_seconds: float
    ) -> None:
        self._load_servable = load
        self._max_retries, self._retry_seconds = max_retries, retry_seconds
        self._lifecycle = Lifecycle()
        self._statuses: dict[str, dict[int, VersionStatus]] = {}
        self._arrivals: list[Arrival] = []
        self._num_starting = 0  # of the first versions, being loaded now
        self._closing = threading.Event()
        self._changed = threading.Condition()  # guards the above
        self._threads: list[threading.Thread] = []

    def start(self, first: Arrival) -> None:
        """Starts to do what is wanted.

        Args:
          first: until these have come, versions are loaded side by side.
        """
        thread = threading.Thread(
            target=self._manage, args=(first,), daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def want(self, wishes: Mapping[str, Mapping[int, str]]) -> None:
        """Takes up which versions to serve: {model: {version: folder}}."""
        with self._changed:
            for name, folders in wishes.items():
                self._lifecycle.want(name, folders)
            self._changed.notify_all()

    def expect(self, names: Collection[str]) -> Arrival:
        """Returns the arrival of models that are to come from now on."""
        with self._changed:
            arrival = Arrival(names)
            pending = [each for each in self._arrivals if not each.is_complete]
            self._arrivals = [*pending, arrival]
            return arrival

    def wait(self, arrival: Arrival, timeout: float | None = None) -> bool:
        """Waits for models; returns whether they have come, or failed to.

        Args:
          arrival: of the models.
          timeout: seconds; None: no limit but that of `close`.
        """

        def is_complete() -> bool:
            return arrival.is_complete and not self._num_starting

        with self._changed:
            self._changed.wait_for(
                lambda: self._closing.is_set() or is_complete(), timeout
            )
            return is_complete()

    def statuses(self, name: str) -> dict[int, VersionStatus]:
        """Returns where a model's versions stand, or have ended."""
        with self._changed:
            return dict(self._statuses.get(name, {}))

    @contextlib.contextmanager
    def hold(self, name: str, number: int | None) -> Iterator[Servable]:
        """Holds a version; it is not unloaded before the block has ended.

        Args:
          name: of the model.
          number: of the version; None: the newest one loaded.

        Raises:
          ServingError: it is not loaded.
        """
        with self._changed:
            version = self._lifecycle.find(name, number)
            if version is None or version.servable is None:
                asked = (
                    f"Latest({name})"
                    if number is None
                    else f"Specific({name}, {number})"
                )
                raise ServingError(
                    Code.NOT_FOUND, f"Servable not found for request: {asked}"
                )
            servable = version.servable
            version.users += 1
        try:
            yield servable
        finally:
            with self._changed:
                version.users -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Unloads all; requests that still run get some seconds to end."""
        with self._changed:
            self._closing.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        with self._changed:
            self._changed.wait_for(lambda: not self._num_starting)
            loaded = self._lifecycle.loaded()
            self._changed.wait_for(
                lambda: not any(version.users for version in loaded),
                GRACE_SECONDS,
            )
            for version in loaded:
                if not version.users:
                    _free(version)

    def _manage(self, first: Arrival) -> None:
        """Does what is next, until all is closed."""
        while (version := self._next()) is not None:
            if first.is_complete:
                self._do(version)
            else:
                self._do_side_by_side(version)

    def _next(self) -> Version | None:
        """Waits for something to do; None: all is being closed."""
        with self._changed:
            while not self._closing.is_set():
                for version in self._lifecycle.take_up():
                    self._tell(version, "START")
                action = self._lifecycle.next_action()
                if action is not None:
                    return action
                self._changed.wait()
            return None

    def _do_side_by_side(self, version: Version) -> None:
        """Starts all that there is to do."""
        with self._changed:
            chosen = [version]
            while (another := self._lifecycle.next_action()) is not None:
                chosen.append(another)
            self._num_starting += len(chosen)
        for each in chosen:
            threading.Thread(
                target=self._do_first, args=(each,), daemon=True
            ).start()

    def _do_first(self, version: Version) -> None:
        self._do(version)
        with self._changed:
            self._num_starting -= 1
            self._changed.notify_all()

    def _do(self, version: Version) -> None:
        if version.state is State.UNLOADING:
            self._unload(version)
        else:
            self._load(version)

    def _load(self, version: Version) -> None:
        try:
            self._retry(lambda: loading.look_through(version), version)
            self._tell(version, "LOADING")
            servable = self._retry(
                lambda: self._load_servable(
                    version.name, version=version.number, folder=version.folder
                ),
                version,
            )
        except ServingError as error:
            with self._changed:
                version.state = State.FAILED
                self._tell(version, "END", error)
            return
        with self._changed:
            version.servable, version.state = servable, State.READY
            self._tell(version, "AVAILABLE")

    def _retry(self, action: Callable[[], Result], version: Version) -> Result:
        """Returns what an action returns, at the last when all tries fail."""
        for left in reversed(range(self._max_retries + 1)):
            try:
                return action()
            except ServingError as error:
                LOG.error("%s cannot be loaded: %s", version, error)
                if not left or self._closing.wait(self._retry_seconds):
                    raise
        raise AssertionError("there is at least one try")

    def _unload(self, version: Version) -> None:
        self._tell(version, "UNLOADING")
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing.is_set() or not version.users
            )
            if version.users:
                return
        _free(version)
        with self._changed:
            version.state = State.ENDED
            self._tell(version, "END")

    def _tell(
        self, version: Version, state: str, error: ServingError | None = None
    ) -> None:
        """Makes known where a version stands."""
        status = VersionStatus(
            version.number,
            state,
            code=error.code if error else Code.OK,
            message=error.message if error else "",
        )
        with self._changed:
            self._statuses.setdefault(version.name, {})[version.number] = status
            for arrival in self._arrivals:
                arrival.note(version.name, status)
            self._changed.notify_all()


def _free(version: Version) -> None:
    """Takes a version out of memory."""
    servable, version.servable = version.servable, None
    assert servable is not None
    servable.session.close()
