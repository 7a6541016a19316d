"""The VAE is a Keras model: data, callbacks, precision, compilation."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import tfvae
from tests import models
from tfvae import build, trunks
from tfvae.distributions.likelihoods import Bernoulli, Gaussian

NUM_DIMS = 5
X = np.random.default_rng(0).uniform(size=[12, NUM_DIMS]).astype(np.float32)


def compiled(learning_rate: float = 0.0, **settings: Any) -> tfvae.VAE:
    tf_keras.utils.set_random_seed(0)
    model = models.linear_vae(NUM_DIMS, Bernoulli())
    model.compile(tf_keras.optimizers.SGD(learning_rate), **settings)
    return model


def mlp(policy: str, optimizer: Any) -> tfvae.VAE:
    tf_keras.utils.set_random_seed(0)
    dtype = tf_keras.mixed_precision.Policy(policy)
    model = tfvae.VAE(
        tfvae.make_encoder(trunks.dense([7], dtype=dtype), (NUM_DIMS,), 2),
        tfvae.make_decoder(
            trunks.dense([7], dtype=dtype), 2, (NUM_DIMS,), Gaussian()
        ),
    )
    model.compile(optimizer)
    return model


def test_arrays_data_sets_and_labels_come_to_the_same() -> None:
    model, y = compiled(), np.arange(12)
    as_array = model.evaluate(X, batch_size=5, return_dict=True, verbose=0)
    for data in (X, (X, y), (X, y, np.ones(12, np.float32))):
        batches = tf.data.Dataset.from_tensor_slices(data).batch(5)
        assert model.evaluate(batches, return_dict=True, verbose=0) == as_array
    assert set(as_array) == {"loss", "elbo", "log_likelihood", "kl", "mse"}


def test_a_short_last_batch_weighs_what_it_should() -> None:
    model = compiled()
    uneven, whole = (
        model.evaluate(X, batch_size=size, return_dict=True, verbose=0)
        for size in (5, 12)
    )
    for name in ("kl", "mse"):
        assert uneven[name] == pytest.approx(whole[name], rel=1e-5)


def test_predict_reconstructs_the_same_each_time() -> None:
    model = compiled()
    reconstructed = model.predict(X, batch_size=5, verbose=0)
    np.testing.assert_allclose(reconstructed, model.reconstruct(X), rtol=1e-5)
    batches = tf.data.Dataset.from_tensor_slices(X).batch(5)
    np.testing.assert_array_equal(
        model.predict(batches, verbose=0), reconstructed
    )


def test_standard_callbacks_work() -> None:
    model = compiled()  # learning rate 0: val_elbo never gets better
    history = model.fit(
        X,
        batch_size=5,
        epochs=9,
        validation_data=(X[:7], None),
        callbacks=[
            tf_keras.callbacks.EarlyStopping(
                "val_elbo", mode="max", patience=2
            ),
            tf_keras.callbacks.TerminateOnNaN(),
        ],
        verbose=0,
    )
    assert history.epoch == [0, 1, 2]
    assert len(set(history.history["val_elbo"])) == 1


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_low_precision_trains_and_measures_in_float32(policy: str) -> None:
    optimizer = tf_keras.optimizers.Adam(0.01)
    if policy == "mixed_float16":
        optimizer = tf_keras.mixed_precision.LossScaleOptimizer(
            optimizer, initial_scale=2.0**10
        )
    model = mlp(policy, optimizer)
    terms = model.terms(X, tf.zeros([1, 12, 2]))
    assert {term.dtype for term in terms} == {tf.float32}
    history = model.fit(X, batch_size=5, epochs=15, verbose=0).history
    assert history["elbo"][-1] > history["elbo"][0] + 0.5
    assert {v.dtype for v in model.trainable_variables} == {tf.float32}
    assert model.faults.found() is None


@pytest.mark.slow
def test_loss_scaling_leaves_the_step_as_it_is() -> None:
    plain = mlp("float32", tf_keras.optimizers.SGD(0.01))
    scaled = mlp(
        "float32",
        tf_keras.mixed_precision.LossScaleOptimizer(
            tf_keras.optimizers.SGD(0.01), initial_scale=2.0**10
        ),
    )
    for model in (plain, scaled):
        model.fit(X, batch_size=5, shuffle=False, verbose=0)
    for one, two in zip(
        plain.trainable_variables, scaled.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-5)


@pytest.mark.slow
def test_xla_gives_the_same_training() -> None:
    results = []
    for jit_compile in (False, True):
        model = compiled(0.1, jit_compile=jit_compile)
        history = model.fit(
            X,
            batch_size=5,
            epochs=3,
            shuffle=False,
            validation_data=(X, None),
            verbose=0,
        ).history
        weights = [v.numpy() for v in model.trainable_variables]
        results.append((history, weights))
    (plain, weights), (compiled_history, compiled_weights) = results
    for name, values in plain.items():
        np.testing.assert_allclose(compiled_history[name], values, rtol=1e-5)
    for one, two in zip(weights, compiled_weights, strict=True):
        # A weight near 0 carries the rounding of its layer's, of about 0.5.
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-7)


def test_a_nan_is_named_with_its_step() -> None:
    model, x = compiled(0.1), X.copy()
    x[7] = np.nan  # in the second batch of five
    model.fit(x, batch_size=5, shuffle=False, verbose=0)
    # The encoder sees the NaN as well, but log p(x|z) comes first.
    assert model.faults.found() == ("log_likelihood", 1)


def test_steps_are_counted() -> None:
    model = compiled(0.1)
    model.fit(X, batch_size=5, epochs=2, verbose=0)
    assert int(model.train_step_count) == 6
    assert build.num_parameters(model) == 2 * 12 + 15
