"""Models shared by trials: to the bit as if each trial had built its own."""

import dataclasses
import functools
import gc
import math
import weakref
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow.python.framework import ops
from tensorflow.python.framework.func_graph import FuncGraph

from tests import training
from tests.conftest import replicas
from tfvae import resolve
from tfvae.config import FIELDS, Config
from tfvae.data import pipeline
from tfvae.data.load import load_data
from tfvae.data.split import Splits
from tfvae.distributions.likelihoods import LIKELIHOODS
from tfvae.learner import Learner
from tfvae.metrics import likelihood
from tuning.models import TRIALS_BETWEEN, ModelStore, free_graphs, key_of

# One other value for every setting.
OTHERS: dict[str, Any] = {
    "dataset": "ring", "data_dir": "elsewhere", "image_size": 5,
    "grayscale": True, "binarize": "dynamic", "dequantize": True,
    "max_resident_mb": 7, "model": "ae", "condition": "label",
    "mask": "top", "architecture": "conv", "hidden_units": (4, 3),
    "filters": (2,), "activation": "tanh", "latent_dim": 3,
    "likelihood": "laplace", "C": 40.0, "beta": 2.0,
    "kl_schedule": "linear:1", "free_bits": 0.5, "capacity": "3:1",
    "posterior": "tril", "prior": "mixture", "num_components": 4,
    "objective": "dip", "objective_weight": 2.5, "info_alpha": 0.5,
    "num_samples": 2, "num_groups": 2, "epochs": 4, "batch_size": 500,
    "optimizer": "sgd", "learning_rate": 0.5,
    "learning_rate_schedule": "constant", "early_stopping": 1, "seed": 9,
    "precision": "bfloat16", "jit_compile": "on", "steps_per_execution": 3,
}  # fmt: skip
SHARED = {"data_dir", "early_stopping", "C"}
TINY = {
    "hidden_units": (6,), "latent_dim": 2, "batch_size": 600, "epochs": 2,
    "C": 3.0, "jit_compile": "off",
}  # fmt: skip

Trained = tuple[dict[str, list[float]], list[bytes]]


@functools.cache
def _splits() -> Splits:
    return load_data(Config())


def _config(**settings: Any) -> Config:
    splits = _splits()
    return resolve.resolve(
        Config(**TINY | settings),
        splits.spec,
        num_examples=splits.train.num_examples,
        num_replicas=1,
    )


def _store(num_replicas: int = 1, **settings: int) -> ModelStore:
    return ModelStore(_splits(), replicas(num_replicas), **settings)


def _train(
    model: Learner, config: Config, *watchers: tf_keras.callbacks.Callback
) -> Trained:
    splits = _splits()
    history = model.fit(
        pipeline.train_batches(
            splits.train, config.batch_size, seed=config.seed,
            num_epochs=config.epochs,
        ),
        epochs=config.epochs,
        steps_per_epoch=resolve.steps_per_epoch(
            config, splits.train.num_examples
        ),
        validation_data=pipeline.eval_batches(
            splits.validation, config.batch_size, seed=config.seed
        ),
        callbacks=list(watchers),
        verbose=0,
    )  # fmt: skip
    return history.history, _weights(model)


def _weights(model: Learner) -> list[bytes]:
    layers = [*model.networks.values(), model.adversary]
    return [v.numpy().tobytes() for m in layers if m for v in m.variables]


def _fresh(config: Config) -> Trained:
    model, history = training.fit(config, _splits())
    return history, _weights(model)


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_part_of_the_key_unless_it_may_be_shared(
    name: str,
) -> None:
    C = "auto" if name == "beta" else 3.0  # the two exclude each other
    base = Config(likelihood="gaussian", C=C)
    other = dataclasses.replace(base, **{name: OTHERS[name]})
    assert getattr(base, name) != getattr(other, name)
    assert (key_of(base) == key_of(other)) == (name in SHARED)


@pytest.mark.parametrize("likelihood", sorted({*LIKELIHOODS} - {"gaussian"}))
def test_C_is_a_constant_of_other_likelihoods(likelihood: str) -> None:
    configs = [Config(likelihood=likelihood, C=C) for C in (1.0, 2.0)]
    assert key_of(configs[0]) != key_of(configs[1])


def test_ways_to_find_C_are_no_numbers() -> None:
    Cs = ("learned", "optimal", "per_pixel", 1.0)
    keys = {key_of(Config(likelihood="gaussian", C=C)) for C in Cs}
    assert len(keys) == 4


@pytest.mark.slow
def test_a_model_built_for_another_C_trains_as_one_of_its_own(
    traced: list[str],
) -> None:
    store, first = _store(), _config()
    second = dataclasses.replace(first, **{n: OTHERS[n] for n in SHARED})
    model = store.model_for(first)
    before = _train(model, first)
    assert set(traced) == {"train_step", "test_step"}
    traced.clear()
    assert store.model_for(second) is model
    assert model.likelihood.C == second.C
    assert model.likelihood.current_C() == pytest.approx(second.C)
    after = _train(model, second)
    assert not traced
    assert before != after
    assert after == _fresh(second)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of steps, one for each time that Python runs one."""
    names: list[str] = []
    for name in ("train_step", "test_step"):
        step = getattr(Learner, name)

        def note(self: Learner, data: Any, step: Any = step) -> Any:
            names.append(step.__name__)
            return step(self, data)

        monkeypatch.setattr(Learner, name, note)
    return names


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "num_replicas"),
    [
        ({"C": "optimal", "model": "ae"}, 1),
        ({"C": "learned", "prior": "vamp", "objective": "factor"}, 1),
        (
            {"prior": "mixture", "precision": "float16", "optimizer": "sgd",
             "learning_rate_schedule": "constant"},
            1,
        ),
        pytest.param({}, 2, marks=pytest.mark.slow),
    ],
    ids=["ae", "adversary", "loss_scale", "replicas"],
)  # fmt: skip
def test_a_model_trains_the_second_time_as_when_it_was_new(
    settings: dict[str, Any], num_replicas: int
) -> None:
    store, config = _store(num_replicas), _config(**settings)
    model = store.model_for(config)
    new = _train(model, config)
    assert store.model_for(config) is model
    assert _train(model, config) == new


def test_replicas_hold_the_same_C() -> None:
    store = _store(num_replicas=2)
    store.model_for(_config())
    model = store.model_for(_config(C=40.0))
    copies = model.likelihood.log_c.variable.values
    assert len(copies) == 2
    for log_c in copies:
        assert float(log_c) == pytest.approx(-math.log(80))


class _Break(tf_keras.callbacks.Callback):
    """Breaks training off, in the last and shorter execution of an epoch."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Raises."""
        if batch == 2:
            raise ArithmeticError

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Raises."""
        raise ArithmeticError


@pytest.mark.slow
def test_a_model_whose_training_was_broken_off_begins_anew() -> None:
    store, config = _store(), _config(steps_per_execution=2)  # 3 an epoch
    model = store.model_for(config)
    new = _train(model, config)
    store.model_for(config)
    with pytest.raises(ArithmeticError):
        _train(model, config, _Break())
    assert int(model.steps_per_execution) == 1
    store.model_for(config)
    assert int(model.steps_per_execution) == 2
    with pytest.raises(ArithmeticError):
        model.fit(
            tf.zeros([5, 8, 8, 1]),
            validation_data=tf.data.Dataset.from_tensors(tf.ones([3, 8, 8, 1])),
            callbacks=[_Break()],
            verbose=0,
        )
    assert _train(store.model_for(config), config) == new


@pytest.mark.slow
def test_the_model_used_longest_ago_is_dropped() -> None:
    store = _store(max_models=2)
    configs = [_config(latent_dim=latent_dim) for latent_dim in (1, 2, 3)]
    models = [store.model_for(config) for config in configs[:2]]
    assert store.model_for(configs[0]) is models[0]
    dropped = weakref.ref(models.pop())
    store.model_for(configs[2])
    assert dropped() is None
    assert store.model_for(configs[0]) is models[0]


@pytest.mark.slow
def test_graphs_of_a_dropped_model_are_freed() -> None:
    store, config = _store(max_models=1), _config(C="learned")
    known = {id(graph()) for graph in _graphs()}
    others = _custom_gradients()  # of models that other tests hold
    _train(store.model_for(config), config)
    traced = [graph for graph in _graphs() if id(graph()) not in known]
    names = {graph().name for graph in traced}
    assert {"train_function", "test_function"} <= names
    gradients = _custom_gradients() - others
    assert gradients
    store.model_for(_config(latent_dim=3))
    left = {graph().name for graph in traced if graph() is not None}
    assert left <= {"keras_graph"}  # which all functional models share
    assert not gradients & _custom_gradients()


def _graphs() -> list[weakref.ref]:
    gc.collect()
    found = gc.get_objects()
    return [weakref.ref(graph) for graph in found if type(graph) is FuncGraph]


def _custom_gradients() -> set[str]:
    return {
        name
        for name in ops.gradient_registry.list()
        if name.startswith("CustomGradient")
    }


def test_graphs_that_a_trial_leaves_are_freed_within_a_few_more() -> None:
    store = _store()
    store.model_for(_config())
    before = _custom_gradients()
    tf.function(_with_a_gradient).get_concrete_function(tf.TensorSpec([3]))
    assert before < _custom_gradients()
    for C in range(1, TRIALS_BETWEEN + 1):
        store.model_for(_config(C=C))
    assert _custom_gradients() <= before


def test_an_estimator_is_kept_and_sees_the_weights_of_now() -> None:
    store, first, second = _store(), _config(), _config(C=40.0)
    x = np.random.default_rng(0).uniform(size=[3, 8, 8, 1])
    store.model_for(first)
    estimate = store.estimator_for(first)
    before = estimate(x, num_samples=5).log_prob
    model = store.model_for(second)
    assert store.estimator_for(second) is estimate
    after = estimate(x, num_samples=5).log_prob
    expected = likelihood.importance_weighted(
        model, x, num_samples=5, seed=second.seed
    )
    assert after.tolist() == expected.log_prob.tolist()
    assert after.tolist() != before.tolist()


@pytest.mark.slow
def test_graphs_in_use_keep_their_gradients() -> None:
    before = _custom_gradients()
    _take_a_gradient_late()
    free_graphs()
    assert _custom_gradients() <= before


def _take_a_gradient_late() -> None:
    inner = tf.function(_with_a_gradient)

    @tf.function
    def slope(x: tf.Tensor) -> tf.Tensor:
        return tf.gradients(inner(x), x)[0]

    inner.get_concrete_function(tf.TensorSpec([3]))
    free_graphs()
    assert slope(tf.zeros([3])).numpy().tolist() == [10, 10, 10]


@tf.custom_gradient
def _with_a_gradient(x: tf.Tensor) -> Any:
    return tf.identity(x), lambda upstream: 10 * upstream
