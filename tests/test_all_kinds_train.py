"""Every objective, posterior, prior and likelihood trains on digits."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.training import fit
from tfvae import build, resolve
from tfvae.config import FIELDS, Config
from tfvae.data import pipeline
from tfvae.data.load import load_data
from tfvae.learner import Learner
from tfvae.settings import rule_of

pytestmark = pytest.mark.slow
BASE = Config(
    hidden_units=(64,), latent_dim=6, epochs=20, num_components=9,
    jit_compile="off", learning_rate=3e-3,
)  # fmt: skip
SPLITS = load_data(BASE)


def words(name: str) -> list[str]:
    return [word for word in rule_of(FIELDS[name]).words if word != "auto"]


def train(**settings: Any) -> tuple[Learner, dict[str, list[float]]]:
    """Returns a model trained by the builder's own settings, and its logs."""
    return fit(dataclasses.replace(BASE, **settings), SPLITS)


def check(model: Learner, logs: dict[str, list[float]]) -> None:
    assert model.faults.found() is None
    assert all(np.isfinite(values).all() for values in logs.values())
    assert logs["loss"][-1] < logs["loss"][0]
    name = f"val_{model.monitor}"
    assert logs[name][-1] > logs[name][0]
    # The mean image has 0.066 (numpy, over the test images).
    assert logs["val_mse"][-1] < 0.06


@pytest.mark.parametrize("objective", words("objective"))
def test_objective_trains(objective: str) -> None:
    model, logs = train(objective=objective)
    check(model, logs)


# All pairs take a step in tests/test_networks.py.
@pytest.mark.parametrize(
    ("posterior", "prior"),
    [
        *((posterior, "standard_normal") for posterior in words("posterior")),
        *(("diag", prior) for prior in words("prior")[1:]),
        *(("tril", "mixture"), ("iaf", "realnvp")),
    ],
)
def test_posterior_and_prior_train(posterior: str, prior: str) -> None:
    model, logs = train(posterior=posterior, prior=prior)
    check(model, logs)
    for variable in model.networks["prior"].trainable_variables:
        assert np.isfinite(variable.numpy()).all()


@pytest.mark.parametrize("likelihood", words("likelihood"))
def test_likelihood_trains(likelihood: str) -> None:
    check(*train(likelihood=likelihood))


@pytest.mark.parametrize("C", ["learned", "optimal", "per_pixel", 5.0])
def test_gaussian_trains_with_every_C(C: str | float) -> None:
    check(*train(C=C))


@pytest.mark.parametrize(
    "settings",
    [
        {"free_bits": 0.2},
        {"capacity": "8:4"},
        {"kl_schedule": "linear:4"},
        {"objective": "iwae", "kl_schedule": "cyclical:4"},
        {"objective": "mmd", "info_alpha": 1.0},
        {"model": "ae"},
    ],
)
def test_setting_trains(settings: dict[str, Any]) -> None:
    check(*train(**settings))


def test_capacity_is_where_the_kl_ends() -> None:
    _, logs = train(capacity="8:4", epochs=30)
    assert logs["val_kl"][-1] == pytest.approx(8, abs=1)


def test_free_bits_keep_every_dimension_in_use() -> None:
    model, _ = train(free_bits=0.5, latent_dim=12, epochs=15)
    x = next(
        pipeline.eval_batches(SPLITS.test, 200, seed=0).as_numpy_iterator()
    )
    per_dim = model.kl_regularizer.per_dim(model.encode(x)).numpy().mean(axis=0)
    assert per_dim.min() > 0.4


def test_the_adversary_learns_and_the_model_does_not_move_it() -> None:
    model, _ = train(objective="factor", epochs=1)
    moved = [v.numpy() for v in model.adversary.trainable_variables]
    config = dataclasses.replace(BASE, objective="factor", epochs=1)
    config = resolve.resolve(
        config, SPLITS.spec, num_examples=1439, num_replicas=1
    )
    fresh = build.build_model(config, SPLITS.spec, num_examples=1439)
    start = [v.numpy() for v in fresh.adversary.trainable_variables]
    assert not any(
        np.array_equal(one, two) for one, two in zip(moved, start, strict=True)
    )
