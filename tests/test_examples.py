"""Examples in memory: which, in what order, with which condition."""

import dataclasses

import numpy as np
import pytest

from tfvae import examples
from tfvae.config import Config
from tfvae.data.split import ArraySplit
from tfvae.errors import InputError
from tfvae.examples import Examples, load_examples

NUM = 700  # more than two batches
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, [NUM, 5, 4, 3], np.uint8)
SPLIT = ArraySplit(X, np.arange(NUM), 255.0)  # as if sorted by class


def test_all_examples_come_in_the_split_s_order() -> None:
    loaded = load_examples(Config(), SPLIT)
    np.testing.assert_allclose(loaded.x, X / 255, rtol=1e-6)
    np.testing.assert_array_equal(loaded.labels, np.arange(NUM))
    assert loaded.condition == {}
    assert len(loaded) == NUM


def test_some_are_drawn_at_random_and_keep_their_labels() -> None:
    some = load_examples(Config(), SPLIT, num_examples=50, seed=3)
    assert some.labels is not None
    assert len(set(some.labels)) == 50
    assert some.labels.min() < 100 < 600 < some.labels.max()
    assert (np.diff(some.labels) > 0).all()
    np.testing.assert_allclose(some.x, X[some.labels] / 255, rtol=1e-6)
    other = load_examples(Config(), SPLIT, num_examples=50, seed=4)
    assert set(other.labels) != set(some.labels)


def test_indices_are_kept_in_their_order() -> None:
    ids = np.array([651, 3, 300, 3])
    loaded = load_examples(Config(), SPLIT, ids=ids)
    np.testing.assert_array_equal(loaded.labels, ids)
    np.testing.assert_allclose(loaded.x, X[ids] / 255, rtol=1e-6)


@pytest.mark.parametrize("index", [-1, NUM])
def test_index_outside_the_split_is_refused(index: int) -> None:
    with pytest.raises(
        InputError, match=rf"`indices` must be from 0 to 699.*got 2, {index}\."
    ):
        load_examples(Config(), SPLIT, ids=np.array([2, index]))


def test_more_than_fits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "MOST_NUMBERS", 600)
    with pytest.raises(InputError, match="700 examples of 60 numbers do not "):
        load_examples(Config(), SPLIT)
    assert len(load_examples(Config(), SPLIT, num_examples=10)) == 10


def test_label_is_the_condition() -> None:
    config = Config(condition="label")
    loaded = load_examples(config, SPLIT, ids=np.array([300, 7]))
    assert set(loaded.condition) == {"label"}
    np.testing.assert_array_equal(loaded.condition["label"], [300, 7])


def test_hidden_pixels_of_the_condition_are_zero() -> None:
    loaded = load_examples(Config(condition="mask"), SPLIT, num_examples=9)
    image, mask = loaded.condition["image"], loaded.condition["mask"]
    assert mask.shape == (9, 5, 4, 1)
    assert set(np.unique(mask)) == {0.0, 1.0}
    np.testing.assert_array_equal(image, loaded.x * mask)
    assert not np.array_equal(mask[0], mask[1])


def test_a_fixed_mask_takes_the_place_of_the_run_s() -> None:
    config = Config(condition="mask")
    loaded = load_examples(config, SPLIT, num_examples=5, mask="left")
    expected = np.broadcast_to([[1], [1], [0], [0]], [5, 5, 4, 1])
    np.testing.assert_array_equal(loaded.condition["mask"], expected)


def test_masks_are_drawn_once_with_the_run_s_seed() -> None:
    first, again, other = (
        load_examples(Config(condition="mask", seed=seed), SPLIT)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(
        first.condition["mask"], again.condition["mask"]
    )
    assert not np.array_equal(first.condition["mask"], other.condition["mask"])


def test_dynamic_data_are_drawn_as_in_training() -> None:
    loaded = load_examples(Config(binarize="dynamic"), SPLIT, num_examples=5)
    assert set(np.unique(loaded.x)) == {0.0, 1.0}


def test_take_keeps_everything_together() -> None:
    loaded = Examples(
        np.arange(3), np.arange(3) + 10, {"label": np.arange(3) + 20}
    )
    taken = loaded.take([2, 0])
    assert [a.tolist() for a in dataclasses.astuple(taken)[:2]] == [
        [2, 0],
        [12, 10],
    ]
    assert taken.condition["label"].tolist() == [22, 20]
