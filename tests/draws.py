"""Draws built by hand, and what an objective makes of them on any devices."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import stats
from tensorflow_probability import distributions as tfd

from tests.conftest import replicas
from tfvae.objectives.draws import Draws, Objective

NUM_SAMPLES, BATCH, LATENT_DIM = 4, 5, 2
STEP, SEED = 3, (11, 7)
LOG_WEIGHTS = np.random.default_rng(2).normal(scale=3, size=[6, 3])


class Inputs(NamedTuple):
    """What draws are made of; the batch is the axis before the last of eps."""

    loc: np.ndarray
    scale: np.ndarray
    eps: np.ndarray
    distortion: np.ndarray


def make_inputs(batch: int = BATCH) -> Inputs:
    rng = np.random.default_rng(1)
    shape = [NUM_SAMPLES, batch, LATENT_DIM]
    return Inputs(
        loc=rng.normal(size=shape[1:]).astype(np.float32),
        scale=rng.uniform(0.3, 1.5, size=shape[1:]).astype(np.float32),
        eps=rng.normal(size=shape).astype(np.float32),
        distortion=rng.uniform(1, 4, size=shape[:2]).astype(np.float32),
    )


def make_draws(inputs: Inputs, weight: tf.Tensor | None = None) -> Draws:
    loc, scale, eps, distortion = map(tf.convert_to_tensor, inputs)
    z = loc + scale * eps
    kl_per_dim = tfd.kl_divergence(tfd.Normal(loc, scale), tfd.Normal(0.0, 1.0))
    posterior = tfd.MultivariateNormalDiag(loc, scale)
    return Draws(
        posterior=posterior,
        z=z,
        distortion=distortion,
        log_prior=tf.reduce_sum(tfd.Normal(0.0, 1.0).log_prob(z), axis=-1),
        log_posterior=posterior.log_prob(z),
        kl=tf.reduce_sum(kl_per_dim, axis=-1),
        kl_per_dim=kl_per_dim,
        weight=weight,
        step=tf.constant(STEP, tf.int64),
        seed=tf.constant(SEED, tf.int64),
    )


def numpy_log_weights(kl_weight: float) -> np.ndarray:
    """Of the draws from `make_inputs()`, in scipy."""
    inputs = make_inputs()
    z = inputs.loc + inputs.scale * inputs.eps
    log_posterior = stats.norm.logpdf(z, inputs.loc, inputs.scale).sum(-1)
    log_prior = stats.norm.logpdf(z).sum(-1)
    return -inputs.distortion - kl_weight * (log_posterior - log_prior)


@dataclasses.dataclass
class Outcome:
    """Of the global batch: losses of each example, gradients of their mean.

    Attributes:
      losses: model, then adversary if there is one; each [batch].
      gradients: of the model's loss, for loc, scale and distortion.
      adversary_gradients: of the adversary's loss, for its variables.
    """

    losses: list[np.ndarray]
    gradients: list[np.ndarray]
    adversary_gradients: list[np.ndarray]


def outcome(
    make_objective: Callable[[], Objective],
    inputs: Inputs,
    sizes: list[int],
    weight: list[float] | None = None,
) -> Outcome:
    """Runs an objective on devices that hold `sizes` examples each."""
    strategy = replicas(len(sizes))
    with strategy.scope():
        objective = make_objective()
    values = [inputs.loc, inputs.scale, inputs.eps, inputs.distortion]
    axes = [0, 0, 1, 1]
    if weight is not None:
        values.append(np.array(weight, np.float32))
        axes.append(0)
    shares = [
        _share_out(strategy, value, sizes, axis)
        for value, axis in zip(values, axes, strict=True)
    ]

    @tf.function
    def local(*share: tf.Tensor) -> tuple[list, list, list]:
        own_weight = share[4] if len(share) == 5 else None
        watched = [share[0], share[1], share[3]]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(watched)
            draws = make_draws(Inputs(*share[:4]), own_weight)
            losses = [t for t in objective(draws) if t is not None]
            means = [
                tf.nn.compute_average_loss(
                    loss, sample_weight=own_weight, global_batch_size=sum(sizes)
                )
                for loss in losses
            ]
        gradients = tape.gradient(means[0], watched)
        if objective.adversary is None:
            return losses, gradients, []
        variables = objective.adversary.trainable_variables
        return losses, gradients, tape.gradient(means[1], variables)

    losses, gradients, adversary = strategy.run(local, args=shares)
    parts = strategy.experimental_local_results
    return Outcome(
        [np.concatenate(parts(loss)) for loss in losses],
        [
            np.concatenate(parts(gradient), axis=axis)
            for gradient, axis in zip(gradients, [0, 0, 1], strict=True)
        ],
        [np.sum(parts(gradient), axis=0) for gradient in adversary],
    )


def assert_devices_agree(make_objective: Callable[[], Objective]) -> None:
    """Two devices with uneven shares against one, also with a weight of 0."""
    inputs = make_inputs()
    weight = [1.0, 0.0, 1.0, 1.0, 1.0]
    one = outcome(make_objective, inputs, [5])
    assert_close(outcome(make_objective, inputs, [3, 2]), one)
    # On one device, the example of weight 0 is not there at all.
    kept = [0, 2, 3, 4]
    fewer = Inputs(
        inputs.loc[kept],
        inputs.scale[kept],
        inputs.eps[:, kept],
        inputs.distortion[:, kept],
    )
    expected = outcome(make_objective, fewer, [4])
    weighted = outcome(make_objective, inputs, [3, 2], weight)
    assert all(np.isfinite(loss).all() for loss in weighted.losses)
    weighted.losses = [loss[kept] for loss in weighted.losses]
    # Means are over 5 there, over 4 here.
    weighted.gradients = [
        np.take(gradient, kept, axis=axis) * 5 / 4
        for gradient, axis in zip(weighted.gradients, [0, 0, 1], strict=True)
    ]
    weighted.adversary_gradients = [
        gradient * 5 / 4 for gradient in weighted.adversary_gradients
    ]
    assert_close(weighted, expected)


def assert_close(actual: Outcome, expected: Outcome) -> None:
    for field in dataclasses.fields(Outcome):
        pairs = zip(
            getattr(actual, field.name),
            getattr(expected, field.name),
            strict=True,
        )
        for value, reference in pairs:
            np.testing.assert_allclose(
                value, reference, rtol=1e-5, atol=1e-6, err_msg=field.name
            )


def numeric_gradient(
    function: Callable[[np.ndarray], float], at: np.ndarray
) -> np.ndarray:
    """Central differences, in float64."""
    at = at.astype(np.float64)
    gradient = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = 1e-5
        gradient[index] = (function(at + step) - function(at - step)) / 2e-5
    return gradient


def _share_out(
    strategy: tf.distribute.Strategy,
    value: np.ndarray,
    sizes: list[int],
    axis: int,
) -> tf.Tensor:
    parts = np.split(value, np.cumsum(sizes)[:-1], axis=axis)
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )
