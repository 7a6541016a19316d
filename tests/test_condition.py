"""Conditional models: what a class or a seen part changes, and what not."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import tfvae
from tests.conftest import replicas
from tfvae import build, condition, resolve, trunks
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.errors import InputError
from tfvae.learner import Learner
from tfvae.metrics.likelihood import importance_weighted

RNG = np.random.default_rng(0)
IMAGE, VECTOR = (6, 5, 2), (7,)
X = RNG.uniform(size=[10, *IMAGE]).astype(np.float32)
LABEL = RNG.integers(0, 3, 10)
MASK = RNG.integers(0, 2, [10, 6, 5, 1]).astype(np.float32)
SEEN = np.broadcast_to(MASK == 1, X.shape)
Y = {"label": LABEL, "mask": MASK}
VALUES: dict[str, dict[str, np.ndarray]] = {
    "none": {},
    "label": {"label": LABEL},
    "mask": {"image": X, "mask": MASK},
}
CONDITIONS = pytest.mark.parametrize("name", ["label", "mask"])


def make_model(
    name: str,
    event_shape: tuple[int, ...] = IMAGE,
    num_replicas: int = 1,
    **settings: Any,
) -> Learner:
    settings = {"C": 3.0, "latent_dim": 4} | settings
    config = Config(
        condition=name, hidden_units=(11,), filters=(3,), optimizer="sgd",
        learning_rate=0.01, batch_size=4, jit_compile="off", **settings,
    )  # fmt: skip
    spec = DataSpec(event_shape, 3, "unit")
    config = resolve.resolve(
        config, spec, num_examples=10, num_replicas=num_replicas
    )
    with replicas(num_replicas).scope():
        return build.build_model(config, spec, num_examples=10)


@pytest.mark.parametrize("architecture", ["mlp", "conv"])
@CONDITIONS
def test_both_networks_depend_on_the_condition(
    name: str, architecture: str
) -> None:
    model = make_model(name, architecture=architecture)
    values = VALUES[name]
    other = {
        "label": {"label": (LABEL + 1) % 3},
        "mask": {"image": X, "mask": 1 - MASK},
    }[name]
    z = RNG.normal(size=[10, 4]).astype(np.float32)
    for first, second in (
        (model.encode(X, values).mean(), model.encode(X, other).mean()),
        (model.encode(X, values).stddev(), model.encode(X, other).stddev()),
        (model.decode(z, values).mean(), model.decode(z, other).mean()),
    ):
        changed = np.abs(first - second).reshape(10, -1).max(axis=1)
        assert (changed > 1e-5).all()


def test_vectors_take_a_label_too() -> None:
    x = RNG.uniform(size=[10, 7]).astype(np.float32)
    model = make_model("label", VECTOR)
    first = model.reconstruct(x, {"label": LABEL})
    second = model.reconstruct(x, {"label": (LABEL + 1) % 3})
    assert first.shape == (10, 7)
    assert (np.abs(first - second).max(axis=1) > 1e-5).all()


@CONDITIONS
def test_permuting_the_batch_permutes_the_outcome(name: str) -> None:
    model = make_model(name)
    order = RNG.permutation(10)
    values = {key: value[order] for key, value in VALUES[name].items()}
    np.testing.assert_allclose(
        model.reconstruct(X[order], values),
        model.reconstruct(X, VALUES[name]).numpy()[order],
        rtol=1e-5,
        atol=1e-6,
    )


def test_seen_pixels_stay_to_the_bit_and_hidden_input_does_not_count() -> None:
    model = make_model("mask")
    z = RNG.normal(size=[10, 4]).astype(np.float32)
    completed = model.decode(z, VALUES["mask"])
    for x in (completed.mean(), completed.sample(seed=(1, 2))):
        assert (x.numpy()[SEEN] == X[SEEN]).all()
    holes = {"image": np.where(SEEN, X, np.nan), "mask": MASK}
    np.testing.assert_array_equal(
        model.decode(z, holes).mean(), completed.mean()
    )
    np.testing.assert_array_equal(
        model.encode(X, holes).mean(), model.encode(X, VALUES["mask"]).mean()
    )


def test_loss_is_of_the_hidden_pixels() -> None:
    model = make_model("mask", C=3.0)
    eps = RNG.normal(size=[1, 10, 4]).astype(np.float32)
    terms = model.terms(X, eps, VALUES["mask"])
    qz = model.encode(X, VALUES["mask"])
    loc, scale = qz.mean().numpy(), qz.stddev().numpy()
    f = model.decode(loc + scale * eps[0], VALUES["mask"]).mean().numpy()
    # c = 1 / (2 C) = 1 / 6
    per_dim = stats.norm.logpdf(X.astype(float), f, np.sqrt(1 / 6))
    log_likelihood = np.where(SEEN, 0, per_dim).sum(axis=(1, 2, 3))
    kl = 0.5 * (scale**2 + loc**2 - 1 - 2 * np.log(scale)).sum(axis=1)
    np.testing.assert_allclose(terms.log_likelihood, log_likelihood, rtol=1e-5)
    np.testing.assert_allclose(terms.kl, kl, rtol=1e-5)
    np.testing.assert_allclose(terms.loss, kl - log_likelihood, rtol=1e-5)


@pytest.mark.parametrize(
    "num_replicas", [1, pytest.param(2, marks=pytest.mark.slow)]
)
def test_optimal_c_is_the_error_of_the_hidden_pixels(
    num_replicas: int,
) -> None:
    model = make_model("mask", C="optimal", num_replicas=num_replicas)
    model.decoder.get_layer("head").kernel.assign(tf.zeros([11, 60]))
    b = model.decoder.get_layer("offset").b.numpy()[..., 0]
    data = tf.data.Dataset.from_tensor_slices((X, MASK)).batch(10)
    model.fit(data, verbose=0)
    c = 1 / (2 * model.likelihood.current_C())
    squared_error = np.square(X - 1 / (1 + np.exp(-b)))[~SEEN]
    assert c == pytest.approx(squared_error.mean(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["label", "mask"])
def test_devices_agree_with_one(name: str) -> None:
    # Batches of 4, 4 and 2: the last gives 1 and 1; then one of 1 and 0.
    outcomes = []
    for num_replicas in (1, 2):
        model = make_model(name, num_replicas=num_replicas, num_samples=2)
        data = tf.data.Dataset.from_tensor_slices((X, Y[name]))
        batches = data.batch(4).concatenate(data.take(1).batch(4))
        logs = model.fit(batches, epochs=3, verbose=0).history
        outcomes.append((logs, [v.numpy() for v in model.weights]))
    (logs, weights), (other_logs, other_weights) = outcomes
    for key, values in logs.items():
        np.testing.assert_allclose(other_logs[key], values, rtol=1e-5)
    for value, reference in zip(other_weights, weights, strict=True):
        np.testing.assert_allclose(value, reference, rtol=1e-5, atol=1e-7)


@CONDITIONS
def test_fit_and_predict_take_arrays(name: str) -> None:
    model = make_model(name)
    logs = model.fit(X, Y[name], batch_size=4, epochs=2, verbose=0).history
    assert np.isfinite(logs["elbo"]).all()
    data = tf.data.Dataset.from_tensor_slices((X, Y[name])).batch(4)
    predicted = model.predict(data, verbose=0)
    expected = model.reconstruct(X, VALUES[name])
    np.testing.assert_allclose(predicted, expected, rtol=1e-5, atol=1e-6)


@CONDITIONS
def test_an_autoencoder_takes_a_condition_too(name: str) -> None:
    model = make_model(name, model="ae")
    logs = model.fit(X, Y[name], batch_size=4, epochs=2, verbose=0).history
    assert logs["loss"][1] < logs["loss"][0]


def test_samples_differ_by_class_and_repeat_by_seed() -> None:
    model = make_model("label")
    first, again = (
        model.sample(3, seed=5, condition={"label": [0, 1, 2]})
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    other = model.sample(3, seed=5, condition={"label": [1, 2, 0]})
    assert (np.abs(first - other).reshape(3, -1).max(axis=1) > 1e-5).all()


def test_bound_is_the_exact_log_p_of_x_given_y_at_the_exact_posterior() -> None:
    # p(x|z, y) = N(W z + V y + b, c I), W^T W = diag(s^2), so that
    # p(z|x, y) = N(W^T (x - V y - b) / (c + s^2), diag(c / (c + s^2)))
    # p(x|y) = N(V y + b, W W^T + c I)
    label, c = condition.Label(VECTOR, 3), 0.25
    encoder = tfvae.make_encoder(trunks.dense([]), VECTOR, 2, condition=label)
    decoder = tfvae.make_decoder(
        trunks.dense([]), 2, VECTOR, tfvae.Gaussian(C=1 / (2 * c)),
        condition=label,
    )  # fmt: skip
    model = tfvae.VAE(encoder, decoder, condition=label)
    s = np.array([0.8, 1.3])
    W = np.linalg.qr(RNG.normal(size=[7, 2]))[0] * s
    V, b = RNG.normal(size=[7, 3]), RNG.normal(size=7)
    gain = 4 * np.sqrt(2)  # of the one-hot y beside z
    decoder.get_layer("head").kernel.assign(
        np.concatenate([W, V / gain], axis=1).T
    )
    decoder.get_layer("offset").b.assign(b[:, np.newaxis])
    to_loc = W / (c + s**2)  # [7, 2]
    encoder.get_layer("loc").kernel.assign(
        np.concatenate([to_loc, -V.T @ to_loc])
    )
    encoder.get_layer("loc").bias.assign(-b @ to_loc)
    log_scale = 0.5 * np.log(c / (c + s**2))
    encoder.get_layer("log_scale").kernel.assign(np.zeros([10, 2]))
    encoder.get_layer("log_scale").bias.assign(7 * np.arctanh(log_scale / 7))
    x = RNG.normal(size=[6, 7]).astype(np.float32)
    y = np.array([0, 1, 2, 2, 0, 1])
    exact = [
        stats.multivariate_normal(V[:, k] + b, W @ W.T + c * np.eye(7)).logpdf(
            row
        )
        for row, k in zip(x.astype(float), y, strict=True)
    ]
    for num_samples in (1, 30):
        estimate = importance_weighted(
            model, x, num_samples=num_samples, condition={"label": y}
        )
        np.testing.assert_allclose(estimate.log_prob, exact, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("none", {"label": LABEL}, "must hold nothing; got `label`"),
        ("label", None, "must hold `label`; got nothing"),
        ("label", {"labels": LABEL}, "must hold `label`; got `labels`"),
        ("mask", {"mask": MASK}, "must hold `image` and `mask`; got `mask`"),
    ],
)
def test_another_condition_than_the_model_s_is_refused(
    name: str, given: Any, message: str
) -> None:
    model = make_model(name)
    for call in (
        lambda: model.decode(np.zeros([10, 4], "f"), given),
        lambda: model.encode(X, given),
    ):
        with pytest.raises(ValueError, match=f"`condition` {message}"):
            call()


@CONDITIONS
def test_data_without_y_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"condition={name} needs .* as y"):
        make_model(name).fit(X, batch_size=4, verbose=0)


@pytest.mark.parametrize(
    ("settings", "spec", "message"),
    [
        (
            {"condition": "label"},
            DataSpec(IMAGE, None, "unit"),
            "`condition`=label needs labels; `dataset` digits has none",
        ),
        (
            {"condition": "mask"},
            DataSpec(VECTOR, 3, "unit"),
            "`condition`=mask needs images; .* vectors of 7",
        ),
        (
            {"mask": "left"},
            DataSpec(IMAGE, 3, "unit"),
            "`mask` is of no use without `condition`=mask; got left",
        ),
        (
            {"condition": "label", "prior": "vamp"},
            DataSpec(IMAGE, 3, "unit"),
            "`prior`=vamp encodes pseudo-inputs, which have no `condition`",
        ),
    ],
)
def test_condition_that_does_not_fit_is_refused(
    settings: dict[str, Any], spec: DataSpec, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        resolve.resolve(
            Config(**settings), spec, num_examples=10, num_replicas=1
        )
