"""Batches of one shape, traced once, and what comes out of them."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.metrics import decoding

NUM = 2 * decoding.BATCH + 17


@pytest.mark.parametrize("num", [3, decoding.BATCH, decoding.BATCH + 1, NUM])
def test_batches_give_every_row_once_and_in_order(num: int) -> None:
    rng = np.random.default_rng(0)
    x, scale = rng.normal(size=[num, 2, 3]), rng.normal(size=num)
    shift = rng.integers(0, 9, [num, 1])

    def function(x: tf.Tensor, scale: tf.Tensor, more: dict) -> tf.Tensor:
        total = tf.reduce_sum(x, axis=[1, 2])
        return total * scale + tf.cast(more["shift"][:, 0], tf.float64)

    result = decoding.batched(function, x, scale, {"shift": shift})
    expected = x.sum(axis=(1, 2)) * scale + shift[:, 0]
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_many_batches_are_traced_once_and_one_is_not() -> None:
    seen = []

    def function(x: tf.Tensor) -> tf.Tensor:
        seen.append(x.shape[0])
        return x

    decoding.batched(function, np.zeros([NUM, 2]))
    assert seen == [decoding.BATCH]
    decoding.batched(function, np.zeros([3, 2]))
    assert seen == [decoding.BATCH, 3]


def test_blocks_share_a_trace() -> None:
    traced = []

    def function(x: tf.Tensor) -> tf.Tensor:
        traced.append(x)
        return x + 1

    compiled = decoding.compiled(function)
    for num in (3, NUM, decoding.BATCH):
        made = list(decoding.batches(compiled, np.arange(num)))
        assert max(map(len, made)) <= decoding.BATCH
        np.testing.assert_array_equal(
            np.concatenate(made), np.arange(1, num + 1)
        )
    assert len(traced) == 1
