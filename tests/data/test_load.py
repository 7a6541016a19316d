"""From the name of a data set to its source, and how much stays in memory."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfvae.config import Config
from tfvae.data import load
from tfvae.data.preparation import Preparation
from tfvae.data.split import ArraySplit, StreamSplit
from tfvae.errors import InputError


def test_settings_reach_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setitem(load.LOADERS, "npz", lambda *given: seen.append(given))
    load.load_data(
        Config(
            dataset="npz:a:b/c.npz",
            data_dir="there",
            image_size=7,
            grayscale=True,
            binarize="static",
            seed=4,
            max_resident_mb=3,
        )
    )
    preparation = Preparation(
        name="npz:a:b/c.npz",
        data_dir="there",
        image_size=7,
        grayscale=True,
        binarize="static",
        seed=4,
        max_resident_bytes=3 * 2**20,
    )
    assert seen == [("a:b/c.npz", preparation)]


@pytest.mark.parametrize("name", ["digits:3", "ring:", "pinwheel:x"])
def test_name_that_takes_no_path_is_not_given_one(name: str) -> None:
    with pytest.raises(InputError, match="is no data set of tfvae or TFDS"):
        load.load_data(Config(dataset=name))


def test_resident_limit_counts_all_parts_in_bytes(
    tmp_path: pathlib.Path,
) -> None:
    # 20 images of 256 x 256 x 1 bytes are 1.25 MiB.
    for index in range(20):
        image = np.full([256, 256, 1], index, np.uint8)
        path = tmp_path / f"{index}.png"
        path.write_bytes(tf.io.encode_png(image).numpy())
    name = f"images:{tmp_path}"
    larger = load.load_data(Config(dataset=name, max_resident_mb=1))
    smaller = load.load_data(Config(dataset=name, max_resident_mb=2))
    assert isinstance(larger.train, StreamSplit)
    assert isinstance(smaller.train, ArraySplit)
    assert larger.spec == smaller.spec


@pytest.mark.parametrize(
    ("stored", "options", "shape"),
    [
        ((6, 5, 3), {}, (6, 5, 3)),
        ((6, 5, 3), {"grayscale": True}, (6, 5, 1)),
        ((6, 5, 1), {"grayscale": True}, (6, 5, 1)),
        ((6, 5, 4), {"grayscale": True}, (6, 5, 4)),
        ((None, None, 3), {"image_size": 4}, (4, 4, 3)),
        ((6, 5, 1), {"image_size": 4}, (4, 4, 1)),
    ],
)
def test_prepared_shape_follows_the_options(stored, options, shape) -> None:
    assert Preparation("it", **options).image_shape(stored) == shape


def test_images_of_any_size_are_refused_without_one() -> None:
    with pytest.raises(InputError, match="it holds images of different sizes"):
        Preparation("it").image_shape((None, None, 3))


def test_dequantize_reaches_the_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    monkeypatch.setitem(load.LOADERS, "digits", lambda _, p: seen.append(p))
    load.load_data(Config())
    load.load_data(Config(dequantize=True))
    assert [preparation.dequantize for preparation in seen] == [False, True]
