"""The global batch, gathered: its order, its rows, and the way back."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import replicas
from tfvae.replicas import gather_batch

X = np.random.default_rng(0).normal(size=[5, 2]).astype(np.float32)


def gather(
    sizes: list[int], weight: list[float] | None = None
) -> tuple[list[list[np.ndarray]], np.ndarray, np.ndarray]:
    """Gathers x and its outer products, which are of another rank.

    Returns:
      values: of each replica, the global batch of both.
      rows: of all replicas, in a row.
      gradient: [5, 2], for x, of `numpy_loss` summed over the replicas.
    """
    strategy = replicas(len(sizes))
    bounds = np.cumsum([0, *sizes])

    def share(value: np.ndarray) -> tf.Tensor:
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                value[
                    bounds[context.replica_id_in_sync_group] :
                    bounds[context.replica_id_in_sync_group + 1]
                ]
            )
        )  # fmt: skip

    @tf.function
    def local(
        x: tf.Tensor, weight: tf.Tensor | None = None
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outer = tf.einsum("bi,bj->bij", x, x)
            (batch, outers), rows = gather_batch([x, outer], weight)
            place = tf.range(1.0, tf.cast(tf.shape(batch)[0], tf.float32) + 1)
            loss = tf.reduce_sum(
                place[:, tf.newaxis] * tf.cumsum(batch) ** 2
            ) + tf.reduce_sum(tf.reduce_sum(outers, axis=0) ** 2)
        assert batch.shape[1:] == [2]
        assert outers.shape[1:] == [2, 2]
        return [batch, outers], rows, tape.gradient(loss, x)

    weights = [share(np.array(weight, np.float32))] if weight else []
    values, rows, gradient = strategy.run(local, args=(share(X), *weights))
    parts = strategy.experimental_local_results
    return (
        [[part.numpy() for part in parts(value)] for value in values],
        np.concatenate(parts(rows)),
        np.concatenate(parts(gradient)),
    )


@pytest.mark.parametrize(
    "sizes", [[5], [3, 2], [4, 1], [5, 0], [0, 5]], ids=str
)
def test_every_replica_has_the_global_batch_in_its_order(
    sizes: list[int],
) -> None:
    (batches, outers), rows, _ = gather(sizes)
    assert len(batches) == len(outers) == len(sizes)
    for batch, outer in zip(batches, outers, strict=True):
        np.testing.assert_array_equal(batch, X)
        np.testing.assert_allclose(outer, X[:, :, None] * X[:, None], rtol=1e-6)
    np.testing.assert_array_equal(rows, [0, 1, 2, 3, 4])


@pytest.mark.parametrize(
    ("sizes", "weight", "kept", "rows"),
    [
        ([3, 2], [1, 0, 0.5, 1, 1], [0, 2, 3, 4], [0, 0, 1, 2, 3]),
        ([1, 4], [0, 1, 1, 1, 1], [1, 2, 3, 4], [0, 0, 1, 2, 3]),
        ([4, 1], [1, 1, 1, 1, 0], [0, 1, 2, 3], [0, 1, 2, 3, 3]),
        ([5], [0, 1, 1, 0, 1], [1, 2, 4], [0, 0, 1, 1, 2]),
    ],
    ids=["in the middle", "a first share", "a last share", "one device"],
)
def test_examples_of_weight_zero_are_left_out(
    sizes: list[int], weight: list[float], kept: list[int], rows: list[int]
) -> None:
    (batches, _), actual_rows, gradient = gather(sizes, weight)
    for batch in batches:
        np.testing.assert_array_equal(batch, X[kept])
    np.testing.assert_array_equal(actual_rows, rows)
    left_out = [i for i in range(5) if i not in kept]
    np.testing.assert_array_equal(gradient[left_out], 0 * X[left_out])
    assert (gradient[kept] != 0).all()


@pytest.mark.parametrize("sizes", [[3, 2], [4, 1], [5, 0]], ids=str)
def test_gradient_of_all_replicas_flows_back_to_each(sizes: list[int]) -> None:
    _, _, expected = gather([5])
    _, _, gradient = gather(sizes)
    # Both replicas compute the same loss, so their sum is twice that of one.
    np.testing.assert_allclose(gradient, 2 * expected, rtol=1e-5)
