"""Many steps in one graph: no Python, and no copy to the host, between them."""

import copy
import functools
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Protocol

import tensorflow as tf
import tf_keras

from tfvae import noise, replicas
from tfvae.batch import Batch
from tfvae.data.resident import SCOPE, Resident
from tfvae.learner import Learner
from tfvae.pace import Pace
from tfvae.replicas import WorkerShare

Step = Callable[..., Any]


class Loop(Protocol):
    """Runs a model's steps over the batches of one split.

    Attributes:
      pace: at which it is run.
    """

    pace: Pace

    def run(self, epoch: int, first: int, num: int) -> None:
        """Runs steps [first, first + num) of an epoch.

        Args:
          epoch: from 0.
          first: step within the epoch, from 0.
          num: of steps.
        """


class StreamLoop:
    """Trains or tests a model on batches that `tf.data` brings.

    Args:
      model: compiled.
      batches_from: from a step of the run, from 0, and this worker's share to
        the batches that follow, in which rows of other workers may be 0.
      num_steps: in an epoch.
      training: whether steps learn.
    """

    pace: Pace

    def __init__(
        self,
        model: Learner,
        batches_from: Callable[[int, WorkerShare], tf.data.Dataset],
        *,
        num_steps: int,
        training: bool,
    ) -> None:
        self.batches_from = batches_from
        self.num_steps = num_steps
        self.strategy = model.distribute_strategy
        self._step: Step = model.train_step if training else model.test_step
        self._next = -1
        self._iterator: Any = None

    def run(self, epoch: int, first: int, num: int) -> None:
        """See `Loop.run`; fastest where each call begins where one ended."""
        step = epoch * self.num_steps + first
        if step != self._next:
            self._iterator = iter(
                self.strategy.distribute_datasets_from_function(
                    functools.partial(self._batches, step)
                )
            )
        self._run(self._iterator, tf.constant(num))
        self._next = step + num

    def _batches(
        self, step: int, context: tf.distribute.InputContext
    ) -> tf.data.Dataset:
        num_replicas = context.num_replicas_in_sync
        own = num_replicas // context.num_input_pipelines
        first = own * context.input_pipeline_id
        share = WorkerShare(first, first + own, num_replicas)
        batches = self.batches_from(step, share)
        if num_replicas == 1:
            return batches
        return batches.flat_map(share.of_replicas).prefetch(tf.data.AUTOTUNE)

    @tf.function(reduce_retracing=True)
    def _run(self, iterator: Any, num: tf.Tensor) -> None:
        for _ in tf.range(num):
            self.strategy.run(self._step, (next(iterator),))


class ResidentLoop:
    """Trains or tests a model on examples that live on its devices.

    Args:
      model: compiled.
      data: the batches.
    """

    pace: Pace

    def __init__(self, model: Learner, data: Resident) -> None:
        self.data = data
        self.strategy = model.distribute_strategy
        self._step: Step = (
            model.train_step if data.training else model.test_step
        )
        self._run = tf.function(self._steps, reduce_retracing=True)
        self._is_traced = False
        self._epoch = -1
        self._order: tf.Tensor | None = None

    def over(self, data: Resident) -> "ResidentLoop":
        """Returns this loop over other examples, which is not traced again.

        Args:
          data: of the same data set, with the same view.
        """
        other = copy.copy(self)
        other.data, other._epoch = data, -1
        return other

    def run(self, epoch: int, first: int, num: int) -> None:
        """See `Loop.run`."""
        if epoch != self._epoch:
            self._order = self.data.order(tf.constant(epoch, tf.int64))
            self._epoch = epoch
        numbers = [tf.constant(number) for number in (epoch, first, num)]
        if self.strategy.num_replicas_in_sync == 1 and not self._is_traced:
            self._trace([self.data.tables, self._order], numbers)
        self._run(self.data.tables, self._order, *numbers)

    def _trace(self, arrays: list[Any], numbers: list[tf.Tensor]) -> None:
        """Traces for any number of examples: those of other splits, too."""
        specs = tf.nest.map_structure(
            lambda array: tf.TensorSpec([None, *array.shape[1:]], array.dtype),
            arrays,
        )
        self._run.get_concrete_function(*specs, *numbers)
        self._is_traced = True

    def _steps(
        self,
        tables: Any,
        order: tf.Tensor,
        epoch: tf.Tensor,
        first: tf.Tensor,
        num: tf.Tensor,
    ) -> None:
        for step in tf.range(first, first + num):
            self.strategy.run(self._one, (tables, order, epoch, step))

    def _one(
        self, tables: Any, order: tf.Tensor, epoch: tf.Tensor, step: tf.Tensor
    ) -> None:
        share = replicas.own_share(self.data.batch_sizes(tables, step))
        self._step(self.data.batch(tables, order, epoch, step), share)


class ScannedLoop(ResidentLoop):
    """A `ResidentLoop` that trains, its steps compiled by XLA with their loop.

    For one replica, and for objectives whose loss is a mean over examples: a
    short last batch is filled up with examples of weight 0, so that XLA, which
    compiles for fixed shapes, need do so only once.

    Args:
      model: compiled.
      data: the batches, of training.
      most_steps: that one call of `run` can be asked for.
    """

    def __init__(self, model: Learner, data: Resident, most_steps: int) -> None:
        super().__init__(model, data)
        self.model = model
        self.most_steps = most_steps

    def _steps(
        self,
        tables: Any,
        order: tf.Tensor,
        epoch: tf.Tensor,
        first: tf.Tensor,
        num: tf.Tensor,
    ) -> None:
        model, data = self.model, self.data
        # Steps beyond the last are never run, but have a place.
        steps = first + tf.range(self.most_steps)
        steps = tf.minimum(steps, data.num_steps - 1)
        counts = tf.range(self.most_steps, dtype=tf.int64)
        counts += model.train_step_count
        size = data.batch_size
        share = replicas.BatchShare(tf.constant(0), tf.constant(size))
        shape = [model.num_samples, size, model.latent_dim]
        # XLA's random bits are others: all that is drawn is drawn before.
        eps = tf.map_fn(
            lambda count: noise.draws(
                model.seed, noise.TRAIN, count, share, shape
            ),
            counts,
            fn_output_signature=tf.TensorSpec(shape, tf.float32),
        )
        seeds = tf.map_fn(
            lambda count: noise.step_seed(model.seed, noise.EXTRA, count),
            counts,
        )
        with tf.name_scope(SCOPE):
            examples = data.gather(tables, tf.gather(order, steps))
            if data.view.draws:
                examples = tf.map_fn(
                    lambda given: data.prepare(given[0], epoch, given[1]),
                    (examples, steps),
                    fn_output_signature=data.signature,
                )
        self._scan(examples, eps, seeds, data.batch_sizes(tables, steps), num)

    @tf.function(jit_compile=True, reduce_retracing=True)
    def _scan(
        self,
        examples: Any,
        eps: tf.Tensor,
        seeds: tf.Tensor,
        sizes: tf.Tensor,
        num: tf.Tensor,
    ) -> None:
        """Runs the first `num` of the steps whose data are given.

        Args:
          examples: each [most_steps, batch, ...].
          eps: [most_steps, num_samples, batch, latent_dim].
          seeds: [most_steps, 2].
          sizes: [most_steps], number of examples that count.
          num: scalar.
        """
        model, data = self.model, self.data
        place = tf.range(data.batch_size)
        names = model.terms_named
        totals = tf.zeros([len(names)])
        for step in tf.range(num):
            given = tf.nest.map_structure(itemgetter(step), examples)
            if not data.view.draws:
                given = data.prepare(given, step, step)
            x, y, _ = tf_keras.utils.unpack_x_y_sample_weight(given)
            values = model.condition.values(x, y)
            weight = tf.cast(place < sizes[step], tf.float32)
            logs = model.update(
                Batch(
                    x=tf.cast(x, tf.float32),
                    condition=model.condition.check(values),
                    eps=eps[step],
                    weight=weight,
                    num_examples=sizes[step],
                    step=tf.identity(model.train_step_count),
                    seed=seeds[step],
                )
            )
            of_step = tf.stack([logs[name] for name in names])
            totals += tf.linalg.matvec(of_step, weight)
            model.train_step_count.assign_add(1)
        done = tf.range(self.most_steps) < num
        seen = tf.cast(tf.reduce_sum(tf.where(done, sizes, 0)), tf.float32)
        means = dict(zip(names, tf.unstack(totals / seen), strict=True))
        model.update_means(means, seen)
