"""What to load and unload next, so that a model always has a version.

The rules of the server's availability-preserving policy, without threads and
without files: a version that is no longer wanted serves on until a wanted one
is loaded.
"""

import dataclasses
import enum
from collections.abc import Collection, Mapping

from export.server.servable import Servable


class State(enum.Enum):
    """Where a version stands."""

    NEW = enum.auto()
    LOADING = enum.auto()
    READY = enum.auto()
    UNLOADING = enum.auto()
    ENDED = enum.auto()  # unloaded
    FAILED = enum.auto()  # to load


# Nothing of such a version is in memory.
AT_REST = (State.NEW, State.ENDED, State.FAILED)


@dataclasses.dataclass(eq=False)
class Version:
    """A version of a model, from its discovery until it is forgotten.

    Attributes:
      name: of the model.
      number: of the version.
      folder: where it lies.
      state: where it stands.
      wanted: whether it should be served.
      servable: while it is loaded.
      users: requests that hold it.
    """

    name: str
    number: int
    folder: str
    state: State = State.NEW
    wanted: bool = True
    servable: Servable | None = None
    users: int = 0

    def __str__(self) -> str:
        return f"{{name: {self.name} version: {self.number}}}"


class Lifecycle:
    """The versions of all models."""

    def __init__(self) -> None:
        self._models: dict[str, dict[int, Version]] = {}
        self._wishes: dict[str, dict[int, str]] = {}

    def want(self, name: str, folders: Mapping[int, str]) -> None:
        """Notes which versions of a model to serve; the latest wish counts.

        Args:
          name: of the model.
          folders: {version: its folder}.
        """
        self._wishes[name] = dict(folders)

    def take_up(self) -> list[Version]:
        """Returns the versions that are new, by the wishes noted.

        A version that comes back while it is still in memory has to go first;
        till then the wish waits. A wish can wait so for ever: where the newest
        version has failed and is then deleted, the old one is still loaded.
        """
        self._forget()
        new = []
        for name, folders in list(self._wishes.items()):
            versions = self._models.setdefault(name, {})
            if any(
                not version.wanted and version.number in folders
                for version in versions.values()
            ):
                continue
            del self._wishes[name]
            for version in versions.values():
                version.wanted = version.number in folders
            for number in sorted(set(folders) - set(versions)):
                versions[number] = Version(name, number, folders[number])
                new.append(versions[number])
        return new

    def next_action(self) -> Version | None:
        """Returns a version to load or to unload now; None: there is nothing.

        It is LOADING or UNLOADING then. What frees memory comes first.
        """
        chosen = [
            version
            for _, versions in sorted(self._models.items())
            if (version := _choose(versions.values())) is not None
        ]
        if not chosen:
            return None
        version = min(chosen, key=lambda each: each.state is not State.READY)
        version.state = (
            State.UNLOADING if version.state is State.READY else State.LOADING
        )
        return version

    def find(self, name: str, number: int | None = None) -> Version | None:
        """Returns a version that is loaded; without a number: the newest."""
        loaded = {
            version.number: version
            for version in self._models.get(name, {}).values()
            if version.state is State.READY
        }
        return loaded.get(max(loaded, default=0) if number is None else number)

    def loaded(self) -> list[Version]:
        """Returns the versions that are in memory."""
        return [
            version
            for versions in self._models.values()
            for version in versions.values()
            if version.servable is not None
        ]

    def _forget(self) -> None:
        for versions in self._models.values():
            for version in list(versions.values()):
                if version.state in AT_REST and not version.wanted:
                    del versions[version.number]


def _choose(versions: Collection[Version]) -> Version | None:
    """Returns which version of a model to unload (READY) or to load (NEW)."""
    wanted = [version for version in versions if version.wanted]
    superfluous = [
        version
        for version in versions
        if not version.wanted and version.state is State.READY
    ]
    is_served = any(version.state is State.READY for version in wanted)
    if superfluous and (not wanted or is_served or len(superfluous) > 1):
        return min(superfluous, key=lambda version: version.number)
    new = [version for version in wanted if version.state is State.NEW]
    return max(new, key=lambda version: version.number, default=None)
