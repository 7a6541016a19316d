"""How many steps run between two looks, with a clock of our own."""

from collections.abc import Callable

import pytest

from tfvae import pace
from tfvae.pace import Pace


class OtherWorkers:
    """In place of `Workers`: another one that wants at most `most` steps."""

    def __init__(self, most: int = 10**6) -> None:
        self.most = most

    def largest(self, value: int) -> int:
        return max(value, -self.most)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Function: lets seconds pass."""
    now = [100.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def run(
    made: Pace, end: int, clock: Callable[[float], None], step_seconds: float
) -> list[int]:
    """Returns the sizes of the executions of an epoch of `end` steps."""
    sizes, at = [], 0
    for first, num in made.executions(0, end):
        assert first == at
        assert num > 0
        at += num
        sizes.append(num)
        clock(num * step_seconds)
    assert at == end
    return sizes


def test_steps_double_up_to_the_most(clock: Callable[[float], None]) -> None:
    made = Pace(10, OtherWorkers())
    assert run(made, 40, clock, 1e-3) == [1, 2, 4, 8, 10, 10, 5]


def test_pace_is_kept_from_epoch_to_epoch(
    clock: Callable[[float], None],
) -> None:
    made = Pace(8, OtherWorkers())
    run(made, 15, clock, 1e-3)
    assert run(made, 18, clock, 1e-3) == [8, 8, 2]
    # A short rest says nothing of what more steps would cost.
    assert run(made, 18, clock, 1e-3) == [8, 8, 2]


def test_execution_takes_about_a_second_or_two(
    clock: Callable[[float], None],
) -> None:
    made = Pace(10**6, OtherWorkers())
    assert run(made, 200, clock, 0.4)[:6] == [1, 2, 4, 4, 4, 4]


def test_steps_that_grow_slow_are_cut_down(
    clock: Callable[[float], None],
) -> None:
    made = Pace(64, OtherWorkers())
    run(made, 127, clock, 1e-3)
    assert run(made, 180, clock, 0.1)[:5] == [64, 32, 16, 16, 16]
    assert run(made, 4, clock, 9.0) == [4]
    assert run(Pace(64, OtherWorkers()), 3, clock, 9.0) == [1, 1, 1]


def test_slowest_worker_sets_the_pace(clock: Callable[[float], None]) -> None:
    assert run(Pace(100, OtherWorkers(3)), 12, clock, 1e-3) == [1, 2, 3, 3, 3]


def test_resumed_epoch_begins_at_its_step(
    clock: Callable[[float], None],
) -> None:
    made = Pace(4, OtherWorkers())
    assert list(made.executions(5, 12)) == [(5, 1), (6, 2), (8, 4)]
    assert list(made.executions(7, 7)) == []
