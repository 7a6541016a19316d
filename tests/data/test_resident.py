"""Resident: to the bit the batches that tf.data makes of the same split."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import replicas
from tfvae.data import pipeline
from tfvae.data.resident import Resident, View
from tfvae.data.split import ArraySplit

NUM_EXAMPLES, BATCH, STEPS, SEED = 11, 4, 3, 5
RNG = np.random.default_rng(2)
X = RNG.integers(0, 256, [NUM_EXAMPLES, 6, 5, 2], np.uint8)
Y = RNG.integers(0, 3, NUM_EXAMPLES)
VIEWS: dict[str, dict[str, Any]] = {
    "plain": {},
    "binarized": {"binarize": "dynamic"},
    "dequantized": {"dequantize": True},
    "label": {"condition": "label"},
    "mask": {"condition": "mask", "mask": "scattered"},
}


def _split(view: dict[str, Any]) -> ArraySplit:
    dequantized = view.get("dequantize", False)
    return ArraySplit(X, Y, 256.0 if dequantized else 255.0, dequantized)


def _resident(
    view: dict[str, Any],
    *,
    training: bool,
    strategy: tf.distribute.Strategy | None = None,
) -> Resident:
    return Resident(
        _split(view), BATCH, View(seed=SEED, **view), training=training,
        strategy=strategy or tf.distribute.get_strategy(),
    )  # fmt: skip


def _batches(data: Resident, epoch: int) -> list[Any]:
    order = data.order(tf.constant(epoch, tf.int64))
    return [
        data.batch(data.tables, order, tf.constant(epoch), tf.constant(step))
        for step in range(data.num_steps)
    ]


@pytest.mark.parametrize("name", VIEWS)
def test_training_batches_are_those_of_tf_data(name: str) -> None:
    view = VIEWS[name]
    data = _resident(view, training=True)
    ours = [batch for epoch in range(2) for batch in _batches(data, epoch)]
    theirs = pipeline.train_batches(
        _split(view), BATCH, seed=SEED, num_epochs=2, **view
    )
    _assert_equal(ours, list(theirs))


@pytest.mark.parametrize("name", VIEWS)
def test_batches_of_evaluation_are_those_of_tf_data(name: str) -> None:
    view = VIEWS[name]
    data = _resident(view, training=False)
    theirs = list(pipeline.eval_batches(_split(view), BATCH, seed=SEED, **view))
    for epoch in (0, 1):
        _assert_equal(_batches(data, epoch), theirs)


def _assert_equal(ours: list[Any], theirs: list[Any]) -> None:
    assert len(ours) == len(theirs)
    for own, their in zip(ours, theirs, strict=True):
        tf.nest.assert_same_structure(own, their)
        for a, b in zip(
            tf.nest.flatten(own), tf.nest.flatten(their), strict=True
        ):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def test_order_fills_up_the_last_batch() -> None:
    data = _resident({}, training=True)
    orders = [
        data.order(tf.constant(epoch, tf.int64)).numpy() for epoch in range(3)
    ]
    for order in orders:
        assert order.shape == (STEPS, BATCH)
        ids = order.ravel()
        assert sorted(ids[:NUM_EXAMPLES]) == list(range(NUM_EXAMPLES))
        assert ids[NUM_EXAMPLES:] == ids[0]
    assert len({order.tobytes() for order in orders}) == 3
    sizes = data.batch_sizes(data.tables, tf.range(STEPS))
    assert sizes.numpy().tolist() == [4, 4, 3]


@pytest.mark.parametrize("name", VIEWS)
def test_signature_is_that_of_a_full_batch(name: str) -> None:
    data = _resident(VIEWS[name], training=True)
    batch = _batches(data, 0)[0]
    specs = tf.nest.map_structure(tf.TensorSpec.from_tensor, batch)
    tf.nest.assert_same_structure(specs, data.signature)
    for spec, told in zip(
        tf.nest.flatten(specs), tf.nest.flatten(data.signature), strict=True
    ):
        assert (spec.shape, spec.dtype) == (told.shape, told.dtype)


def test_data_stay_as_they_are_stored() -> None:
    tables = _resident(VIEWS["label"], training=True).tables
    assert [table.dtype for table in tables] == [tf.uint8, tf.int64]


@pytest.mark.parametrize("num", [2, 4])
def test_replicas_share_out_a_batch(num: int) -> None:
    strategy = replicas(num)
    data = _resident(VIEWS["label"], training=True, strategy=strategy)
    order = data.order(tf.constant(0, tf.int64))
    whole = _batches(_resident(VIEWS["label"], training=True), 0)

    @tf.function
    def shares(step: tf.Tensor) -> Any:
        return strategy.run(
            data.batch, (data.tables, order, tf.constant(0), step)
        )

    sizes = {2: [2, 2, 2, 2, 2, 1], 4: [1] * 11 + [0]}[num]
    for step in range(STEPS):
        for part, expected in zip(shares(tf.constant(step)), whole[step],
                                  strict=True):  # fmt: skip
            parts = strategy.experimental_local_results(part)
            assert [len(p) for p in parts] == sizes[step * num :][:num]
            np.testing.assert_allclose(tf.concat(parts, 0), expected, rtol=1e-6)
