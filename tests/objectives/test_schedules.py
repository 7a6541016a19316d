"""Weight of the KL at the start, within and after a warm-up."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.objectives import schedules


def weights(schedule: schedules.Schedule, steps: list[int]) -> list[float]:
    return [float(schedule(tf.constant(step, tf.int64))) for step in steps]


def test_constant_is_one_by_default() -> None:
    assert weights(schedules.Constant(), [0, 7, 10**9]) == [1, 1, 1]
    assert weights(schedules.Constant(0.25), [0, 7]) == [0.25, 0.25]


def test_linear_rises_to_one_and_stays() -> None:
    np.testing.assert_allclose(
        weights(schedules.Linear(8), [0, 2, 7, 8, 9, 10**6]),
        [0, 0.25, 0.875, 1, 1, 1],
    )


def test_cyclical_rises_in_the_first_half_of_each_cycle() -> None:
    np.testing.assert_allclose(
        weights(schedules.Cyclical(10), [0, 1, 4, 5, 9, 10, 13, 15, 100]),
        [0, 0.2, 0.8, 1, 1, 0, 0.6, 1, 0],
        rtol=1e-6,
    )


def test_ramp_rises_to_its_top_and_stays() -> None:
    np.testing.assert_allclose(
        weights(schedules.Ramp(top=25.0, num_steps=8), [0, 2, 7, 8, 9, 10**6]),
        [0, 6.25, 21.875, 25, 25, 25],
    )


@pytest.mark.parametrize(
    ("name", "at_start_of_second_cycle"), [("linear", 1), ("cyclical", 0)]
)
def test_table_tells_the_schedules_apart(
    name: str, at_start_of_second_cycle: float
) -> None:
    schedule = schedules.SCHEDULES[name](10)
    assert weights(schedule, [10]) == [at_start_of_second_cycle]
    assert set(schedules.SCHEDULES) == {"linear", "cyclical"}
