"""Every trunk takes images of any height, width and channel count."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae import trunks
from tfvae.trunks import TRUNKS

IMAGES = [(105, 105, 3), (33, 17, 1), (8, 8, 1), (1, 1, 1)]
FILTERS, HIDDEN_UNITS = (4, 6), (11, 7)


def make(name: str, event_shape: tuple[int, ...], **settings: str) -> tuple:
    return TRUNKS[name](event_shape, FILTERS, HIDDEN_UNITS, **settings)


@pytest.mark.parametrize("event_shape", IMAGES, ids=str)
@pytest.mark.parametrize("name", TRUNKS)
def test_shapes(name: str, event_shape: tuple[int, ...]) -> None:
    down, up = make(name, event_shape)
    assert down(tf.zeros([3, *event_shape])).shape == [3, HIDDEN_UNITS[-1]]
    features = up(tf.zeros([3, 2])).shape
    if name == "conv":
        assert features == [3, *event_shape[:2], FILTERS[0]]
    else:
        assert features == [3, HIDDEN_UNITS[0]]


def test_dense_trunk_mirrors_its_units() -> None:
    down, up = make("mlp", (5,))
    down(tf.zeros([3, 5]))
    up(tf.zeros([3, 2]))
    kernels = [
        [v.shape for v in trunk.weights if len(v.shape) == 2]
        for trunk in (down, up)
    ]
    assert kernels == [[(5, 11), (11, 7)], [(2, 7), (7, 11)]]


def test_convolutions_mirror_their_filters() -> None:
    down, up = make("conv", (33, 17, 1))
    down(tf.zeros([3, 33, 17, 1]))
    up(tf.zeros([3, 2]))
    kernels = [
        [v.shape for v in trunk.weights if len(v.shape) == 4]
        for trunk in (down, up)
    ]
    # A transposed kernel is [height, width, out, in]. 33x17 halves to 17x9,
    # then to 9x5.
    assert kernels == [
        [(3, 3, 1, 4), (3, 3, 4, 6)],
        [(3, 3, 6, 6), (3, 3, 4, 6)],
    ]
    dense = [v.shape for v in up.weights if len(v.shape) == 2]
    assert dense == [(2, 7), (7, 11), (11, 9 * 5 * 6)]


def test_dense_without_units_only_flattens() -> None:
    x = np.arange(30, dtype=np.float32).reshape(3, 5, 2, 1)
    np.testing.assert_array_equal(trunks.dense([])(x), x.reshape(3, 10))


@pytest.mark.parametrize("name", TRUNKS)
def test_activation_is_the_one_asked_for(name: str) -> None:
    down, up = make(name, (6, 5, 1), activation="tanh")
    for trunk, x in ((down, 50 * tf.ones([3, 6, 5, 1])), (up, tf.ones([3, 2]))):
        features = trunk(x).numpy()
        assert np.abs(features).max() <= 1
        assert features.min() < 0  # relu, the default, has none


@pytest.mark.parametrize("name", TRUNKS)
def test_policy_holds_in_every_layer(name: str) -> None:
    down, up = make(name, (6, 5, 1), dtype="mixed_bfloat16")
    assert down(tf.zeros([3, 6, 5, 1])).dtype == tf.bfloat16
    assert up(tf.zeros([3, 2])).dtype == tf.bfloat16
    assert {v.dtype for v in down.weights + up.weights} == {tf.float32}
