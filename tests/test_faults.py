"""The first fault is remembered: which quantity, at which step."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import replicas
from tfvae.faults import QUANTITIES, Faults, num_broken
from tfvae.replicas import sum_over_replicas

SOUND = {
    "log_likelihood": tf.constant([1.0, 2.0, 3.0]),
    "kl": tf.zeros([3]),
    "loss": tf.ones([3]),
    "gradient": [tf.ones([2, 2]), tf.zeros([5])],
}


def broken(name: str, value: float) -> dict:
    """Returns SOUND with one entry of one quantity set to `value`."""
    tensor = tf.constant([0.0, value, 1.0])
    return SOUND | {
        name: [tf.ones([2]), tensor] if name == "gradient" else tensor
    }


def note(faults: Faults, step: int, values: dict) -> None:
    faults.note(tf.constant(step, tf.int64), num_broken(**values))


def test_sound_steps_leave_no_fault() -> None:
    faults = Faults()
    note(faults, 0, SOUND)
    note(faults, 1, SOUND | {"gradient": []})
    assert faults.found() is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", QUANTITIES)
def test_fault_is_named_with_its_step(name: str, value: float) -> None:
    faults = Faults()
    note(faults, 3, SOUND)
    note(faults, 4, broken(name, value))
    assert faults.found() == (name, 4)


def test_fault_at_step_zero_counts() -> None:
    faults = Faults()
    note(faults, 0, broken("kl", np.nan))
    assert faults.found() == ("kl", 0)


def test_first_fault_stays() -> None:
    faults = Faults()
    note(faults, 5, broken("gradient", np.inf))
    note(faults, 6, broken("log_likelihood", np.nan))
    note(faults, 7, SOUND)
    assert faults.found() == ("gradient", 5)


def test_within_a_step_the_quantity_that_broke_first_is_named() -> None:
    faults = Faults()
    nan = tf.fill([3], np.nan)
    note(faults, 2, SOUND | {"kl": nan, "loss": nan, "gradient": [nan] * 2})
    assert faults.found() == ("kl", 2)


@pytest.mark.parametrize("culprit", [0, 1])
def test_fault_of_any_replica_is_found(culprit: int) -> None:
    strategy = replicas(2)
    with strategy.scope():
        faults = Faults()

    def step() -> None:
        context = tf.distribute.get_replica_context()
        is_culprit = context.replica_id_in_sync_group == culprit
        kl = tf.where(is_culprit, np.nan, 0.0) * tf.ones([3])
        counts = sum_over_replicas(num_broken(**SOUND | {"kl": kl}))
        faults.note(tf.constant(9, tf.int64), counts)

    strategy.run(tf.function(step))
    assert faults.found() == ("kl", 9)
