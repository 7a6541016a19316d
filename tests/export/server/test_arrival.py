"""When models have come, and which have failed."""

import pytest

from export.codes import Code
from export.server.arrival import Arrival
from export.server.errors import ServingError
from export.server.servable import VersionStatus


def _loaded(version: int) -> VersionStatus:
    return VersionStatus(version, "AVAILABLE", code=Code.OK, message="")


def _failed(version: int) -> VersionStatus:
    return VersionStatus(version, "END", code=Code.DATA_LOSS, message="bit rot")


def test_no_model_has_come_at_once() -> None:
    arrival = Arrival([])
    assert arrival.is_complete
    arrival.check()


def test_every_model_must_come() -> None:
    arrival = Arrival({"m", "n"})
    arrival.note("m", _loaded(3))
    arrival.note("other", _loaded(1))
    arrival.note("n", VersionStatus(1, "LOADING", code=Code.OK, message=""))
    assert not arrival.is_complete
    arrival.note("n", _loaded(1))
    assert arrival.is_complete
    arrival.check()


def test_failures_are_told_in_the_server_s_words() -> None:
    arrival = Arrival(["o", "n", "m"])
    for name, status in (
        ("o", _failed(7)),
        ("n", _loaded(2)),
        ("m", VersionStatus(3, "END", code=Code.OK, message="")),
    ):
        arrival.note(name, status)
    with pytest.raises(ServingError) as error:
        arrival.check()
    assert error.value.code == Code.UNKNOWN
    assert error.value.message == (
        "2 model(s) did not become available: {{{name: m version: 3}}, "
        "{{name: o version: 7} due to error: DATA_LOSS: bit rot}, }"
    )


@pytest.mark.parametrize("first", [_failed(3), _loaded(1)])
def test_one_version_of_a_model_decides(first: VersionStatus) -> None:
    arrival = Arrival(["m"])
    arrival.note("m", first)
    assert arrival.is_complete
    arrival.note("m", _loaded(2))
    if first.state == "END":
        with pytest.raises(ServingError, match=r"1 model\(s\) did not become"):
            arrival.check()
    else:
        arrival.check()


def test_of_two_versions_the_newer_decides() -> None:
    arrival = Arrival(["m", "n"])
    arrival.note("m", _loaded(1))
    arrival.note("m", _failed(2))
    arrival.note("n", _loaded(1))
    with pytest.raises(ServingError, match=r"\{name: m version: 2\} due to"):
        arrival.check()
