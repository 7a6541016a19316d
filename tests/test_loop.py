"""Loops over many steps: one trace, and the same weights whichever is run."""

import functools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import replicas
from tfvae import build, resolve, training
from tfvae.config import Config
from tfvae.data import pipeline
from tfvae.data.spec import DataSpec
from tfvae.data.split import ArraySplit
from tfvae.learner import Learner
from tfvae.loop import Loop, ResidentLoop, ScannedLoop, StreamLoop
from tfvae.replicas import WorkerShare

NUM_EXAMPLES, BATCH, STEPS = 11, 4, 3
RNG = np.random.default_rng(3)
X = RNG.integers(0, 256, [NUM_EXAMPLES, 4, 3, 1], np.uint8)
SPLIT = ArraySplit(X, RNG.integers(0, 3, NUM_EXAMPLES), 255.0)
SPEC = DataSpec((4, 3, 1), 3, "unit", 256)


def _model(
    num_replicas: int = 1,
    strategy: tf.distribute.Strategy | None = None,
    **settings: Any,
) -> tuple[Config, Learner]:
    config = Config(**{
        "hidden_units": (5,), "latent_dim": 2, "batch_size": BATCH,
        "epochs": 3, "steps_per_execution": 2,
    } | settings)  # fmt: skip
    config = resolve.resolve(
        config, SPEC, num_examples=NUM_EXAMPLES, num_replicas=num_replicas
    )
    with (strategy or replicas(num_replicas)).scope():
        return config, build.build_model(config, SPEC, num_examples=11)


def _train(loop: Loop) -> None:
    for epoch in range(3):
        loop.run(epoch, 0, 2)
        loop.run(epoch, 2, 1)


def _weights(model: Learner) -> list[np.ndarray]:
    return [
        variable.numpy()
        for network in model.networks.values()
        for variable in network.variables
    ]


def _measured(config: Config, model: Learner) -> dict[str, float]:
    return training.measure(config, model, SPLIT)


def _assert_close(ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    for own, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, their, rtol=1e-5, atol=1e-7)


@functools.cache
def _by_keras() -> tuple[list[np.ndarray], dict[str, float]]:
    """Returns what Keras's own fit and evaluate make of the same batches."""
    _, model = _model()
    model.fit(
        pipeline.train_batches(SPLIT, BATCH, seed=0, num_epochs=3),
        epochs=3, steps_per_epoch=STEPS, verbose=0,
    )  # fmt: skip
    batches = pipeline.eval_batches(SPLIT, BATCH, seed=0)
    figures = model.evaluate(batches, return_dict=True, verbose=0)
    return _weights(model), figures


def _resident(**settings: Any) -> tuple[Config, Learner, Loop]:
    config, model = _model(**settings)
    return config, model, training.loop_over(config, model, SPLIT)


def test_resident_data_train_as_keras_s_fit_does() -> None:
    config, model, loop = _resident()
    assert type(loop) is ResidentLoop
    _train(loop)
    weights, figures = _by_keras()
    _assert_close(_weights(model), weights)
    other = ArraySplit(X[:7], SPLIT.y[:7], 255.0)
    assert _measured(config, model) == pytest.approx(figures, rel=1e-6)
    means = [training.measure(config, model, split) for split in (other, SPLIT)]
    assert (
        means[0]["elbo"] != means[1]["elbo"] == pytest.approx(figures["elbo"])
    )
    tester = training.loop_over(config, model, SPLIT, training=False)
    assert tester._run.experimental_get_tracing_count() == 1
    assert int(model.train_step_count) == 9
    # The short batch and the shorter execution are no reason to trace again.
    assert loop._run.experimental_get_tracing_count() == 1
    assert training.loop_over(config, model, SPLIT) is loop


@pytest.mark.slow
def test_one_replica_of_a_strategy_is_like_none() -> None:
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    config, model, loop = _resident(strategy=strategy)
    _train(loop)
    weights, figures = _by_keras()
    _assert_close(_weights(model), weights)
    assert _measured(config, model) == pytest.approx(figures, rel=1e-6)


def test_a_stream_trains_as_keras_s_fit_does() -> None:
    _, model = _model()
    asked = []

    def batches_from(step: int, share: WorkerShare) -> tf.data.Dataset:
        assert share.is_all
        asked.append(step)
        return pipeline.train_batches(
            SPLIT, BATCH, seed=0, num_epochs=3, first_step=step
        )

    loop = StreamLoop(model, batches_from, num_steps=STEPS, training=True)
    _train(loop)
    _assert_close(_weights(model), _by_keras()[0])
    assert asked == [0]
    loop.run(1, 1, 1)
    assert asked == [0, 4]
    assert loop._run.experimental_get_tracing_count() == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"binarize": "dynamic", "likelihood": "bernoulli"},
        {"condition": "label", "free_bits": 0.1, "C": 3.0},
        {"condition": "mask", "num_samples": 3, "objective": "iwae"},
        {"model": "ae"},
    ],
    ids=["plain", "binarized", "label", "mask", "ae"],
)
def test_xla_s_loop_trains_to_the_same_weights(
    settings: dict[str, Any],
) -> None:
    results = []
    for jit_compile in ("off", "on"):
        config, model, loop = _resident(jit_compile=jit_compile, **settings)
        _train(loop)
        results.append((_weights(model), _measured(config, model)))
        assert int(model.train_step_count) == 9
        assert loop._run.experimental_get_tracing_count() == 1
        for means in _train_means(model, loop):
            results[-1][1].update(means)
    assert type(loop) is ScannedLoop
    assert loop._scan.experimental_get_tracing_count() == 1
    (plain, figures), (scanned, of_scanned) = results
    for own, their in zip(scanned, plain, strict=True):
        np.testing.assert_allclose(own, their, rtol=1e-4, atol=1e-6)
    assert of_scanned == pytest.approx(figures, rel=1e-4)


def _train_means(model: Learner, loop: Loop) -> list[dict[str, float]]:
    """Yields the means that one more epoch of training logs."""
    model.reset_metrics()
    loop.run(3, 0, 2)
    loop.run(3, 2, 1)
    return [
        {f"train_{mean.name}": float(mean.result())}
        for mean in model.metrics
        if mean.name in model.terms_named
    ]


def test_an_objective_over_the_batch_is_not_filled_up() -> None:
    _, _, loop = _resident(jit_compile="on", objective="beta_tc")
    assert type(loop) is ResidentLoop


@pytest.mark.slow
@pytest.mark.parametrize("num_replicas", [2, 4])
def test_replicas_train_on_resident_data_as_one(num_replicas: int) -> None:
    weights = []
    for num in (1, num_replicas):
        settings = {"optimizer": "sgd", "learning_rate": 0.05}
        config, model, loop = _resident(num_replicas=num, **settings)
        _train(loop)
        weights.append(_weights(model))
        measured = _measured(config, model)
        assert measured["elbo"] == pytest.approx(
            measured["log_likelihood"] - measured["kl"], rel=1e-5
        )
    for one, several in zip(*weights, strict=True):
        np.testing.assert_allclose(several, one, rtol=1e-5, atol=1e-6)
