"""When a version is ready, and when it never will be."""

import pytest

from export.client import FailedPrecondition, NotFound, VersionStatus
from export.client.status import in_words, is_ready, read_status
from export.codes import Code
from export.protos import get_model_status_pb2

BAD = VersionStatus(4, "END", Code.FAILED_PRECONDITION, "a bad record")
GONE = VersionStatus(3, "END", Code.NOT_FOUND, "no data")
LOADING = VersionStatus(2, "LOADING")
UNLOADED = VersionStatus(1, "END")
GOOD = VersionStatus(1, "AVAILABLE")


@pytest.mark.parametrize(
    ("found", "version", "expected"),
    [
        ([BAD, GOOD], None, True),
        ([BAD, GOOD], 1, True),
        ([BAD, LOADING], None, False),  # which may still become available
        ([BAD, LOADING], 2, False),
        ([BAD, LOADING], 5, False),
        ([UNLOADED], 1, False),  # it may be loaded again
        ([], None, False),
    ],
)
def test_what_is_ready(
    found: list[VersionStatus], version: int | None, expected: bool
) -> None:
    assert is_ready(found, version) == expected


def test_what_will_not_be_ready() -> None:
    with pytest.raises(FailedPrecondition, match="a bad record"):
        is_ready([BAD, GONE, UNLOADED], None)  # the newest one says why
    with pytest.raises(NotFound, match="no data"):
        is_ready([BAD, GONE, GOOD], 3)


def test_states_in_words() -> None:
    found = [BAD, LOADING]
    assert in_words(found, None) == "version 4 is END, version 2 is LOADING"
    assert in_words(found, 2) == "version 2 is LOADING"
    assert in_words(found, 3) == "version 3 is not there"
    assert in_words([], None) == "no version is there"


def test_what_a_later_server_may_say_is_kept() -> None:
    response = get_model_status_pb2.GetModelStatusResponse()
    one = response.model_version_status.add(version=5)
    one.state = 77
    one.status.error_code = 99
    assert read_status(response) == [VersionStatus(5, "77", Code.UNKNOWN)]
