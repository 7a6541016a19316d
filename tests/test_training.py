"""Epochs of a run: which of them count, where they stop."""

import pathlib

import numpy as np
import pytest

from tests import small_runs
from tfvae import build, resolve, training
from tfvae.config import Config
from tfvae.data.load import load_data
from tfvae.recorder import Recorder
from tfvae.run_dir import RunDir


@pytest.mark.parametrize(
    ("settings", "counting"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"kl_schedule": "linear:2"}, [3, 4, 5, 6]),
        ({"kl_schedule": "linear:6"}, []),
        # Full weight from the middle of each cycle on: within epoch 2 of 3.
        ({"kl_schedule": "cyclical:3"}, [3, 6]),
        ({"kl_schedule": "cyclical:4"}, [3, 4]),
        ({"kl_schedule": "cyclical:1"}, []),
        ({"capacity": "5:4"}, [5, 6]),
        ({"capacity": "5:1", "kl_schedule": "linear:3"}, [4, 5, 6]),
    ],
)
def test_epochs_before_the_full_loss_do_not_count(
    settings: dict[str, str], counting: list[int]
) -> None:
    config = Config(epochs=6, **settings)
    counted = [n for n in range(1, 7) if training.is_warmed_up(config, n)]
    assert counted == counting


@pytest.mark.slow
def test_stopping_at_an_epoch_leaves_the_rest_for_later(
    tmp_path: pathlib.Path,
) -> None:
    config = Config(**small_runs.TINY, epochs=3, dataset="ring")
    splits = load_data(config)
    num = splits.train.num_examples
    config = resolve.resolve(
        config, splits.spec, num_examples=num, num_replicas=1
    )
    weights = {}
    for name, stops in {"once": [None], "twice": [1, 3]}.items():
        for last_epoch in stops:
            model = build.build_model(config, splits.spec, num_examples=num)
            recorder = Recorder(
                model,
                RunDir(str(tmp_path / name)),
                num_examples=num,
                steps_per_epoch=resolve.steps_per_epoch(config, num),
            )
            training.fit(config, model, splits, recorder, last_epoch=last_epoch)
            assert len(recorder.rows) == (last_epoch or 3)
        weights[name] = [v.numpy() for v in model.encoder.variables]
    for once, twice in zip(weights["once"], weights["twice"], strict=True):
        np.testing.assert_array_equal(once, twice)
