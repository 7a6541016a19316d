"""Models that are empty folders, loaded by a fake that notes what it does."""

import pathlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from export.codes import Code
from export.protos import meta_graph_pb2, model_server_config_pb2
from export.server.errors import ServingError
from export.server.servable import Servable


class FakeSession:
    """Notes whether it is closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]
    ) -> list[np.ndarray]:
        """Returns the values fed."""
        assert not self.is_closed
        return list(feeds.values())

    def close(self) -> None:
        """Is called once."""
        assert not self.is_closed
        self.is_closed = True


class FakeLoad:
    """Loads at once, unless told otherwise.

    Attributes:
      tries: (model, version) of every call, in order.
      sessions: of the versions loaded.
      failures: {version: how often it cannot be loaded}.
      gates: {version: its load waits until this is set}.
    """

    def __init__(self) -> None:
        self.tries: list[tuple[str, int]] = []
        self.sessions: dict[tuple[str, int], FakeSession] = {}
        self.failures: dict[int, int] = {}
        self.gates: dict[int, threading.Event] = {}

    def __call__(self, name: str, *, version: int, folder: str) -> Servable:
        self.tries.append((name, version))
        if version in self.gates:
            assert self.gates[version].wait(10)
        if self.failures.get(version, 0):
            self.failures[version] -= 1
            raise ServingError(Code.DATA_LOSS, f"bit rot in {folder}")
        session = FakeSession()
        self.sessions[name, version] = session
        meta_graph = meta_graph_pb2.MetaGraphDef()
        return Servable(name, version, folder, meta_graph, session)


def make_versions(base: pathlib.Path, *versions: int | str) -> pathlib.Path:
    """Makes a base path with the folders of versions in it."""
    for version in versions:
        (base / str(version)).mkdir(parents=True)
    return base


def make_config(
    base_paths: Mapping[str, object],
    *,
    specific: Sequence[int] = (),
    labels: Mapping[str, int] | None = None,
) -> model_server_config_pb2.ModelServerConfig:
    """Returns a configuration of {model: base path}."""
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.SetInParent()
    for name, base_path in base_paths.items():
        model = config.model_config_list.config.add(
            name=name, base_path=str(base_path), model_platform="tensorflow"
        )
        model.model_version_policy.specific.versions.extend(specific)
        if not specific:
            model.model_version_policy.ClearField("specific")
        model.version_labels.update(labels or {})
    return config


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to be so"
        time.sleep(0.002)
