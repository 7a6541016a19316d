"""Adam by one operation: Kingma and Ba's formula, tf_keras's state."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.conftest import replicas
from tfvae.optimizers import Adam

RNG = np.random.default_rng(7)
STARTS = [RNG.normal(size=shape) for shape in ([3, 4], [5])]
GRADIENTS = [[RNG.normal(size=v.shape) for v in STARTS] for _ in range(4)]


def _rate(step: int) -> float:
    """Returns the learning rate of a step, from 0."""
    return 0.1 / (1 + step)


def _reference() -> list[np.ndarray]:
    """Returns the variables after all gradients, in float64."""
    values = [start.copy() for start in STARTS]
    m = [np.zeros_like(v) for v in values]
    v = [np.zeros_like(v) for v in values]
    for step, gradients in enumerate(GRADIENTS):
        t = step + 1
        alpha = _rate(step) * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        for i, g in enumerate(gradients):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g**2
            values[i] -= alpha * m[i] / (np.sqrt(v[i]) + 1e-7)
    return values


@pytest.mark.parametrize("num_replicas", [1, 2])
def test_steps_are_those_of_the_paper(num_replicas: int) -> None:
    strategy = replicas(num_replicas)
    schedule = tf_keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 1.0)
    with strategy.scope():
        variables = [tf.Variable(s.astype(np.float32)) for s in STARTS]
        optimizer = Adam(schedule)
        optimizer.build(variables)

    @tf.function
    def step(gradients: list[tf.Tensor]) -> None:
        pairs = list(zip(gradients, variables, strict=True))
        strategy.run(
            lambda: optimizer.apply_gradients(
                pairs, skip_gradients_aggregation=True
            )
        )

    for gradients in GRADIENTS:
        step([tf.constant(g, tf.float32) for g in gradients])
    for variable, expected in zip(variables, _reference(), strict=True):
        np.testing.assert_allclose(variable, expected, rtol=1e-5, atol=1e-6)
    assert int(optimizer.iterations.numpy()) == len(GRADIENTS)


def test_state_is_that_of_tf_keras() -> None:
    names = []
    for kind in (Adam, tf_keras.optimizers.Adam):
        optimizer = kind(0.1)
        optimizer.build([tf.Variable(s, name="w") for s in STARTS])
        names.append([(v.name, v.shape) for v in optimizer.variables])
    assert names[0] == names[1]
