"""On which levels data lie, and by how much they were scaled."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfvae.config import Config
from tfvae.data import arrays, images, pipeline, streams
from tfvae.data.load import load_data
from tfvae.data.preparation import Preparation
from tfvae.data.sources import PARTS, Source
from tfvae.data.spec import DataSpec
from tfvae.data.split import Splits
from tfvae.errors import InputError

SIZES = {"train": 9, "validation": 4, "test": 5}


def parts_of(
    shape: list[int], largest: float, dtype: str, step: float = 0
) -> dict[str, np.ndarray]:
    """Values from 0 to `largest`, both included; whole multiples of `step`."""
    rng = np.random.default_rng(3)
    parts = {}
    for part, size in SIZES.items():
        x = rng.random([size, *shape]) * largest
        x.flat[:2] = 0, largest
        x = np.round(x / step) * step if step else x
        parts[part] = x.astype(dtype)
    return parts


def held(x: dict[str, np.ndarray], maximum=None, **options: Any) -> Splits:
    source = Source({part: (x[part], None) for part in PARTS}, maximum)
    return arrays.to_splits(source, Preparation("it", **options))


def streamed(x: dict[str, np.ndarray], **options: Any) -> Splits:
    shape = x["train"].shape[1:]
    return streams.to_splits(
        {p: tf.data.Dataset.from_tensor_slices({"x": x[p]}) for p in PARTS},
        lambda record: (record["x"], tf.constant(-1, tf.int64)),
        SIZES,
        shape,  # type: ignore[arg-type]
        None,
        Preparation("it", max_resident_bytes=0, **options),
    )


# Shape, largest value, dtype, step between values, levels, scale.
RULES = [
    ([6, 5, 1], 255, "uint8", 0, 256, 255),
    ([6, 5, 3], 200, "uint8", 0, 256, 255),
    ([6, 5, 1], 60000, "uint16", 0, 65536, 65535),
    ([6, 5, 1], 1, "uint8", 1, 2, 1),
    ([6, 5, 1], 255, "uint8", 255, 2, 1),
    ([6, 5, 1], 65535, "uint16", 65535, 2, 1),
    ([6, 5, 1], 1, "float32", 1, 2, 1),
    ([6, 5, 1], 1, "float32", 0, None, 1),
    ([6], 255, "uint8", 0, 256, 255),
    ([6], 1, "float32", 0, None, 1),
    ([6], 1, "float32", 1, None, 1),
]


@pytest.mark.parametrize("make", [held, streamed])
@pytest.mark.parametrize(
    ("shape", "largest", "dtype", "step", "levels", "scale"), RULES
)
def test_levels_and_scale_follow_the_values(
    make, shape, largest, dtype, step, levels, scale
) -> None:
    splits = make(parts_of(shape, largest, dtype, step))
    assert splits.spec.levels == levels
    assert splits.level_scale == scale
    # What a model sees, times the scale, lies on whole levels.
    batches = pipeline.eval_batches(splits.train, 4, seed=0)
    x = np.concatenate(list(batches.as_numpy_iterator()))
    if levels is not None:
        k = x.astype(np.float64) * scale
        np.testing.assert_allclose(k, k.round(), atol=1e-2)
        assert k.round().max() <= levels - 1
        np.testing.assert_allclose(x.max(), min(1, largest / (levels - 1)))


@pytest.mark.parametrize("make", [held, streamed])
@pytest.mark.parametrize(
    ("shape", "largest", "dtype", "step", "levels", "scale"), RULES
)
def test_dequantised_scale_is_the_number_of_levels(
    make, shape, largest, dtype, step, levels, scale
) -> None:
    x = parts_of(shape, largest, dtype, step)
    if levels is None:
        with pytest.raises(
            InputError,
            match=r"^`dequantize` needs whole levels, such as 8-bit images; "
            r"`dataset` it holds floats\.$",
        ):
            make(x, dequantize=True)
        return
    splits = make(x, dequantize=True)
    assert splits.spec.levels is None
    assert splits.spec.support == held(x).spec.support.replace("binary", "unit")
    assert splits.level_scale == splits.test.divisor == levels
    batches = pipeline.eval_batches(splits.test, 4, seed=0, dequantize=True)
    seen = np.concatenate(list(batches.as_numpy_iterator())).astype(np.float64)
    step = largest if step else 1
    np.testing.assert_array_equal(np.floor(seen * levels), x["test"] // step)
    whole = {part: values // step for part, values in x.items()}
    for part in PARTS:
        expected = (whole[part].mean(axis=0, dtype=float) + 0.5) / levels
        np.testing.assert_allclose(getattr(splits, part).mean(), expected)


@pytest.mark.parametrize("make", [held, streamed])
@pytest.mark.parametrize("binarize", ["static", "dynamic"])
def test_binarised_data_have_two_levels_one_apart(make, binarize: str) -> None:
    splits = make(parts_of([6, 5, 1], 255, "uint8"), binarize=binarize)
    assert (splits.spec.levels, splits.level_scale) == (2, 1)
    floats = make(parts_of([6, 5, 1], 1, "float32"), binarize=binarize)
    assert (floats.spec.levels, floats.level_scale) == (2, 1)


@pytest.mark.parametrize("binarize", ["static", "dynamic"])
def test_dequantize_and_binarize_exclude_each_other(binarize: str) -> None:
    with pytest.raises(
        InputError,
        match=rf"^`dequantize` and `binarize` {binarize} exclude each other; "
        r"give one\.$",
    ):
        Preparation("it", binarize=binarize, dequantize=True)


def test_sources_own_maximum_sets_the_levels() -> None:
    x = parts_of([6, 5, 1], 12, "uint8")
    assert held(x, maximum=16).spec.levels == 17
    assert held(x, maximum=16).level_scale == 16
    assert held(x, maximum=16, dequantize=True).level_scale == 17
    resized = held(x, maximum=16, image_size=9)
    assert (resized.spec.levels, resized.level_scale) == (17, 16)
    assert resized.train.x.max() <= 16


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(("image_size", "grayscale"), [(4, False), (9, True)])
def test_resized_whole_numbers_stay_whole(
    dtype: str, image_size: int, grayscale: bool
) -> None:
    x = parts_of([6, 5, 3], np.iinfo(dtype).max, dtype)["train"]
    y = images.transform_array(x, image_size=image_size, grayscale=grayscale)
    assert y.dtype == dtype


def test_resized_binary_images_get_the_sources_levels() -> None:
    splits = held(parts_of([6, 5, 1], 255, "uint8", 255), image_size=9)
    assert (splits.spec.support, splits.spec.levels) == ("unit", 256)
    assert splits.level_scale == 255


def test_digits_have_seventeen_levels() -> None:
    splits = load_data(Config())
    assert (splits.spec.levels, splits.level_scale) == (17, 16)


def test_spec_takes_three_values_as_before() -> None:
    assert DataSpec((6, 5, 1), None, "unit").levels is None
    assert DataSpec((6, 5, 1), None, "unit", 17).levels == 17
