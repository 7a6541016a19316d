"""A run whose data do not fit in memory: images read from disk each epoch."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfvae import train

NUM_IMAGES, HEIGHT, WIDTH = 24, 9, 7


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Returns a folder of random PNGs in two sub-folders."""
    rng = np.random.default_rng(0)
    for index in range(NUM_IMAGES):
        image = rng.integers(256, size=[HEIGHT, WIDTH, 3], dtype=np.uint8)
        path = tmp_path / "images" / "ab"[index % 2] / f"{index}.png"
        tf.io.write_file(str(path), tf.io.encode_png(image))
    return tmp_path / "images"


def _run(folder: pathlib.Path, run_dir: pathlib.Path, *flags: str) -> dict:
    status = train.main([
        "train", f"--dataset=images:{folder}", f"--run_dir={run_dir}",
        "--epochs=2", "--batch_size=8", "--hidden_units=6", "--latent_dim=2",
        *flags,
    ])  # fmt: skip
    assert status == 0
    return json.loads((run_dir / "result.json").read_text())


@pytest.mark.slow
def test_streamed_run_ends_as_one_in_memory_but_for_its_order(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    held = _run(folder, tmp_path / "held")
    streamed = _run(folder, tmp_path / "streamed", "--max_resident_mb=0")
    assert streamed["num_parameters"] == held["num_parameters"]
    # One order or another moves a few steps' result by little.
    assert streamed["test"]["mse"] == pytest.approx(
        held["test"]["mse"], rel=0.05
    )


@pytest.mark.slow
def test_streamed_run_repeats_to_the_bit(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = ("--max_resident_mb=0", "--binarize=dynamic")
    first = _run(folder, tmp_path / "first", *flags)
    second = _run(folder, tmp_path / "second", *flags)
    assert second["test"] == first["test"]
