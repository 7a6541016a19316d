"""Stratified weights against a loop, total correlation against mixtures."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from tests.draws import (
    BATCH,
    assert_devices_agree,
    make_draws,
    make_inputs,
    numeric_gradient,
)
from tfvae.objectives import beta_tc

NUM_EXAMPLES = 20
TC_WEIGHT = 6.0


def loop_weights(batch_size: int, num_examples: int) -> np.ndarray:
    n, m = num_examples, batch_size - 1
    weights = np.zeros([batch_size, batch_size])
    for i in range(batch_size):
        for j in range(batch_size):
            weights[i, j] = 1 / m
        weights[i, (i + 1) % batch_size] = (n - m) / (n * m)
        weights[i, i] = 1 / n
    return weights


def stratified(batch_size: int, num_examples: int) -> np.ndarray:
    return beta_tc.stratified_weights(
        tf.range(batch_size), tf.constant(batch_size), num_examples
    ).numpy()


def numpy_tc(
    z: np.ndarray, loc: np.ndarray, scale: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    tc = []
    for i in range(len(z)):
        per_dim = stats.norm.logpdf(z[i], loc, scale)
        joint = special.logsumexp(per_dim.sum(axis=1), b=weights[i])
        marginals = special.logsumexp(per_dim, axis=0, b=weights[i][:, None])
        tc.append(joint - marginals.sum())
    return np.array(tc)


@pytest.mark.parametrize("batch_size", [2, 3, 5])
@pytest.mark.parametrize("num_examples", [5, 20, 1000])
def test_weights_agree_with_a_loop(batch_size: int, num_examples: int) -> None:
    weights = stratified(batch_size, num_examples)
    np.testing.assert_allclose(
        weights, loop_weights(batch_size, num_examples), rtol=1e-5
    )
    np.testing.assert_allclose(weights.sum(axis=1), np.ones(batch_size))


def test_weights_of_a_local_share_are_rows_of_all() -> None:
    weights = beta_tc.stratified_weights(
        tf.constant([3, 4, 4]), tf.constant(5), NUM_EXAMPLES
    )
    np.testing.assert_allclose(
        weights, loop_weights(5, NUM_EXAMPLES)[[3, 4, 4]], rtol=1e-5
    )


@pytest.mark.parametrize("batch_size", [2, 3, 5])
def test_weights_are_those_of_the_data_in_the_mean_over_batches(
    batch_size: int,
) -> None:
    num_examples, row = 5, 1
    weights = stratified(batch_size, num_examples)[row]
    mean = np.zeros(num_examples)
    batches = list(itertools.permutations(range(1, 5), batch_size - 1))
    for others in batches:
        batch = [*others[:row], 0, *others[row:]]  # holds example 0 at `row`
        mean[batch] += weights / len(batches)
    np.testing.assert_allclose(mean, np.full(5, 1 / 5), rtol=1e-5)


def test_batch_of_two_that_is_all_of_the_data_gives_the_exact_mixture() -> None:
    np.testing.assert_allclose(stratified(2, 2), np.full([2, 2], 0.5))


def test_batch_of_one_has_no_total_correlation() -> None:
    np.testing.assert_array_equal(stratified(1, NUM_EXAMPLES), [[1.0]])
    inputs = make_inputs(batch=1)
    draws = make_draws(inputs)
    losses = beta_tc.BetaTC(TC_WEIGHT, NUM_EXAMPLES)(draws)
    expected = inputs.distortion.mean(axis=0) + draws.kl
    np.testing.assert_allclose(losses.model, expected, rtol=1e-5)


def test_batch_larger_than_the_data_is_taken_for_all_of_it() -> None:
    np.testing.assert_allclose(stratified(5, 3), loop_weights(5, 5), rtol=1e-5)


def test_total_correlation_agrees_with_scipys_mixture() -> None:
    inputs, rows = make_inputs(), [3, 0, 4]
    weights = np.random.default_rng(3).dirichlet(np.ones(BATCH), size=3)
    z = (inputs.loc + inputs.scale * inputs.eps[0])[rows]
    tc = beta_tc.total_correlation(
        tf.constant(z),
        tf.constant(inputs.loc),
        tf.constant(inputs.scale),
        tf.constant(weights, tf.float32),
    )
    assert tc.shape == [3]
    expected = numpy_tc(z, inputs.loc, inputs.scale, weights)
    np.testing.assert_allclose(tc, expected, rtol=1e-5, atol=1e-6)


def test_one_latent_dimension_has_no_total_correlation() -> None:
    inputs = make_inputs()
    loc, scale = (
        tf.constant(inputs.loc[:, :1]),
        tf.constant(inputs.scale[:, 1:]),
    )
    weights = tf.fill([BATCH, BATCH], 1 / BATCH)
    tc = beta_tc.total_correlation(loc + scale, loc, scale, weights)
    np.testing.assert_allclose(tc, np.zeros(BATCH), atol=1e-6)


@pytest.mark.parametrize("tc_weight", [0.5, 1.0, TC_WEIGHT])
def test_loss_counts_total_correlation_tc_weight_times(
    tc_weight: float,
) -> None:
    inputs = make_inputs()
    draws = make_draws(inputs)
    losses = beta_tc.BetaTC(tc_weight, NUM_EXAMPLES)(draws)
    z = inputs.loc + inputs.scale * inputs.eps[0]
    weights = loop_weights(BATCH, NUM_EXAMPLES)
    tc = numpy_tc(z, inputs.loc, inputs.scale, weights)
    np.testing.assert_allclose(
        losses.model,
        inputs.distortion.mean(axis=0) + draws.kl + (tc_weight - 1) * tc,
        rtol=1e-5,
    )
    assert (losses.encoder, losses.adversary) == (None, None)


def test_gradient_runs_through_samples_and_through_the_mixture() -> None:
    inputs = make_inputs()
    loc, scale = tf.constant(inputs.loc), tf.constant(inputs.scale)
    weights = loop_weights(BATCH, NUM_EXAMPLES)
    with tf.GradientTape() as tape:
        tape.watch(loc)
        with_tc = beta_tc.BetaTC(TC_WEIGHT, NUM_EXAMPLES)
        draws = make_draws(inputs._replace(loc=loc))
        extra = with_tc(draws).model - draws.kl
    expected = numeric_gradient(
        lambda loc: (TC_WEIGHT - 1) * numpy_tc(
            loc + inputs.scale * inputs.eps[0], loc, scale.numpy(), weights
        ).sum(),
        inputs.loc,
    )  # fmt: skip
    np.testing.assert_allclose(
        tape.gradient(extra, loc), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_two_devices_agree_with_one() -> None:
    assert_devices_agree(lambda: beta_tc.BetaTC(TC_WEIGHT, NUM_EXAMPLES))
