"""The explorer, open in a browser that a whole module shares."""

import pathlib
from collections.abc import Iterator

import pytest

from export import explorer
from export.explorer import local
from tests.export.explorer.browser import Browser
from tests.export.explorer.explored import Explored
from tests.export.explorer.row_server import RowServer


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with one page."""
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def server() -> Iterator[RowServer]:
    """A server of small models."""
    server = RowServer()
    yield server
    server.close()


@pytest.fixture
def explored(browser: Browser, server: RowServer) -> Iterator[Explored]:
    """The explorer before that server; it must leave the console empty."""
    browser.console.clear()
    browser.resize(1180, 900)
    page = local.listen(explorer.page(server.url), host="127.0.0.1", port=0)
    address = f"http://127.0.0.1:{page.port}/"
    yield (explored := Explored(browser, server, address))
    browser.send("Page.navigate", url="about:blank")
    page.close()
    assert explored.complaints() == []


@pytest.fixture
def png(tmp_path: pathlib.Path) -> pathlib.Path:
    """Where a test may write an image."""
    return tmp_path / "an image.png"
