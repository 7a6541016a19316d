"""Training on 1, 2 and 4 devices is one and the same computation."""

import functools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import replicas
from tfvae import build, resolve
from tfvae.config import Config
from tfvae.data.spec import DataSpec

pytestmark = pytest.mark.slow
EVENT_SHAPE = (6, 5, 1)
# 18 examples in batches of 8, 8 and 2: the last gives 1, 1, 0, 0 to four
# devices. Seven epochs are 21 steps.
NUM_EXAMPLES, BATCH_SIZE, EPOCHS = 18, 8, 7
SETTINGS: dict[str, dict[str, Any]] = {
    "optimal mlp": {"C": "optimal", "architecture": "mlp"},
    "learned mlp": {"C": "learned", "architecture": "mlp"},
    "bernoulli mlp": {"likelihood": "bernoulli", "architecture": "mlp"},
    "optimal conv": {"C": "optimal", "architecture": "conv"},
    "bernoulli conv": {"likelihood": "bernoulli", "architecture": "conv"},
    "iwae": {"objective": "iwae", "posterior": "tril", "prior": "mixture"},
    "beta_tc": {"objective": "beta_tc", "C": 5.0},
    "factor": {"objective": "factor", "prior": "realnvp"},
    "mmd": {"objective": "mmd", "objective_weight": 1.0},
}
CASES = [*((name, 2) for name in SETTINGS), ("optimal mlp", 4)]


@functools.cache
def train(
    settings: str, num_replicas: int
) -> tuple[list[np.ndarray], dict[str, list[float]]]:
    """Returns the weights at the end, and the logs of every epoch."""
    config = Config(
        hidden_units=(7,),
        filters=(3, 4),
        latent_dim=2,
        optimizer="sgd",
        learning_rate=0.01,
        num_components=3,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        jit_compile="off",
        kl_schedule="linear:3",
        **SETTINGS[settings],
    )
    spec = DataSpec(EVENT_SHAPE, None, "unit")
    config = resolve.resolve(
        config, spec, num_examples=NUM_EXAMPLES, num_replicas=num_replicas
    )
    rng = np.random.default_rng(0)
    x = rng.uniform(size=[NUM_EXAMPLES, *EVENT_SHAPE]).astype(np.float32)
    batches = tf.data.Dataset.from_tensor_slices(x).batch(BATCH_SIZE)
    with replicas(num_replicas).scope():
        model = build.build_model(config, spec, num_examples=NUM_EXAMPLES)
    history = model.fit(
        batches, epochs=EPOCHS, validation_data=batches.take(2), verbose=0
    )
    return [v.numpy() for v in model.weights], history.history


@pytest.mark.parametrize(("settings", "num_replicas"), CASES)
def test_weights_agree_with_those_of_one_device(
    settings: str, num_replicas: int
) -> None:
    expected, _ = train(settings, 1)
    weights, _ = train(settings, num_replicas)
    assert len(weights) == len(expected) > 5
    for weight, reference in zip(weights, expected, strict=True):
        # A single weight that lies near 0 carries the rounding of its layer,
        # whose largest weight is about 1.
        np.testing.assert_allclose(weight, reference, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("settings", "num_replicas"), CASES)
def test_metrics_agree_with_those_of_one_device(
    settings: str, num_replicas: int
) -> None:
    _, expected = train(settings, 1)
    _, logs = train(settings, num_replicas)
    assert set(expected) == {
        *("loss", "elbo", "log_likelihood", "kl", "val_loss", "val_elbo"),
        *("val_log_likelihood", "val_kl", "val_mse"),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(logs[name], values, rtol=1e-5, err_msg=name)


def test_training_gets_somewhere() -> None:
    _, logs = train("learned mlp", 1)
    assert len(logs["loss"]) == EPOCHS
    assert logs["val_elbo"][-1] > logs["val_elbo"][0]


def test_an_empty_share_does_no_harm() -> None:
    config = resolve.resolve(
        Config(hidden_units=(7,), filters=(3,), architecture="mlp"),
        spec := DataSpec(EVENT_SHAPE, None, "unit"),
        num_examples=1,
        num_replicas=4,
    )
    with replicas(4).scope():
        model = build.build_model(config, spec)
    x = tf.data.Dataset.from_tensor_slices(tf.ones([1, *EVENT_SHAPE]))
    logs = model.fit(x.batch(4), verbose=0).history
    assert model.faults.found() is None
    assert np.isfinite(logs["loss"]).all()
    assert all(np.isfinite(v.numpy()).all() for v in model.weights)
