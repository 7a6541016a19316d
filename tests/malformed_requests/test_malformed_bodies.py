"""Every malformed request over HTTP gets 4xx and one clear line."""

import logging

import pytest

from tests.malformed_requests import answers, bodies, targets
from tests.malformed_requests.answers import Case, Ports

CASES = [*bodies.cases(), *targets.cases()]
GOOD = Case(
    "good", "POST", b"/v1/models/decoder:predict", b"", bodies.GOOD, 200, ""
)


def test_there_are_many() -> None:
    assert len(CASES) >= 140
    assert len({(case.name, case.path) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_malformed_request(
    case: Case, ports: Ports, caplog: pytest.LogCaptureFixture
) -> None:
    answer = answers.send(ports.rest, case.request)
    status, words = answers.status_and_words(answer)
    assert status == case.status, words
    assert case.words in words
    assert [r for r in caplog.records if r.levelno > logging.INFO] == []


def test_a_good_request_is_answered_after_them_all(ports: Ports) -> None:
    assert answers.send(ports.rest, GOOD.request).startswith(b"HTTP/1.1 200 ")
