"""What an inventory frees, waits for and gives up when it is closed."""

import pathlib
import threading
from collections.abc import Iterator

import pytest

from export.server import inventory
from export.server.inventory import Inventory
from tests.export.server.fake_models import FakeLoad, make_versions, until
from tests.export.server.held_inventory import Held


@pytest.fixture
def held(tmp_path: pathlib.Path) -> Iterator[Held]:
    held = Held(tmp_path)
    yield held
    held.inventory.close()


def test_close_frees_what_is_not_in_use(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "GRACE_SECONDS", 0.01)
    held.start()
    held.want(1, 2, 3)
    held.settle(dict.fromkeys((1, 2, 3), "AVAILABLE"))
    with held.inventory.hold("m", 2):
        held.inventory.close()
    closed = {v: s.is_closed for (_, v), s in held.load.sessions.items()}
    assert closed == {1: True, 2: False, 3: True}


def test_close_gives_up_a_version_that_waits_for_its_users(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "GRACE_SECONDS", 0.01)
    held.start()
    held.want(1)
    held.settle({1: "AVAILABLE"})
    with held.inventory.hold("m", 1):
        held.want()
        held.settle({1: "UNLOADING"})
        held.inventory.close()
        assert not held.load.sessions["m", 1].is_closed


def _close_while(held: Held, event: threading.Event) -> None:
    """Closes, and lets something end only when that is under way."""
    closing = threading.Thread(target=held.inventory.close)
    closing.start()
    assert held.inventory._closing.wait(60)
    closing.join(0.05)
    assert closing.is_alive()
    event.set()
    closing.join(60)
    assert not closing.is_alive()
    assert held.load.sessions["m", 1].is_closed


def test_close_waits_for_a_request_that_ends_soon(held: Held) -> None:
    held.start()
    held.want(1)
    held.settle({1: "AVAILABLE"})
    began, end = threading.Event(), threading.Event()

    def request() -> None:
        with held.inventory.hold("m", 1):
            began.set()
            assert end.wait(60)

    user = threading.Thread(target=request)
    user.start()
    assert began.wait(60)
    _close_while(held, end)
    user.join()


def test_close_waits_for_the_first_loads(held: Held) -> None:
    held.load.gates = {1: threading.Event()}
    held.start("m")
    held.want(1)
    held.settle({1: "LOADING"})
    _close_while(held, held.load.gates[1])


def test_close_ends_the_wait_between_tries(tmp_path: pathlib.Path) -> None:
    load = FakeLoad()
    load.failures = {1: 9}
    make_versions(tmp_path, 1)
    stock = Inventory(load, max_retries=5, retry_seconds=3600)
    arrival = stock.expect(["m"])
    stock.start(arrival)
    stock.want({"m": {1: str(tmp_path / "1")}})
    until(lambda: load.tries == [("m", 1)])
    stock.close()
    assert load.tries == [("m", 1)]


def test_close_before_the_start_is_fine(held: Held) -> None:
    held.inventory.close()


def test_close_ends_every_wait(held: Held) -> None:
    arrival = held.start("m")
    waiting = threading.Thread(target=held.inventory.wait, args=(arrival,))
    waiting.start()
    held.inventory.close()
    waiting.join(60)
    assert not waiting.is_alive()
    assert not held.inventory.wait(arrival)
