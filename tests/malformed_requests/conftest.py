"""The development server's ports before the recorded models, one a module."""

from collections.abc import Iterator

import pytest

from export.server import grpc_server, http, patience, rest
from export.server.metrics import Metrics
from tests.export.server.fronts import Models
from tests.malformed_requests.answers import Ports

LIMIT_SECONDS = 1.2  # no machine is so busy that a thread rests so long


class Held(Models):
    """The recorded models, and a manager's refusals to reload."""

    def reload(self, config: object, *, is_wanted: object) -> None:
        """Is not reached by a malformed request."""
        raise AssertionError


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    """REST and gRPC."""
    models, metrics = Held(), Metrics()
    app = rest.make_app(
        models, metrics=metrics, max_request_bytes=1 << 21, is_local=True
    )
    over_http = http.start_http(app, host="127.0.0.1", port=0)
    over_grpc = grpc_server.start(models, metrics=metrics)
    yield Ports(rest=over_http.port, grpc=over_grpc.port)
    over_grpc.close()
    over_http.close()


def _limit(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Gives whoever is slow up so early, from the next connection on."""
    monkeypatch.setattr(patience, "HEAD_SECONDS", seconds)
    monkeypatch.setattr(patience, "STALL_SECONDS", seconds)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the ports give up whoever is slow at once."""
    _limit(monkeypatch, 0.15)


@pytest.fixture
def longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the ports give up whoever rests for LIMIT_SECONDS."""
    _limit(monkeypatch, LIMIT_SECONDS)
