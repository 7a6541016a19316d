"""Managers of fake models, closed at the end of each test."""

import pathlib
from collections.abc import Iterator

import pytest

from export.server.manager import Manager
from export.server.metrics import Metrics
from export.server.options import Options
from tests.export.server.fake_models import FakeLoad, make_versions
from tests.export.server.managers import Make


@pytest.fixture
def load() -> FakeLoad:
    """Returns what loads fake models."""
    return FakeLoad()


@pytest.fixture
def make(load: FakeLoad) -> Iterator[Make]:
    """Yields what makes a manager that is closed at the end.

    It looks at the base paths only when `poll` is called.
    """
    made = []

    def make(config: object, **options: object) -> Manager:
        values = {
            "file_system_poll_wait_seconds": -1,
            "max_num_load_retries": 0,
        }
        manager = Manager(
            config, Options(**values | options), metrics=Metrics(), load=load
        )
        made.append(manager)
        return manager

    yield make
    for manager in made:
        manager.close()


@pytest.fixture
def base(tmp_path: pathlib.Path) -> pathlib.Path:
    """Returns a base path with two versions."""
    return make_versions(tmp_path / "base", 1, 2)
