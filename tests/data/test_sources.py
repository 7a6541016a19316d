"""The rule that divides a set, and what an option does to it."""

import numpy as np
import pytest

from tfvae.data import sources


@pytest.mark.parametrize(
    ("num_examples", "size"),
    [
        (1, 1),
        (9, 1),
        (19, 1),
        (20, 2),
        (1797, 179),
        (50000, 5000),
        (60000, 5000),
    ],
)
def test_a_tenth_is_cut_at_least_one_and_at_most_5000(
    num_examples: int, size: int
) -> None:
    assert sources.cut_size(num_examples) == size


def test_random_parts_hold_every_example_once_with_its_label() -> None:
    x, y = np.arange(47) * 2, np.arange(47)
    parts = sources.random_parts(x, y)
    assert {p: len(part[0]) for p, part in parts.items()} == {
        "train": 39,
        "validation": 4,
        "test": 4,
    }
    every = np.concatenate([part[0] for part in parts.values()])
    np.testing.assert_array_equal(np.sort(every), x)
    for part_x, part_y in parts.values():
        np.testing.assert_array_equal(part_x, 2 * part_y)
    assert not np.array_equal(parts["train"][0], np.sort(parts["train"][0]))


def test_random_parts_are_the_same_at_every_call() -> None:
    first = sources.random_parts(np.arange(47), None)
    second = sources.random_parts(np.arange(47), None)
    for part in sources.PARTS:
        np.testing.assert_array_equal(first[part][0], second[part][0])
        assert first[part][1] is None


def test_validation_is_cut_from_train_and_test_is_left_alone() -> None:
    x, y = np.arange(50) * 3, np.arange(50)
    test = (np.arange(7), None)
    parts = sources.with_validation((x, y), test)
    assert parts["test"] is test
    assert [len(parts[p][0]) for p in ("train", "validation")] == [45, 5]
    both = np.concatenate([parts["train"][0], parts["validation"][0]])
    np.testing.assert_array_equal(np.sort(both), x)
    np.testing.assert_array_equal(parts["train"][0], 3 * parts["train"][1])
    np.testing.assert_array_equal(
        parts["validation"][0], 3 * parts["validation"][1]
    )


def test_validation_is_not_the_end_of_sorted_examples() -> None:
    y = np.repeat(np.arange(5), 100)
    parts = sources.with_validation((y, y), (y, y))
    assert set(parts["validation"][1]) == {0, 1, 2, 3, 4}


def test_validation_without_labels_is_cut_too() -> None:
    parts = sources.with_validation((np.arange(50), None), (np.arange(3), None))
    assert parts["train"][1] is None
    assert parts["validation"][1] is None
