"""Errors as gRPC's statuses."""

from typing import NoReturn

import grpc
import pytest

from export.codes import Code
from export.server.errors import ServingError
from export.server.grpc_errors import STATUS_CODES, answered


class _Aborted(Exception):
    pass


class _Context:
    """What a method is given beside its request."""

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise _Aborted(code, details)


def _answer(error: Exception | None) -> tuple:
    @answered
    def method(self: str, request: str, context: _Context) -> str:
        if error is not None:
            raise error
        return f"{self} {request}"

    try:
        return method("self", "request", _Context())
    except _Aborted as aborted:
        return aborted.args


def test_a_method_answers() -> None:
    assert _answer(None) == "self request"


def test_every_code_has_its_status() -> None:
    for code in Code:
        assert STATUS_CODES[code].name == code.name


def test_code_and_words_are_kept() -> None:
    error = ServingError(Code.DATA_LOSS, "a\n\tb")
    assert _answer(error) == (grpc.StatusCode.DATA_LOSS, "a\n\tb")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("a" * 1024, "a" * 1024),
        ("a" * 1025, "a" * 1024 + "...TRUNCATED"),
        ("a" + "é" * 512, "a" + "é" * 511 + "...TRUNCATED"),
    ],
)
def test_a_long_message_is_cut(message: str, words: str) -> None:
    assert _answer(ServingError(Code.INTERNAL, message))[1] == words


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        _answer(ZeroDivisionError())
