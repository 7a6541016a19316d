"""A signal ends a program's work between two steps, with status and line."""

import os
import signal
import sys
from collections.abc import Callable

import pytest

from export import interruption

BOTH = pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
)


def run(work: Callable[[], int]) -> int:
    return interruption.run(work, stopped="stopped; go on.")


def signals(*numbers: int) -> int:
    for number in numbers:
        os.kill(os.getpid(), number)
    return 0


def test_status_of_work_is_returned(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda: 3) == 3
    assert capsys.readouterr() == ("", "")


@BOTH
def test_signal_ends_the_work_with_one_line(
    number: int,
    status: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/rollout.py"])
    before = signal.getsignal(number)
    done = []

    def work() -> int:
        signals(number)
        done.append("goes on")
        return 0

    assert run(work) == status
    assert done == []
    assert capsys.readouterr().err == "rollout.py: stopped; go on.\n"
    assert signal.getsignal(number) == before


@BOTH
def test_held_work_is_done_before_the_signal_counts(
    number: int, status: int
) -> None:
    done = []

    def work() -> int:
        with interruption.held():
            signals(number, signal.SIGTERM)  # the first one counts
            done.append("held")
        done.append("after")
        return 0

    assert run(work) == status
    assert done == ["held"]


def test_error_of_held_work_is_told_rather_than_the_signal() -> None:
    def work() -> int:
        with interruption.held():
            signals(signal.SIGTERM)
            raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        run(work)
    assert run(lambda: 0) == 0  # forgotten


def test_signal_that_python_swallows_keeps_the_next_step_from_beginning() -> (
    None
):
    steps = []

    def swallows() -> int:
        try:
            signals(signal.SIGTERM)
        except KeyboardInterrupt:
            steps.append("swallowed")
        with interruption.held():
            steps.append("never")
        return 0

    assert run(swallows) == 143
    assert steps == ["swallowed"]
