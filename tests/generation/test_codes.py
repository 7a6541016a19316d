"""Draws of the prior in blocks: the same ones whatever the blocks are."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.small_runs import build_model
from tfvae import noise
from tfvae.errors import InputError
from tfvae.generation import codes
from tfvae.learner import Learner

SEED = 2**32 - 1
LEARNED = [
    "mixture",
    pytest.param("realnvp", marks=pytest.mark.slow),
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "BLOCK", 20)


@functools.cache
def model_of(prior: str, latent_dim: int = 3) -> Learner:
    return build_model((6,), prior=prior, latent_dim=latent_dim)


def draws(prior: str, num: int, latent_dim: int = 3) -> list[np.ndarray]:
    model = model_of(prior, latent_dim)
    return list(codes.prior_blocks(model, num, mode="sample", seed=SEED))


@pytest.mark.parametrize("latent_dim", [3, 4])
def test_blocks_are_those_of_one_draw_of_all(latent_dim: int) -> None:
    blocks = draws("standard_normal", 47, latent_dim)
    assert [len(block) for block in blocks] == [20, 20, 7]
    whole = tf.random.stateless_normal(
        [47, latent_dim], noise.tfp_seed(SEED, noise.SAMPLE), alg="philox"
    )
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize("prior", ["standard_normal", *LEARNED])
def test_a_row_does_not_depend_on_how_many_there_are(prior: str) -> None:
    few, many = draws(prior, 27), draws(prior, 60)
    np.testing.assert_allclose(
        np.concatenate(few), np.concatenate(many)[:27], rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("prior", LEARNED)
def test_blocks_of_a_learned_prior_begin_as_the_model_does(prior: str) -> None:
    first, second, _ = draws(prior, 41)
    z = model_of(prior).prior.sample(
        20, seed=noise.tfp_seed(SEED, noise.SAMPLE)
    )
    np.testing.assert_allclose(first, z, rtol=1e-6, atol=1e-6)
    assert (first != second).all()


def test_rows_far_down_are_those_of_one_draw_of_all() -> None:
    seed, first = noise.tfp_seed(0, noise.SAMPLE), 2_000_000
    whole = tf.random.stateless_normal([first + 5, 3], seed, alg="philox")
    far = codes._normal(model_of("standard_normal"), 5, first=first, seed=seed)
    np.testing.assert_array_equal(far, whole[first:])


def test_autoencoder_has_no_prior() -> None:
    model = build_model((6,), model="ae")
    with pytest.raises(InputError, match="`sample` draws from a prior, which"):
        codes.prior_blocks(model, 3, mode="sample", seed=0)


@pytest.mark.parametrize("prior", LEARNED)
def test_learned_prior_has_no_temperature(prior: str) -> None:
    model = model_of(prior)
    with pytest.raises(InputError, match="`temperature` is of the standard"):
        codes.prior_blocks(model, 3, mode="sample", seed=0, temperature=0.5)
