"""Every recorded answer of the real server, asked of the one under test."""

import contextlib
import pathlib
from collections.abc import Iterator

import pytest

from tests.export import recorded_cases
from tests.export.server_process import ServerProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, ServerProcess]]:
    """A fresh server for each mode; all of them start at once."""
    with contextlib.ExitStack() as running:
        started = {}
        for mode in recorded_cases.MODES:
            folder: pathlib.Path = tmp_path_factory.mktemp(mode)
            flags = recorded_cases.flags(mode, folder)
            started[mode] = running.enter_context(ServerProcess(*flags))
        yield started


@pytest.mark.parametrize(
    ("mode", "count"),
    [
        ("plain", 300),
        ("per_model_batching", 42),
        ("global_batching", 43),
        ("labels", 32),
        ("cors", 11),
        ("monitoring", 9),
        ("monitoring_own_path", 2),
    ],
)
def test_every_recorded_case(
    mode: str, count: int, servers: dict[str, ServerProcess]
) -> None:
    cases = recorded_cases.of(mode)
    assert len(cases) == count
    url = servers[mode].ready().url
    wrong = [
        sentence
        for case in cases
        for sentence in recorded_cases.wrong(
            case, *recorded_cases.send(url, case)
        )
    ]
    assert wrong == []
