"""What is loaded and unloaded next, case by case."""

import pathlib

import pytest

from export.server.lifecycle import Lifecycle, State
from export.server.servable import Servable
from tests.export.server.fake_models import FakeLoad


class Played:
    """A lifecycle whose actions are done at once."""

    def __init__(self) -> None:
        self.lifecycle, self.load = Lifecycle(), FakeLoad()
        self.bad: set[int] = set()

    def want(self, *versions: int, name: str = "m") -> list[str]:
        """Returns what is done once these versions are wanted."""
        folders = {version: f"/{name}/{version}" for version in versions}
        self.lifecycle.want(name, folders)
        return self.play()

    def play(self) -> list[str]:
        """Returns what is done until there is nothing more to do."""
        done = []
        while True:
            self.lifecycle.take_up()
            version = self.lifecycle.next_action()
            if version is None:
                return done
            done.append(f"{version.state.name} {version.number}")
            if version.state is State.UNLOADING:
                version.state, version.servable = State.ENDED, None
            elif version.number in self.bad:
                version.state = State.FAILED
            else:
                version.state = State.READY
                version.servable = self.servable(version.number)

    def servable(self, number: int) -> Servable:
        return self.load("m", version=number, folder=f"/m/{number}")

    def served(self) -> int | None:
        """Returns the version that requests without one get."""
        version = self.lifecycle.find("m")
        return None if version is None else version.number


@pytest.fixture
def played() -> Played:
    return Played()


def test_new_version_is_loaded_before_the_old_one_goes(played: Played) -> None:
    assert played.want(1) == ["LOADING 1"]
    assert played.want(2) == ["LOADING 2", "UNLOADING 1"]
    assert played.served() == 2


def test_new_versions_are_loaded_from_the_highest_down(played: Played) -> None:
    assert played.want(4, 11, 7) == ["LOADING 11", "LOADING 7", "LOADING 4"]


def test_old_ones_go_from_the_lowest_up(played: Played) -> None:
    played.want(1, 2, 3)
    # Two may go at once; the last one waits for the new version.
    assert played.want(9) == [
        "UNLOADING 1", "UNLOADING 2", "LOADING 9", "UNLOADING 3",
    ]  # fmt: skip


def test_same_wish_again_does_nothing(played: Played) -> None:
    played.want(2)
    assert played.want(2) == []


def test_no_version_wanted_unloads_all(played: Played) -> None:
    played.want(1, 2)
    assert played.want() == ["UNLOADING 1", "UNLOADING 2"]
    assert played.served() is None


def test_failed_version_leaves_the_old_one(played: Played) -> None:
    played.want(1)
    played.bad = {3}
    assert played.want(3) == ["LOADING 3"]
    assert played.served() == 1


def test_number_of_a_failed_version_is_burned(played: Played) -> None:
    played.want(1)
    played.bad = {3}
    played.want(3)
    assert played.want(1) == []  # 3 is deleted
    played.bad = set()
    assert played.want(3) == []  # and comes again, a good one
    assert played.served() == 1
    assert played.want(4) == ["LOADING 4", "UNLOADING 1"]


def test_good_version_comes_back_under_its_number(played: Played) -> None:
    played.want(2)
    assert played.want(1) == ["LOADING 1", "UNLOADING 2"]
    assert played.want(2) == ["LOADING 2", "UNLOADING 1"]


def test_version_that_is_being_unloaded_has_to_go_first(
    played: Played,
) -> None:
    played.want(1, 2)
    lifecycle = played.lifecycle
    lifecycle.want("m", {2: "/m/2"})
    lifecycle.take_up()
    version = lifecycle.next_action()
    assert version is not None
    assert (version.number, version.state) == (1, State.UNLOADING)
    assert played.want(1, 2) == []  # it still goes
    version.state = State.ENDED
    assert played.play() == ["LOADING 1"]


def test_last_wish_counts(played: Played) -> None:
    played.lifecycle.want("m", {1: "/m/1"})
    played.lifecycle.want("m", {2: "/m/2"})
    assert played.play() == ["LOADING 2"]


def test_version_taken_back_before_it_is_loaded_is_forgotten(
    played: Played,
) -> None:
    played.lifecycle.want("m", {1: "/m/1"})
    assert [str(new) for new in played.lifecycle.take_up()] == [
        "{name: m version: 1}"
    ]
    assert played.want() == []
    assert played.want(1) == ["LOADING 1"]


def test_version_no_longer_wanted_is_loaded_to_the_end(
    played: Played,
) -> None:
    played.lifecycle.want("m", {1: "/m/1"})
    played.lifecycle.take_up()
    version = played.lifecycle.next_action()
    assert version is not None
    assert played.want() == []
    assert played.play() == []
    version.state = State.READY
    assert played.play() == ["UNLOADING 1"]


def test_models_do_not_wait_for_each_other(played: Played) -> None:
    played.want(1)
    played.lifecycle.want("n", {5: "/n/5"})
    played.lifecycle.want("m", {})
    # What frees memory goes first.
    assert played.play() == ["UNLOADING 1", "LOADING 5"]


def test_loaded_versions_are_found(played: Played) -> None:
    played.want(-3, 8)
    for number in (-3, 8):
        version = played.lifecycle.find("m", number)
        assert version is not None
        assert version.number == number
    assert played.served() == 8
    assert played.lifecycle.find("m", 0) is None
    assert played.lifecycle.find("n") is None
    assert {each.number for each in played.lifecycle.loaded()} == {-3, 8}


def test_negative_version_is_the_newest_where_it_is_alone(
    played: Played, tmp_path: pathlib.Path
) -> None:
    played.want(-3)
    assert played.served() == -3
