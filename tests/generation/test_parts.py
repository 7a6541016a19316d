"""What is made part by part is what is made at once."""

import numpy as np
import pytest

from tests import models
from tests.small_runs import build_model
from tfvae.distributions.likelihoods import Gaussian
from tfvae.errors import InputError
from tfvae.generation import codes, makers, parts
from tfvae.generation.archive import Parts
from tfvae.metrics import decoding

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
NUM = 53  # two blocks of two batches, and a short one


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BATCH", 10)
    monkeypatch.setattr(codes, "BLOCK", 20)


def whole(made: Parts) -> dict[str, np.ndarray]:
    arrays = {
        name: np.concatenate(list(of_array))
        for name, of_array in made.arrays.items()
    }
    assert {len(array) for array in arrays.values()} == {made.num}
    return arrays


def assert_same(
    one: dict[str, np.ndarray], other: dict[str, np.ndarray]
) -> None:
    assert list(one) == list(other)
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], **TOLERANCE)


def test_samples_are_those_of_a_linear_decoder() -> None:
    model = models.linear_vae(5, Gaussian(C=8.0))
    made = whole(parts.sample(model, NUM, seed=3, temperature=0.5))
    matrix, b = models.decoder_weights(model)
    np.testing.assert_allclose(made["x"], made["z"] @ matrix + b, **TOLERANCE)
    assert_same(
        made, makers.sample(model, NUM, seed=3, temperature=0.5).arrays()
    )


def test_samples_of_classes_are_those_made_at_once() -> None:
    model = build_model((6,), condition="label")
    settings = {
        "seed": 3, "shown": "draw",
        "condition": {"label": np.arange(NUM) * 3 // NUM},
    }  # fmt: skip
    made = whole(parts.sample(model, NUM, **settings))
    assert_same(made, makers.sample(model, NUM, **settings).arrays())


def test_a_row_is_the_same_to_the_bit_however_many_there_are() -> None:
    model = build_model((6,))
    few, many = (
        whole(parts.sample(model, num, seed=1, shown="draw"))
        for num in (3, NUM)
    )
    for name, array in few.items():
        np.testing.assert_array_equal(array, many[name][:3])


def test_reconstructions_are_those_made_at_once() -> None:
    model = build_model((5, 4, 3), condition="mask")
    rng = np.random.default_rng(0)
    x = rng.uniform(size=[NUM, 5, 4, 3]).astype(np.float32)
    mask = rng.integers(0, 2, [NUM, 5, 4, 1]).astype(np.float32)
    settings = {
        "condition": {"image": x * mask, "mask": mask}, "shown": "draw",
        "seed": 4,
    }  # fmt: skip
    made = whole(parts.reconstruct(model, x, **settings))
    assert_same(made, makers.reconstruct(model, x, **settings).arrays())


def test_what_a_model_cannot_do_is_refused_before_anything_is_made() -> None:
    with pytest.raises(InputError, match="`sample` draws from a prior, which"):
        parts.sample(build_model((6,), model="ae"), 3, seed=0)
