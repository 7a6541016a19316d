"""Managers of fake models, and what is asked of them."""

from collections.abc import Callable

import pytest

from export.codes import Code
from export.server.errors import ServingError
from export.server.manager import Manager
from tests.export.server.fake_models import until

Make = Callable[..., Manager]


def ready(manager: Manager) -> Manager:
    """Starts a manager, looks once, and waits for its first models."""
    manager.start()
    manager.poll()
    assert manager.wait_until_ready(5)
    return manager


def states(manager: Manager, name: str = "m") -> dict[int, str]:
    """Returns the state of each version."""
    return {each.version: each.state for each in manager.statuses(name)}


def settle(manager: Manager, expected: dict[int, str]) -> None:
    """Waits until the versions of `m` are in these states."""
    until(lambda: states(manager) == expected)


def served(manager: Manager, **which: object) -> int:
    """Returns the version that a request for `m` gets."""
    with manager.use("m", **which) as servable:
        return servable.version


def refusal(call: Callable[[], object]) -> tuple[Code, str]:
    """Returns the code and the message of the error that a call ends in."""
    with pytest.raises(ServingError) as error:
        call()
    return error.value.code, error.value.message
