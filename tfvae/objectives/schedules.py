"""Weights and targets as functions of the step."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

Schedule = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Constant:
    """kl_weight = value, at every step."""

    value: float = 1.0

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the weight at `step`: scalar."""
        del step
        return tf.constant(self.value)


@dataclasses.dataclass(frozen=True)
class Linear:
    """kl_weight = min(1, step / warm_up_steps).

    References:
      Bowman et al., 2016. Generating Sentences from a Continuous Space,
      section 3.1. https://arxiv.org/abs/1511.06349
    """

    warm_up_steps: int

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the weight at `step`: scalar in [0, 1]."""
        return tf.minimum(1.0, tf.cast(step, tf.float32) / self.warm_up_steps)


@dataclasses.dataclass(frozen=True)
class Cyclical:
    """Within each cycle from 0 to 1 in its first half, then 1.

    kl_weight = min(1, 2 (step mod cycle_steps) / cycle_steps)

    References:
      Fu et al., 2019. Cyclical Annealing Schedule, eq. 6 with R = 0.5.
      https://arxiv.org/abs/1903.10145
    """

    cycle_steps: int

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the weight at `step`: scalar in [0, 1]."""
        within = tf.cast(step % self.cycle_steps, tf.float32)
        return tf.minimum(1.0, 2 * within / self.cycle_steps)


@dataclasses.dataclass(frozen=True)
class Ramp:
    """From 0 at the first step to `top` at `num_steps`, then `top`."""

    top: float
    num_steps: int

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the value at `step`: scalar in [0, top]."""
        share = tf.cast(step, tf.float32) / self.num_steps
        return self.top * tf.minimum(1.0, share)


SCHEDULES: dict[str, Callable[[int], Schedule]] = {
    "linear": Linear,
    "cyclical": Cyclical,
}
