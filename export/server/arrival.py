"""Whether the models of a configuration have come, or have failed to."""

from collections.abc import Collection

from export.codes import Code
from export.server.errors import ServingError
from export.server.servable import VersionStatus

ARRIVED = ("AVAILABLE", "END")


class Arrival:
    """Waits for a version of each of some models.

    Attributes:
      is_complete: whether every model has a version that was loaded or failed.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = sorted(names)
        self._statuses: dict[str, dict[int, VersionStatus]] = {}
        self._failures: list[str] = []
        self.is_complete = not self._names

    def note(self, name: str, status: VersionStatus) -> None:
        """Takes up what has happened to a version; after the end: nothing."""
        if self.is_complete:
            return
        self._statuses.setdefault(name, {})[status.version] = status
        found = {name: self._newest(name) for name in self._names}
        self.is_complete = None not in found.values()
        self._failures = [
            f"{{{{name: {name} version: {status.version}}}{_why(status)}}}, "
            for name, status in found.items()
            if status is not None and status.state == "END"
        ]

    def check(self) -> None:
        """Makes sure that none has failed.

        Raises:
          ServingError: the newest version that came to rest could not be
            loaded, of one model at least.
        """
        if self._failures:
            raise ServingError(
                Code.UNKNOWN,
                f"{len(self._failures)} model(s) did not become available: "
                f"{{{''.join(self._failures)}}}",
            )

    def _newest(self, name: str) -> VersionStatus | None:
        """Returns the newest version that has arrived."""
        statuses = self._statuses.get(name, {}).values()
        arrived = [each for each in statuses if each.state in ARRIVED]
        return max(arrived, key=lambda each: each.version, default=None)


def _why(status: VersionStatus) -> str:
    if status.code == Code.OK:
        return ""
    return f" due to error: {status.code.name}: {status.message}"
