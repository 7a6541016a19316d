"""Ranges, support, shapes and refusals of arrays."""

import numpy as np
import pytest

from tfvae.data import arrays
from tfvae.data.preparation import Preparation
from tfvae.data.sources import PARTS, Source
from tfvae.data.split import Splits
from tfvae.errors import InputError

SIZES = {"train": 11, "validation": 4, "test": 5}


def uniform(shape: list[int], largest: float, dtype: str) -> np.ndarray:
    """Values from 0 to largest, both ends included."""
    x = np.random.default_rng(3).random(shape) * largest
    x.flat[:2] = 0, largest
    return x.astype(dtype)


def source_of(
    shape: list[int], largest: float, dtype: str, labels: bool = False
) -> Source:
    return Source(
        {
            part: (
                uniform([size, *shape], largest, dtype),
                np.arange(size) % 4 if labels else None,
            )
            for part, size in SIZES.items()
        }
    )


def load(source: Source, **options) -> Splits:
    return arrays.to_splits(source, Preparation("it", **options))


@pytest.mark.parametrize(
    ("shape", "largest", "dtype", "divisor", "support"),
    [
        ([6, 5, 1], 255, "uint8", 255, "unit"),
        ([6, 5, 3], 200, "uint8", 255, "unit"),
        ([6, 5, 1], 2, "uint8", 255, "unit"),
        ([6, 5, 1], 1, "uint8", 1, "binary"),
        ([6, 5, 1], 60000, "uint16", 65535, "unit"),
        ([6, 5, 1], 255, "int64", 255, "unit"),
        ([6, 5, 1], 1, "bool", 1, "binary"),
        ([6, 5, 1], 1, "float64", 1, "unit"),
        ([6, 5, 1], 0.5, "float16", 1, "unit"),
        ([6], 255, "uint8", 255, "unit"),
        ([6], 1, "uint8", 1, "binary"),
        ([6], 1, "float32", 1, "real"),
        ([6], 30, "float64", 1, "real"),
    ],
)
def test_range_and_support_follow_dtype_and_values(
    shape: list[int], largest: float, dtype: str, divisor: float, support: str
) -> None:
    source = source_of(shape, largest, dtype)
    splits = load(source)
    assert splits.spec.support == support
    assert splits.spec.event_shape == tuple(shape)
    for part in PARTS:
        split = getattr(splits, part)
        assert split.divisor == divisor
        np.testing.assert_array_equal(
            split.x, source.arrays[part][0].astype(split.x.dtype)
        )


def test_levels_0_and_255_alone_are_binary() -> None:
    source = source_of([6, 5, 1], 1, "uint8")
    x = {part: (255 * x, y) for part, (x, y) in source.arrays.items()}
    splits = load(Source(x))
    assert (splits.spec.support, splits.train.divisor) == ("binary", 1)
    for part in PARTS:
        split = getattr(splits, part)
        np.testing.assert_array_equal(split.x, source.arrays[part][0])


def test_floats_of_0_and_1_in_images_are_binary() -> None:
    ones = {p: (x.round(), y) for p, (x, y) in
            source_of([6, 5, 1], 1, "float32").arrays.items()}  # fmt: skip
    assert load(Source(ones)).spec.support == "binary"


def test_grey_test_examples_make_the_support_unit() -> None:
    parts = dict(source_of([6, 5, 1], 1, "uint8").arrays)
    parts["test"] = uniform([5, 6, 5, 1], 255, "uint8"), None
    splits = load(Source(parts))
    assert (splits.spec.support, splits.train.divisor) == ("unit", 255)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_one_grey_pixel_in_the_test_part_makes_the_support_unit(
    dtype: str,
) -> None:
    largest = 1 if dtype == "float32" else 255
    parts = {
        p: (np.full([n, 6, 5, 1], largest, dtype), None)
        for p, n in SIZES.items()
    }
    assert load(Source(parts)).spec.support == "binary"
    parts["test"][0][1, 2, 3, 0] = largest / 2
    assert load(Source(parts)).spec.support == "unit"


def test_sources_own_maximum_wins() -> None:
    parts = source_of([6, 5, 1], 16, "uint8").arrays
    assert load(Source(parts, maximum=16)).test.divisor == 16


def test_images_without_channels_get_one() -> None:
    assert load(source_of([6, 5], 255, "uint8")).train.x.shape == (11, 6, 5, 1)


def test_floats_are_held_as_float32_and_whole_numbers_as_they_are() -> None:
    assert load(source_of([6], 9, "float64")).train.x.dtype == np.float32
    assert load(source_of([6], 9, "int32")).train.x.dtype == np.uint8
    assert load(source_of([6], 999, "uint16")).train.x.dtype == np.uint16


def test_classes_are_counted_over_all_parts() -> None:
    source = source_of([6, 5, 1], 1, "uint8", labels=True)
    assert load(source).spec.num_classes == 4
    parts = dict(source.arrays)
    parts["test"] = parts["test"][0], np.array([0, 1, 2, 3, 8])
    assert load(Source(parts)).spec.num_classes == 9
    assert load(source_of([6, 5, 1], 1, "uint8")).spec.num_classes is None


def test_images_are_resized_and_lose_colour() -> None:
    source = source_of([6, 5, 3], 255, "uint8")
    splits = load(source, image_size=4, grayscale=True)
    assert splits.spec.event_shape == (4, 4, 1)
    assert splits.test.x.shape == (5, 4, 4, 1)
    assert splits.train.divisor == 255


def test_static_binarisation_draws_each_pixel_with_its_own_probability() -> (
    None
):
    probs = np.array([[[0.0], [0.2]], [[0.7], [1.0]]], np.float32)
    parts = {p: (np.tile(probs, [4000, 1, 1, 1]), None) for p in PARTS}
    splits = load(Source(parts), binarize="static")
    assert splits.spec.support == "binary"
    for part in PARTS:
        x = getattr(splits, part).x
        assert x.dtype == np.uint8
        assert set(np.unique(x)) == {0, 1}
        np.testing.assert_array_equal(x[:, [0, 1], [0, 1]][:, 0], 0)
        np.testing.assert_array_equal(x[:, [0, 1], [0, 1]][:, 1], 1)
        # Five standard errors: 5 * sqrt(0.25 / 4000) = 0.04.
        np.testing.assert_allclose(x.mean(0), probs, atol=0.04)
    assert not np.array_equal(splits.train.x, splits.test.x)


def test_static_binarisation_takes_levels_by_their_range() -> None:
    parts = {p: (np.full([3000, 2, 1, 1], 51, np.uint8), None) for p in PARTS}
    x = load(Source(parts), binarize="static").train.x
    assert abs(x.mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / 6000)


def test_static_binarisation_is_set_by_the_seed() -> None:
    source = source_of([6, 5, 1], 1, "float32")
    first, again, other = (
        load(source, binarize="static", seed=seed).train.x for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_dynamic_binarisation_keeps_probabilities() -> None:
    source = source_of([6, 5, 1], 1, "float32")
    splits = load(source, binarize="dynamic")
    assert splits.spec.support == "binary"
    np.testing.assert_array_equal(splits.test.x, source.arrays["test"][0])


@pytest.mark.parametrize("binarize", ["static", "dynamic"])
def test_real_valued_data_cannot_be_binarised(binarize: str) -> None:
    with pytest.raises(InputError, match="`binarize` needs data in \\[0, 1\\]"):
        load(source_of([6], 1, "float32"), binarize=binarize)


def with_train(x: np.ndarray, y: np.ndarray | None = None) -> Source:
    return Source({part: (x, y) for part in PARTS})


def floats(*bad: float) -> np.ndarray:
    x = np.full([4, 6, 5, 1], 0.5)
    x[: len(bad), 2, 3, 0] = bad
    return x


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(7), r"x must be \[examples, features\].*the shape \[7\]"),
        (np.zeros([7, 0]), r"x must be .*; got the shape \[7, 0\]"),
        (np.zeros([2, 3, 4, 5, 6]), r"got the shape \[2, 3, 4, 5, 6\]"),
        (np.zeros([0, 3]), "`dataset` it has too few examples to divide"),
        (floats(np.nan), r"NaN or infinity \(in 1 of 4 examples\)"),
        (floats(np.inf, -np.inf), r"NaN or infinity \(in 2 of 4 examples\)"),
        (np.full([4, 6], 1e300), r"infinity \(in 4 of 4 examples\)"),
        (floats(-0.5), "holds images from -0.5 to 0.5; give uint8, or"),
        (floats(9), "holds images from 0.5 to 9; give uint8, or floats"),
        (np.full([4, 6], -1), "whole numbers from 0 to 255; got int64"),
        (np.full([4, 6], 256), "whole numbers from 0 to 255; got int64"),
        (np.full([4, 6], "a"), "x must be floats, or whole .*; got <U1"),
        (np.zeros([4, 6], complex), "x must be floats, .*; got complex128"),
    ],
)
def test_data_no_model_can_take_are_refused(
    x: np.ndarray, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load(with_train(x))


def test_parts_of_different_shapes_are_refused() -> None:
    parts = dict(source_of([6, 5, 1], 1, "uint8").arrays)
    parts["test"] = np.zeros([5, 6, 4, 1], np.uint8), None
    with pytest.raises(
        InputError,
        match=r"train and test differ in shape: \[6, 4, 1\] and \[6, 5, 1\]",
    ):
        load(Source(parts))


def test_parts_of_different_types_are_refused() -> None:
    # One divisor cannot serve both.
    parts = dict(source_of([6, 5, 1], 255, "uint8").arrays)
    parts["test"] = uniform([5, 6, 5, 1], 1, "float64"), None
    with pytest.raises(
        InputError,
        match=r"train and test differ in type: float32 and uint8\.$",
    ):
        load(Source(parts))


@pytest.mark.parametrize("options", [{"image_size": 4}, {"grayscale": True}])
def test_vectors_cannot_be_resized(options: dict) -> None:
    with pytest.raises(InputError, match="holds vectors; --image_size and "):
        load(source_of([6], 1, "float32"), **options)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([0, 1, -1, 2]), "from 0 to 65535; got -1 to 2\\."),
        (np.array([0, 1, 65536, 2]), "to 65535; got 0 to 65536\\."),
        (np.array([0.0, 1, 2, 3]), "whole numbers from 0 to 65535; got flo"),
        (np.array(["a", "b", "c", "d"]), "labels must be .*; got <U1"),
    ],
)
def test_labels_that_are_no_classes_are_refused(
    y: np.ndarray, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load(with_train(floats(), y))
