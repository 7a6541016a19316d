"""A client of served models: one interface over REST and gRPC.

    with Client("http://127.0.0.1:8501") as client:
        x = client.decode(z)

Public names are resolved on first use (PEP 562), so that the program's --help
does not wait for libraries of the network.
"""

import importlib
from typing import Any

_HOMES = {
    "Aborted": "export.client.errors",
    "AlreadyExists": "export.client.errors",
    "AsyncClient": "export.client.asynchronous",
    "BadAnswer": "export.client.errors",
    "Cancelled": "export.client.errors",
    "Client": "export.client.synchronous",
    "ClientError": "export.client.errors",
    "ConnectionFailed": "export.client.errors",
    "DataLoss": "export.client.errors",
    "DeadlineExceeded": "export.client.errors",
    "FailedPrecondition": "export.client.errors",
    "Internal": "export.client.errors",
    "InvalidArgument": "export.client.errors",
    "NotFound": "export.client.errors",
    "OutOfRange": "export.client.errors",
    "PermissionDenied": "export.client.errors",
    "ResourceExhausted": "export.client.errors",
    "ServerError": "export.client.errors",
    "Unauthenticated": "export.client.errors",
    "Unavailable": "export.client.errors",
    "Unimplemented": "export.client.errors",
    "Unknown": "export.client.errors",
    "VersionStatus": "export.client.status",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(
            f"module 'export.client' has no attribute {name!r}"
        )
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
