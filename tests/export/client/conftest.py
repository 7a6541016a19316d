"""A toy server over each transport, and a client of it."""

import pathlib
from collections.abc import Iterator

import pytest

from export.client import Client, calls, retrying
from tests.export.client.toy_server import TRANSPORTS, Toy


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(calls, "POLL_SECONDS", 0.02)


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture(params=list(TRANSPORTS))
def url(toy: Toy, request: pytest.FixtureRequest) -> Iterator[str]:
    with TRANSPORTS[request.param](toy) as url:
        yield url


@pytest.fixture
def served(toy: Toy) -> Iterator[str]:
    with TRANSPORTS["rest"](toy) as url:
        yield url


@pytest.fixture
def here(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url, timeout=30) as client:
        yield client
