"""Small untrained models, and run folders of them, made in no time."""

import pathlib
from typing import Any

import numpy as np

import tfvae
from tfvae import build, resolve, summary, training
from tfvae.config import Config
from tfvae.data.load import load_data
from tfvae.data.spec import DataSpec
from tfvae.learner import Learner
from tfvae.run_dir import Run, RunDir, load_run

IMAGE_SHAPE = (9, 7, 3)
NUM_CLASSES = 3
TINY = {"hidden_units": (6,), "latent_dim": 4, "jit_compile": "off"}


def build_model(
    event_shape: tuple[int, ...], support: str = "unit", **settings: Any
) -> Learner:
    """Returns a model of data with 3 classes and 4 levels."""
    spec = DataSpec(event_shape, NUM_CLASSES, support, levels=4)
    config = resolve.resolve(
        Config(**TINY | settings), spec, num_examples=10, num_replicas=1
    )
    return tfvae.build_model(config, spec, num_examples=10)


def image_set(folder: pathlib.Path, num: int = 200) -> str:
    """Writes labelled 8-bit colour images; returns --dataset for them."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 256, [num, *IMAGE_SHAPE], np.uint8)
    np.savez(folder / "images.npz", x=x, y=rng.integers(0, NUM_CLASSES, num))
    return f"npz:{folder / 'images.npz'}"


def save_run(folder: pathlib.Path, **settings: Any) -> Run:
    """Returns a run that is on disk, its weights as they were drawn."""
    config = Config(**TINY | settings)
    splits = load_data(config)
    num_examples = splits.train.num_examples
    config = resolve.resolve(
        config, splits.spec, num_examples=num_examples, num_replicas=1
    )
    model = build.build_model(
        config,
        splits.spec,
        num_examples=num_examples,
        examples=lambda num: training.first_examples(config, splits.train, num),
        mean=splits.train.mean(),
    )
    run_dir = RunDir(str(folder))
    run_dir.prepare()
    run_dir.write_config(config, splits.spec, **summary.sizes(splits))
    run_dir.save_weights(model, "best")
    return load_run(run_dir.path)
