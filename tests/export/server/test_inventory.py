"""Versions come into memory and go, while requests hold them."""

import pathlib
import threading
from collections.abc import Iterator

import pytest

from export.codes import Code
from export.server import inventory
from export.server.arrival import Arrival
from export.server.errors import ServingError
from export.server.servable import VersionStatus
from tests.export.server.fake_models import until
from tests.export.server.held_inventory import Held


@pytest.fixture
def held(tmp_path: pathlib.Path) -> Iterator[Held]:
    held = Held(tmp_path)
    yield held
    held.inventory.close()


def test_version_comes_and_the_old_one_goes(held: Held) -> None:
    held.start()
    held.want(1)
    held.settle({1: "AVAILABLE"})
    held.want(2)
    held.settle({2: "AVAILABLE", 1: "END"})
    assert held.load.sessions["m", 1].is_closed
    assert not held.load.sessions["m", 2].is_closed
    with held.inventory.hold("m", None) as servable:
        assert (servable.version, servable.name) == (2, "m")


def test_all_states_are_passed(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[tuple[str, VersionStatus]] = []
    arrival = held.inventory.expect(["never"])
    monkeypatch.setattr(arrival, "note", lambda *each: passed.append(each))
    held.inventory.start(Arrival(()))
    held.want(4)
    held.settle({4: "AVAILABLE"})
    held.want()
    held.settle({4: "END"})
    states = ("START", "LOADING", "AVAILABLE", "UNLOADING", "END")
    assert passed == [
        ("m", VersionStatus(4, state, code=Code.OK, message=""))
        for state in states
    ]


def test_load_is_tried_again(held: Held) -> None:
    held.start()
    held.load.failures = {3: 2}
    held.want(3)
    held.settle({3: "AVAILABLE"})
    assert held.load.tries == [("m", 3)] * 3


def test_last_failure_is_told(held: Held) -> None:
    held.start()
    held.load.failures = {3: 3}
    held.want(3)
    held.settle({3: "END"})
    folder = held.base / "m" / "3"
    assert held.inventory.statuses("m")[3] == VersionStatus(
        3, "END", code=Code.DATA_LOSS, message=f"bit rot in {folder}"
    )
    assert held.load.tries == [("m", 3)] * 3
    with (
        pytest.raises(ServingError, match=r"for request: Latest\(m\)"),
        held.inventory.hold("m", None),
    ):
        pass


def test_folder_is_looked_at_before_it_is_loaded(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    look_through = inventory.loading.look_through

    def look(version: object) -> None:
        looks.append(held.states()[8])
        look_through(version)

    monkeypatch.setattr(inventory.loading, "look_through", look)
    held.start()
    held.inventory.want({"m": {8: str(held.base / "gone")}})
    held.settle({8: "END"})
    assert looks == ["START"] * 3
    assert held.load.tries == []
    status = held.inventory.statuses("m")[8]
    assert status.code == Code.NOT_FOUND
    assert status.message.endswith(
        "{name: m version: 8}: " + f"{held.base}/gone not found"
    )


def test_newer_version_waits_for_one_that_is_tried_again(held: Held) -> None:
    held.start()
    held.load.gates = {5: threading.Event()}
    held.load.failures = {5: 3}
    held.want(5)
    held.settle({5: "LOADING"})
    held.want(6)
    assert held.states() == {5: "LOADING"}
    held.load.gates[5].set()
    held.settle({5: "END", 6: "AVAILABLE"})


def test_first_versions_are_loaded_side_by_side(held: Held) -> None:
    arrival = held.inventory.expect(["m", "n"])
    held.load.gates = {1: threading.Event(), 2: threading.Event()}
    held.want(1)
    held.want(2, name="n")
    held.inventory.start(arrival)
    held.settle({1: "LOADING"})
    held.settle({2: "LOADING"}, name="n")
    assert not held.inventory.wait(arrival, 0)
    held.load.gates[2].set()
    held.settle({2: "AVAILABLE"}, name="n")
    assert not held.inventory.wait(arrival, 0)
    held.load.gates[1].set()
    assert held.inventory.wait(arrival, 5)
    arrival.check()


def test_first_versions_are_waited_for_to_the_last(held: Held) -> None:
    held.load.gates = {1: threading.Event()}
    arrival = held.inventory.expect(["m"])
    held.want(1, 2)
    held.inventory.start(arrival)
    held.settle({1: "LOADING", 2: "AVAILABLE"})
    assert arrival.is_complete
    assert not held.inventory.wait(arrival, 0)
    held.load.gates[1].set()
    assert held.inventory.wait(arrival, 5)


def test_first_version_may_go_before_it_has_come(held: Held) -> None:
    arrival = held.start("m", "n")
    held.want(1)
    held.settle({1: "AVAILABLE"})
    held.want()
    held.settle({1: "END"})
    held.want(2, name="n")
    assert held.inventory.wait(arrival, 5)


def test_version_in_use_is_unloaded_afterwards(held: Held) -> None:
    held.start()
    held.want(1)
    held.settle({1: "AVAILABLE"})
    with held.inventory.hold("m", 1) as first:
        with held.inventory.hold("m", None) as second:
            assert second is first
            held.want(2)
            held.settle({2: "AVAILABLE", 1: "UNLOADING"})
        with held.inventory.hold("m", None) as newest:
            assert newest.version == 2
        with (
            pytest.raises(ServingError) as error,
            held.inventory.hold("m", 1),
        ):
            pass
        assert error.value.code == Code.NOT_FOUND
        assert error.value.message == (
            "Servable not found for request: Specific(m, 1)"
        )
        assert not held.load.sessions["m", 1].is_closed
        assert held.states()[1] == "UNLOADING"
    held.settle({2: "AVAILABLE", 1: "END"})
    assert held.load.sessions["m", 1].is_closed


def test_no_version_is_freed_in_use(held: Held) -> None:
    held.start()
    held.want(1)
    held.settle({1: "AVAILABLE"})
    is_over, errors, counts = threading.Event(), [], []

    def ask() -> None:
        count = 0
        while not is_over.is_set():
            try:
                with held.inventory.hold("m", None) as servable:
                    servable.session.run({}, [])
                    count += 1
            except (AssertionError, ServingError) as error:
                errors.append(error)
        counts.append(count)

    users = [threading.Thread(target=ask) for _ in range(3)]
    for user in users:
        user.start()
    for version in range(2, 40):
        held.want(version)
        until(lambda version=version: held.states()[version - 1] == "END")
    is_over.set()
    for user in users:
        user.join()
    assert errors == []
    assert min(counts) > 0


def test_request_that_fails_lets_go(held: Held) -> None:
    held.start()
    held.want(1)
    held.settle({1: "AVAILABLE"})
    with (
        pytest.raises(ZeroDivisionError),
        held.inventory.hold("m", None),
    ):
        raise ZeroDivisionError
    held.want()
    held.settle({1: "END"})


def test_done_arrivals_are_forgotten(held: Held) -> None:
    held.start()
    for _ in range(5):
        held.inventory.expect(())
    assert len(held.inventory._arrivals) == 1


def test_statuses_of_a_model_are_its_own(held: Held) -> None:
    held.start()
    held.want(1)
    held.want(7, name="n")
    held.settle({1: "AVAILABLE"})
    held.settle({7: "AVAILABLE"}, name="n")
    assert held.inventory.statuses("o") == {}
