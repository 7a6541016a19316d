"""A version of a model that is loaded, and what is known of any version."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from export.codes import Code
from export.protos import meta_graph_pb2


class Runner(Protocol):
    """Runs the graph of a saved model: a session, or one that batches."""

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]
    ) -> list[np.ndarray]:
        """Returns the values of the tensors `fetches`."""

    def close(self) -> None:
        """Frees what it holds."""


@dataclasses.dataclass(frozen=True)
class Servable:
    """A version that is loaded.

    Attributes:
      name: of the model.
      version: its number.
      folder: where it was loaded from.
      meta_graph: its graph.
      session: that runs it.
    """

    name: str
    version: int
    folder: str
    meta_graph: meta_graph_pb2.MetaGraphDef
    session: Runner

    @property
    def signatures(self) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        """The signatures by name."""
        # A map of protobuf refuses to be asked for text that is no UTF-8.
        return dict(self.meta_graph.signature_def)


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """What a server tells about a version.

    Attributes:
      version: its number.
      state: START, LOADING, AVAILABLE, UNLOADING or END.
      code: OK, or why it ended.
      message: the words to that.
    """

    version: int
    state: str
    code: Code
    message: str
