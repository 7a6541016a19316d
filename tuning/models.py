"""Built models that trials of equal shapes share, traced once."""

import dataclasses
import functools
import gc
import inspect
import weakref
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops
from tensorflow_probability import bijectors as tfb

from tfvae import build, training
from tfvae.config import Config
from tfvae.data.split import Splits
from tfvae.learner import Learner
from tfvae.metrics import likelihood
from tfvae.metrics.likelihood import Estimate

MOST_MODELS = 5  # each of some 50 MB
TRIALS_BETWEEN = 5  # two searches for garbage, each of some 0.3 s
# Settings that no graph depends on; C is another where `_holds_C`.
NOT_IN_THE_GRAPH = ("data_dir", "early_stopping")
ANY_NUMBER = "a number"

Key = tuple[Any, ...]


class ModelStore:
    """Built models, traced once for equal shapes; the oldest are dropped.

    Args:
      splits: the data that all models learn.
      strategy: models are built under it.
      max_models: kept at once; those used last stay.
    """

    def __init__(
        self,
        splits: Splits,
        strategy: tf.distribute.Strategy,
        *,
        max_models: int = MOST_MODELS,
    ) -> None:
        self.splits = splits
        self.strategy = strategy
        self.max_models = max_models
        self._built: dict[Key, _Built] = {}  # the one used last is last
        self._num_asked = 0

    def model_for(self, config: Config) -> Learner:
        """Returns a compiled model in the state of one that was just built.

        A model that was returned for an equal key begins anew, so only one of
        them can be in use.

        Args:
          config: resolved.
        """
        key = key_of(config)
        built = self._built.pop(key, None)
        self._make_room(0 if built else 1)
        if built:
            built.begin_anew(config)
        else:
            built = self._build(config)
        self._built[key] = built
        return built.model

    def estimator_for(self, config: Config) -> Callable[..., Estimate]:
        """Returns `importance_weighted` of a model, traced once for its key.

        The seed of its draws is the model's own.

        Args:
          config: of the model, as `model_for` was given it.

        Returns:
          estimate: see `tfvae.metrics.likelihood.estimator`.
        """
        return self._built[key_of(config)].estimate

    def _make_room(self, num_new: int) -> None:
        """Drops models, and frees what they and past trials have left."""
        surplus = len(self._built) + num_new - self.max_models
        for key in list(self._built)[: max(0, surplus)]:
            del self._built[key]
        self._num_asked += 1
        if surplus > 0 or self._num_asked % TRIALS_BETWEEN == 0:
            free_graphs()

    def _build(self, config: Config) -> "_Built":
        train = self.splits.train
        variables: list[tf.Variable] = []

        def note(make: Any, **settings: Any) -> tf.Variable:
            variables.append(make(**settings))
            return variables[-1]

        # Not asked of the model afterwards, which does not track them all.
        with self.strategy.scope(), tf.variable_creator_scope(note):
            model = build.build_model(
                config,
                self.splits.spec,
                num_examples=train.num_examples,
                examples=lambda num: training.first_examples(
                    config, train, num
                ),
                mean=train.mean(),
            )
        return _Built(model, [(v, v.numpy()) for v in variables])


@dataclasses.dataclass(frozen=True)
class _Built:
    """A model, and every variable that was made with it, as it was then."""

    model: Learner
    initial: list[tuple[tf.Variable, np.ndarray]]

    @functools.cached_property
    def estimate(self) -> Callable[..., Estimate]:
        """`importance_weighted` of the model."""
        return likelihood.estimator(self.model, seed=self.model.seed)

    def begin_anew(self, config: Config) -> None:
        """Takes the model back to its beginning, but for C, which is new."""
        for variable, value in self.initial:
            variable.assign(value)
        if _holds_C(config):
            self.model.likelihood.set_C(config.C)
        # What a fit that was broken off would have removed at its end.
        if getattr(self.model, "_eval_data_handler", None) is not None:
            del self.model._eval_data_handler


def key_of(config: Config) -> Key:
    """Returns all of a resolved config that a model's graph depends on.

    Configs of equal keys differ at most in what a model holds in variables,
    or in what it does not know of.
    """
    settings = dataclasses.asdict(config)
    for name in NOT_IN_THE_GRAPH:
        del settings[name]
    if _holds_C(config):
        settings["C"] = ANY_NUMBER
    return tuple(settings.values())


def free_graphs() -> None:
    """Frees the graphs of models that nobody holds any more.

    A traced model is tens of megabytes of graphs, which two tables would keep
    for good: the cache that all of TFP's bijectors share holds tensors of the
    graphs in which they were computed; TensorFlow's registry of custom
    gradients, from which nothing is ever removed, holds the tensors that each
    gradient is of.
    """
    tfb.Bijector._cache.storage.clear()
    _leave_gradients_to_graphs()
    gc.collect()


def _leave_gradients_to_graphs() -> None:
    """Has a graph hold its custom gradients; none but its own ops need them."""
    registry = ops.gradient_registry._registry
    for name, entry in list(registry.items()):
        gradient = entry["type"]
        if (
            name.startswith("CustomGradient-")
            and type(gradient) is FunctionType
        ):
            _graph_of(gradient).add_to_collection("gradients", gradient)
            entry["type"] = weakref.proxy(
                gradient, functools.partial(registry.pop, name)
            )


def _graph_of(gradient: Any) -> tf.Graph:
    """Returns the graph in which `tf.custom_gradient` made a gradient."""
    closure = inspect.getclosurevars(gradient).nonlocals
    closure = inspect.getclosurevars(closure["tape_grad_fn"]).nonlocals
    return tf.nest.flatten(closure["result"])[0].graph


def _holds_C(config: Config) -> bool:
    """Whether the model holds C, a number, in a variable that no rule moves."""
    return config.likelihood == "gaussian" and not isinstance(config.C, str)
