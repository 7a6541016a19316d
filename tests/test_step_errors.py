"""Errors of reading and of memory, in one line."""

import pytest
import tensorflow as tf

from tfvae.errors import FailedError, InputError
from tfvae.step_errors import told_plainly


def test_example_that_cannot_be_read_is_told() -> None:
    pictures = tf.data.Dataset.from_tensor_slices([b"no picture"] * 3)
    batches = iter(pictures.map(tf.io.decode_png))

    @tf.function
    def step() -> tf.Tensor:
        return tf.reduce_sum(next(batches))

    with (
        pytest.raises(
            InputError, match=r"`dataset` holds an example that cannot be read"
        ) as told,
        told_plainly(),
    ):
        step()
    assert "\n" not in str(told.value)


def test_want_of_memory_is_told() -> None:
    error = tf.errors.ResourceExhaustedError(None, None, "OOM when\nmore")
    with (
        pytest.raises(FailedError, match=r"out of memory \(OOM when\); give"),
        told_plainly(),
    ):
        raise error


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError), told_plainly():
        tf.linalg.cholesky([[1.0, 2.0, 3.0]])
