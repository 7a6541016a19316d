"""Codes and images in batches, seeds, rows, and what is left out of arrays."""

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests import models
from tests.small_runs import build_model
from tfvae.distributions.likelihoods import LIKELIHOODS
from tfvae.errors import InputError
from tfvae.generation import codes, generated
from tfvae.generation.generated import Generated
from tfvae.metrics.decoding import BATCH

NUM_DIMS = 5
NUM = 2 * BATCH + 17  # two full batches and a short one
C = 8.0  # so the noise of p(x|z) has variance 1 / 16


@pytest.fixture(scope="module")
def linear() -> tfvae.VAE:
    return models.linear_vae(NUM_DIMS, tfvae.Gaussian(C=C))


def draws(shape: list[int]) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def test_codes_and_means_over_batches_are_those_of_numpy(
    linear: tfvae.VAE,
) -> None:
    x = draws([NUM, NUM_DIMS])
    loc, _ = models.encode(linear, x)
    z = generated.code(linear, x)
    np.testing.assert_allclose(z, loc, rtol=1e-4, atol=1e-5)
    matrix, b = models.decoder_weights(linear)
    made = generated.decode(linear, z.reshape(11, 47, 2))
    assert made.shape == (11, 47, NUM_DIMS)
    np.testing.assert_allclose(
        made.reshape(NUM, NUM_DIMS), z @ matrix + b, rtol=1e-4, atol=1e-5
    )


def test_draws_have_the_noise_of_the_likelihood_in_every_batch(
    linear: tfvae.VAE,
) -> None:
    z = draws([NUM, 2])
    matrix, b = models.decoder_weights(linear)
    drawn = generated.decode(linear, z, shown="draw", seed=4)
    noise = drawn - (z @ matrix + b)
    size = noise.size
    c = 1 / (2 * C)
    assert abs(noise.mean()) < 5 * np.sqrt(c / size)
    assert abs(noise.var() - c) < 5 * c * np.sqrt(2 / size)
    # No batch repeats the noise of another.
    assert abs(np.corrcoef(noise[:BATCH].ravel(), noise[BATCH:-17].ravel()))[
        0, 1
    ] < 5 / np.sqrt(BATCH * NUM_DIMS)


@pytest.mark.parametrize("shown", ["mean", "draw"])
def test_equal_seeds_give_equal_arrays_whatever_ran_before(
    linear: tfvae.VAE, shown: str
) -> None:
    def made(seed: int) -> tuple[np.ndarray, np.ndarray]:
        z = codes.prior_draws(linear, 7, mode="sample", seed=seed)
        return z, generated.decode(linear, z, shown=shown, seed=seed)

    first = made(3)
    tf.random.set_seed(11)
    tf.random.normal([5])
    again, other = made(3), made(4)
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, two)
        assert (one != three).all()


def test_largest_seed_draws(linear: tfvae.VAE) -> None:
    z = codes.prior_draws(linear, 3, mode="sample", seed=2**32 - 1)
    x = generated.decode(linear, z, shown="draw", seed=2**32 - 1)
    assert np.isfinite(x).all()


def test_prior_draws_are_normal_and_scale_with_the_temperature(
    linear: tfvae.VAE,
) -> None:
    n = 5000
    z = codes.prior_draws(linear, n, mode="sample", seed=0)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=5 / np.sqrt(n))
    np.testing.assert_allclose(np.cov(z.T), np.eye(2), atol=5 * np.sqrt(2 / n))
    for temperature in (0.0, 0.25, 1.5):
        cooled = codes.prior_draws(
            linear, n, mode="sample", seed=0, temperature=temperature
        )
        np.testing.assert_array_equal(cooled, np.float32(temperature) * z)


def test_draws_are_those_of_the_model(linear: tfvae.VAE) -> None:
    z = codes.prior_draws(linear, 6, mode="sample", seed=5)
    np.testing.assert_allclose(
        generated.decode(linear, z), linear.sample(6, seed=5), rtol=1e-6
    )


@pytest.mark.parametrize("name", ["label", "mask"])
def test_every_row_is_made_with_its_own_condition(name: str) -> None:
    model = build_model((5, 4, 3), condition=name)
    rng = np.random.default_rng(0)
    x = rng.uniform(size=[NUM, 5, 4, 3]).astype(np.float32)
    mask = rng.integers(0, 2, [NUM, 5, 4, 1]).astype(np.float32)
    condition = {
        "label": {"label": rng.integers(0, 3, NUM)},
        "mask": {"image": x * mask, "mask": mask},
    }[name]
    z = generated.code(model, x, condition)
    made = generated.decode(model, z, condition)
    for row in (0, BATCH - 1, BATCH, NUM - 1):
        own = {key: value[row : row + 1] for key, value in condition.items()}
        np.testing.assert_allclose(
            z[row], model.code(x[row : row + 1], own)[0], rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(
            made[row],
            model.decode(z[row : row + 1], own).mean()[0],
            rtol=1e-4,
            atol=1e-5,
        )


@pytest.mark.parametrize("name", list(LIKELIHOODS))
def test_every_likelihood_is_drawn_from(name: str) -> None:
    support = "binary" if name == "bernoulli" else "unit"
    model = build_model((6,), support, likelihood=name)
    z = draws([9, 4])
    drawn = generated.decode(model, z, shown="draw", seed=1)
    assert drawn.shape == (9, 6)
    assert np.isfinite(drawn).all()
    again = generated.decode(model, z, shown="draw", seed=1)
    np.testing.assert_array_equal(drawn, again)
    assert (drawn != generated.decode(model, z, shown="mean")).any()


def test_rows_are_filled_from_the_left_and_the_top() -> None:
    rows = generated.rows_of(np.arange(6.0), [3, 1, 2], np.nan)
    np.testing.assert_array_equal(
        rows, [[0, 1, 2], [3, np.nan, np.nan], [4, 5, np.nan]]
    )
    assert generated.row_lengths(7, 3) == [3, 3, 1]
    assert generated.row_lengths(2, 3) == [2]


def test_interleaved_rows() -> None:
    upper, lower = np.arange(4).reshape(2, 2), np.arange(4, 8).reshape(2, 2)
    np.testing.assert_array_equal(
        generated.interleaved(upper, lower), [[0, 1], [4, 5], [2, 3], [6, 7]]
    )


def test_arrays_hold_what_the_model_made_row_by_row() -> None:
    z = np.arange(8.0).reshape(2, 2, 2)
    z[0, 1] = np.nan
    x = np.arange(4).reshape(2, 2, 1)
    more = {"label": np.array([1, 2, 0])}
    arrays = Generated(x, z, "a title", more=more).arrays()
    assert list(arrays) == ["x", "z", "label"]
    np.testing.assert_array_equal(arrays["x"], [[0], [2], [3]])
    np.testing.assert_array_equal(arrays["z"], [[0, 1], [4, 5], [6, 7]])
    assert arrays["label"] is more["label"]


def test_title_says_mode_and_what_of_p_and_which_class() -> None:
    title = generated.title("sample", "draw", ", z ~ p(z)", None)
    assert title == "sample: a draw of p(x|z), z ~ p(z)"
    of_one = {"label": np.array([2, 2])}
    assert generated.title("m", "mean", "", of_one) == (
        "m: mean of p(x|z), class 2"
    )
    of_two = {"label": np.array([2, 1])}
    assert generated.title("m", "mean", "", of_two) == "m: mean of p(x|z)"


def test_model_without_masks_completes_nothing() -> None:
    model = build_model((6,), condition="label")
    with pytest.raises(InputError, match=r"=mask; this one has .*=label"):
        generated.require_masks(model)
