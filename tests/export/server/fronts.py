"""Fronts before the recorded models."""

import contextlib
from collections.abc import Iterator

from export.codes import Code
from export.server.errors import ServingError
from export.server.front import Answer, Front, Request
from export.server.metrics import Metrics
from export.server.servable import Servable, VersionStatus
from tests.export.server import served_models

NOT_FOUND = Code.NOT_FOUND


class Models:
    """The recorded models, the newest of each, as a manager has them."""

    def __init__(self) -> None:
        self.fails: Exception | None = None

    @contextlib.contextmanager
    def use(
        self, name: str, *, version: int | None = None, label: str | None = None
    ) -> Iterator[Servable]:
        """Lends a model."""
        if self.fails is not None:
            raise self.fails
        if label is not None:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Unrecognized servable version label: {label}",
            )
        newest = {"decoder": 2, "vae": 1, "conditional": 1, "types": 1}
        if name not in newest or version not in (None, newest[name]):
            which = f"Latest({name})"
            if version is not None:
                which = f"Specific({name}, {version})"
            raise ServingError(
                NOT_FOUND, f"Servable not found for request: {which}"
            )
        yield served_models.load(name, newest[name])

    def statuses(
        self, name: str, *, version: int | None = None, label: str | None = None
    ) -> list[VersionStatus]:
        """Tells that version 2 of the decoder is there."""
        assert label is None
        if name != "decoder":
            raise ServingError(
                NOT_FOUND, f"Could not find any versions of model {name}"
            )
        if version not in (None, 2):
            raise ServingError(
                NOT_FOUND, f"Could not find version {version} of model {name}"
            )
        return [VersionStatus(2, "AVAILABLE", Code.OK, "")]


def make(
    models: Models | None = None,
    *,
    metrics: Metrics | None = None,
    metrics_path: str | None = None,
    cors: bool = False,
    timeout_seconds: float = 30,
) -> Front:
    """Returns a front with one page."""
    return Front(
        manager=models or Models(),
        metrics=metrics or Metrics(),
        metrics_path=metrics_path,
        cors=cors,
        timeout_seconds=timeout_seconds,
        pages={"/explorer": ("text/html", b"a page")},
    )


def predict(front: Front, body: bytes, name: str = "decoder") -> Answer:
    """Returns the answer to a prediction by the newest version."""
    return front.answer(
        Request("POST", f"/v1/models/{name}:predict", body=body)
    )
