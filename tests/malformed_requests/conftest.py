"""The development server's ports before the recorded models, one a module."""

from collections.abc import Iterator

import pytest

from export.server import grpc_server, http, patience, rest
from export.server.metrics import Metrics
from tests.export.server.fronts import Models
from tests.malformed_requests.answers import Ports

LIMIT_SECONDS = 0.15


class Held(Models):
    """The recorded models, and a manager's refusals to reload."""

    def reload(self, config: object, *, is_wanted: object) -> None:
        """Is not reached by a malformed request."""
        raise AssertionError


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    """REST and gRPC; whoever is slow is given up early."""
    before = patience.HEAD_SECONDS, patience.STALL_SECONDS
    patience.HEAD_SECONDS = patience.STALL_SECONDS = LIMIT_SECONDS
    models, metrics = Held(), Metrics()
    app = rest.make_app(
        models, metrics=metrics, max_request_bytes=1 << 21, is_local=True
    )
    over_http = http.start_http(app, host="127.0.0.1", port=0)
    over_grpc = grpc_server.start(models, metrics=metrics)
    yield Ports(rest=over_http.port, grpc=over_grpc.port)
    over_grpc.close()
    over_http.close()
    patience.HEAD_SECONDS, patience.STALL_SECONDS = before
