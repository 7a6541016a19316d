"""The digits that scikit-learn carries."""

import numpy as np
from sklearn import datasets

from tfvae.config import Config
from tfvae.data import embedded, pipeline
from tfvae.data.load import load_data
from tfvae.data.sources import PARTS

# A tenth of 1,797 each for validation and test.
SIZES = {"train": 1439, "validation": 179, "test": 179}


def rows(x: np.ndarray, y: np.ndarray) -> set[bytes]:
    return {image.tobytes() + bytes([k]) for image, k in zip(x, y, strict=True)}


def test_digits_are_divided_once_and_for_all() -> None:
    arrays = embedded.digits().arrays
    assert {part: len(arrays[part][0]) for part in PARTS} == SIZES
    bunch = datasets.load_digits()
    every = rows(bunch.images.astype(np.uint8), bunch.target)
    assert len(every) == 1797  # no two are equal, so sets lose nothing
    parts = [rows(*arrays[part]) for part in PARTS]
    assert set.union(*parts) == every
    assert sum(map(len, parts)) == 1797
    again = embedded.digits().arrays
    for part in PARTS:
        np.testing.assert_array_equal(arrays[part][0], again[part][0])


def test_digits_are_scikit_learn_s_to_the_bit_and_in_order() -> None:
    bunch = datasets.load_digits()
    ids = np.random.default_rng(0).permutation(1797)[: SIZES["validation"]]
    x, y = embedded.digits().arrays["validation"]
    assert (x.dtype, y.dtype) == (np.uint8, np.int64)
    np.testing.assert_array_equal(x, bunch.images[ids][..., np.newaxis])
    np.testing.assert_array_equal(y, bunch.target[ids])


def test_digits_split_does_not_depend_on_the_runs_seed() -> None:
    first = load_data(Config(seed=0)).test.x
    np.testing.assert_array_equal(load_data(Config(seed=5)).test.x, first)


def test_digits_reach_a_model_as_sixteenths() -> None:
    splits = load_data(Config())
    assert splits.spec.event_shape == (8, 8, 1)
    assert splits.spec.num_classes == 10
    assert splits.spec.support == "unit"
    batches = pipeline.eval_batches(splits.test, 50, seed=0)
    x = np.concatenate(list(batches.as_numpy_iterator()))
    assert x.dtype == np.float32
    assert set(np.unique(x)) == {k / 16 for k in range(17)}
