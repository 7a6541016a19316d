"""The recorded tiny models, loaded; and a manager that holds them."""

import contextlib
import functools
import pathlib
from collections.abc import Callable, Iterator

from export import c_api
from export.codes import Code
from export.protos import meta_graph_pb2
from export.server.errors import ServingError
from export.server.servable import Servable, VersionStatus

MODELS = pathlib.Path(__file__).parents[1] / "recorded" / "models"


@functools.cache
def load(name: str, version: int = 1) -> Servable:
    """Returns a recorded model; all tests of a process share it."""
    folder = str(MODELS / name / str(version))
    session = c_api.Session(folder)
    meta_graph = meta_graph_pb2.MetaGraphDef.FromString(session.meta_graph)
    return Servable(name, version, folder, meta_graph, session)


class HeldModels:
    """What a service needs of a manager; it notes what it is asked for."""

    def __init__(self, *servables: Servable) -> None:
        self.servables = {servable.name: servable for servable in servables}
        self.asked: list[tuple] = []
        self.held: list[str] = []
        self.configs: list = []

    @contextlib.contextmanager
    def use(
        self, name: str, *, version: int | None = None, label: str | None = None
    ) -> Iterator[Servable]:
        """Lends a servable, whatever its version."""
        self.asked.append((name, version, label))
        if name not in self.servables:
            raise ServingError(Code.NOT_FOUND, f"no {name}")
        self.held.append(name)
        yield self.servables[name]
        self.held.remove(name)

    def statuses(
        self, name: str, *, version: int | None = None, label: str | None = None
    ) -> list[VersionStatus]:
        """Returns two versions, or the one asked for."""
        self.asked.append((name, version, label))
        if name not in self.servables:
            raise ServingError(Code.NOT_FOUND, f"no {name}")
        every = [
            VersionStatus(7, "END", Code.DATA_LOSS, "bit rot"),
            VersionStatus(5, "AVAILABLE", Code.OK, ""),
        ]
        return [s for s in every if version in (None, s.version)]

    def reload(self, config: object, *, is_wanted: Callable[[], bool]) -> None:
        """Notes a configuration; refuses one without a model."""
        assert is_wanted()
        if not config.model_config_list.config:
            raise ServingError(Code.FAILED_PRECONDITION, "no models")
        self.configs.append(config)
