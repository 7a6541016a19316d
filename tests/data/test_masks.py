"""Fixed masks by hand; random ones against the list of all that can be drawn.

For each family but `scattered` every possible mask is listed with its
probability, by slices, and the draws are held against it.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfvae.data import masks
from tfvae.errors import InputError

SEED = tf.constant([3, 7], tf.int64)
SIDES = pytest.mark.parametrize(
    ("height", "width"),
    [(5, 4), (7, 10), (2, 2), (3, 3), (1, 4), (5, 1), (2, 3)],
)
NAMES = pytest.mark.parametrize("name", list(masks.MASKS))

Table = dict[bytes, float]  # from a mask to its probability


def draw(
    name: str, num: int, height: int, width: int, seed: tf.Tensor = SEED
) -> np.ndarray:
    """Returns [num, height, width] bool."""
    mask = masks.draw_masks(name, num, height, width, seed).numpy()
    assert mask.shape == (num, height, width, 1)
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) <= {0, 1}
    return mask[..., 0] == 1


def mask_of(height: int, width: int, *places: tuple[slice, slice]) -> bytes:
    mask = np.zeros([height, width], bool)
    for place in places:
        mask[place] = True
    return mask.tobytes()


def lengths(size: int) -> range:
    """From a quarter to three quarters of a side, at least one pixel."""
    longest = max(1, math.floor(0.75 * size))
    return range(math.ceil(0.25 * size), longest + 1)


def halves(height: int, width: int) -> Table:
    everything = slice(None)
    by_side = []
    if width > 1:
        cuts = lengths(width)
        by_side += [[(everything, slice(None, cut)) for cut in cuts]]
        by_side += [[(everything, slice(-cut, None)) for cut in cuts]]
    if height > 1:
        cuts = lengths(height)
        by_side += [[(slice(None, cut), everything) for cut in cuts]]
        by_side += [[(slice(-cut, None), everything) for cut in cuts]]
    return {
        mask_of(height, width, place): 1 / len(by_side) / len(places)
        for places in by_side
        for place in places
    }


def quadrants(height: int, width: int) -> Table:
    middle = -(-width // 2)  # a middle column lies left, a middle row below
    rows = [slice(0, height // 2), slice(height // 2, height)]
    columns = [slice(0, middle), slice(middle, width)]
    places = [
        (row, column)
        for row, column in itertools.product(rows, columns)
        if row.stop > row.start and column.stop > column.start
    ]
    return {
        mask_of(height, width, *chosen): 1
        / (len(places) - 1)
        / math.comb(len(places), count)
        for count in range(1, len(places))
        for chosen in itertools.combinations(places, count)
    }


def blocks(height: int, width: int) -> Table:
    def intervals(size: int) -> list[tuple[slice, float]]:
        return [
            (slice(first, first + length),
             1 / len(lengths(size)) / (size - length + 1))
            for length in lengths(size)
            for first in range(size - length + 1)
        ]  # fmt: skip

    full = np.frombuffer(mask_of(height, width), bool)
    return {
        (
            ~full ^ np.frombuffer(mask_of(height, width, (row, column)), bool)
        ).tobytes(): p_row * p_column
        for row, p_row in intervals(height)
        for column, p_column in intervals(width)
    }


def assert_drawn_from(table: Table, drawn: np.ndarray) -> None:
    """Every draw is in the table, as often as it says."""
    assert sum(table.values()) == pytest.approx(1)
    counts = Counter(mask.tobytes() for mask in drawn)
    assert set(counts) <= set(table)
    observed = [counts[mask] for mask in table]
    expected = np.array(list(table.values())) * len(drawn)
    assert expected.min() > 5
    # As rare as five standard errors.
    assert stats.chisquare(observed, expected).pvalue > 1e-6


def test_names_are_those_of_the_command_line() -> None:
    assert masks.RANDOM == (
        "halves", "quadrants", "blocks", "scattered", "mixed"
    )  # fmt: skip
    rest = "left right top bottom quadrant two_quadrants three_quadrants border"
    assert list(masks.MASKS) == [*masks.RANDOM, *rest.split()]


def test_unknown_name_is_refused() -> None:
    with pytest.raises(
        InputError,
        match=r"`mask` must be one of halves, quadrants, .*border; got upper",
    ):
        masks.draw_masks("upper", 3, 5, 4, SEED)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("left", "1100 1100 1100 1100 1100"),
        ("right", "0011 0011 0011 0011 0011"),
        ("top", "1111 1111 0000 0000 0000"),
        ("bottom", "0000 0000 1111 1111 1111"),
        ("quadrant", "0000 0000 1100 1100 1100"),
        ("two_quadrants", "1100 1100 1100 1100 1100"),
        ("three_quadrants", "1100 1100 1111 1111 1111"),
        ("border", "1111 1001 1001 1111 1111"),
    ],
)
def test_fixed_masks_by_hand(name: str, rows: str) -> None:
    expected = np.array([[p == "1" for p in row] for row in rows.split()])
    np.testing.assert_array_equal(draw(name, 3, 5, 4), [expected] * 3)


def test_border_hides_half_of_each_side_in_the_middle() -> None:
    hidden = ~draw("border", 3, 28, 8)
    np.testing.assert_array_equal(hidden[:, 7:21, 2:6], True)
    assert (hidden.sum(axis=(1, 2)) == 14 * 4).all()


@SIDES
@pytest.mark.parametrize("family", [halves, quadrants, blocks])
def test_random_masks_are_all_that_there_can_be_equally_often(
    family: Callable[[int, int], Table], height: int, width: int
) -> None:
    table = family(height, width)
    num = max(2000, math.ceil(6 / min(table.values())))
    assert_drawn_from(table, draw(family.__name__, num, height, width))


def test_halves_are_cut_between_one_and_three_quarters() -> None:
    areas = draw("halves", 2000, 9, 14).sum(axis=(1, 2))
    # Of 9 rows, 3 to 6; of 14 columns, 4 to 10.
    assert set(areas) == {3 * 14, 4 * 14, 5 * 14, 6 * 14} | {
        9 * cut for cut in range(4, 11)
    }


def test_blocks_of_a_large_image_are_rectangles_of_the_right_sides() -> None:
    hidden = ~draw("blocks", 2000, 28, 13)
    rows, columns = hidden.any(axis=2), hidden.any(axis=1)
    np.testing.assert_array_equal(
        hidden, rows[:, :, np.newaxis] & columns[:, np.newaxis]
    )
    for inside, shortest, longest in [(rows, 7, 21), (columns, 4, 9)]:
        edges = np.abs(np.diff(np.pad(inside, [[0, 0], [1, 1]]).astype(int)))
        assert (edges.sum(axis=1) == 2).all()  # one interval
        counts = np.bincount(inside.sum(axis=1))
        assert counts.nonzero()[0].tolist() == [*range(shortest, longest + 1)]
        assert stats.chisquare(counts[shortest:]).pvalue > 1e-6


def test_scattered_pixels_share_a_probability_drawn_for_the_image() -> None:
    num, height, width = 4000, 9, 14
    seen = draw("scattered", num, height, width)
    # P(count) = mean over p ~ U[0.1, 0.9] of Binomial(count; 126, p)
    probs = 0.1 + 0.8 * (np.arange(2000) + 0.5) / 2000
    counts = np.arange(height * width + 1)
    cdf = stats.binom.cdf(counts[:, np.newaxis], height * width, probs).mean(1)
    drawn = np.sort(seen.sum(axis=(1, 2)))
    empirical = np.searchsorted(drawn, counts, side="right") / num
    # Dvoretzky-Kiefer-Wolfowitz: farther with probability 6e-7.
    assert np.abs(empirical - cdf).max() < np.sqrt(15 / (2 * num))
    # Given p, pixels are independent: Cov = Var(p) = 0.8^2 / 12.
    np.testing.assert_allclose(
        seen.mean(axis=0), 0.5, atol=5 * 0.5 / np.sqrt(num)
    )
    centred = (seen - 0.5).reshape(num, -1)
    for offset in (1, 2, width, width + 1):
        products = centred[:, offset:] * centred[:, :-offset]
        error = 5 * products.mean(axis=1).std() / np.sqrt(num)
        assert abs(products.mean() - 0.64 / 12) < error


@pytest.mark.parametrize(("num_seeds", "num"), [(1, 6000), (3000, 1)])
def test_mixed_masks_are_of_each_family_equally_often(
    num_seeds: int, num: int
) -> None:
    # So large that scattered pixels make none of the others' masks.
    height, width = 9, 14
    seeds = tf.data.Dataset.range(num_seeds).map(lambda k: tf.stack([k, 7]))
    drawn = seeds.map(
        lambda seed: masks.draw_masks("mixed", num, height, width, seed)
    )
    seen = np.concatenate(list(drawn.as_numpy_iterator()))[..., 0] == 1
    table: Counter[bytes] = Counter()
    for family in (halves, quadrants):
        for mask, prob in family(height, width).items():
            table[mask] += prob / 4
    of_blocks = set(blocks(height, width)) - set(table)
    probs = [*table.values(), 1 / 4, 1 / 4]
    counts = Counter(
        key if key in table else key in of_blocks
        for key in (mask.tobytes() for mask in seen)
    )
    observed = [counts[key] for key in [*table, True, False]]
    assert stats.chisquare(observed, len(seen) * np.array(probs)).pvalue > 1e-6


@NAMES
def test_masks_depend_on_the_seed_alone(name: str) -> None:
    first, again = draw(name, 40, 9, 7), draw(name, 40, 9, 7)
    np.testing.assert_array_equal(first, again)
    other = draw(name, 40, 9, 7, tf.constant([3, 8], tf.int64))
    is_random = name in masks.RANDOM
    assert np.array_equal(first, other) != is_random
    num_different = len(np.unique(first.reshape(40, -1), axis=0))
    assert (num_different > 5) == is_random
    # A shorter batch sees the first of them.
    np.testing.assert_array_equal(draw(name, 11, 9, 7), first[:11])


@NAMES
def test_graph_of_unknown_size_draws_the_same(name: str) -> None:
    @tf.function(
        input_signature=[
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([2], tf.int64),
        ]
    )
    def in_graph(num: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return masks.draw_masks(name, num, 9, 7, seed)

    for num in (12, 5):
        mask = in_graph(tf.constant(num), SEED)
        np.testing.assert_array_equal(mask[..., 0] == 1, draw(name, num, 9, 7))
    assert in_graph.experimental_get_tracing_count() == 1


def test_masks_are_drawn_inside_a_dataset() -> None:
    batches = tf.data.Dataset.range(11).batch(4).enumerate()
    drawn = batches.map(
        lambda step, x: masks.draw_masks(
            "mixed", tf.shape(x)[0], 9, 7, tf.stack([step, 7])
        )
    )
    for step, mask in enumerate(drawn.as_numpy_iterator()):
        expected = draw("mixed", 4 if step < 2 else 3, 9, 7,
                        tf.constant([step, 7], tf.int64))  # fmt: skip
        np.testing.assert_array_equal(mask[..., 0] == 1, expected)


DIVIDE_A_ROW = {"left", "right", "two_quadrants", "three_quadrants"}
DIVIDE_A_COLUMN = {"top", "bottom", "three_quadrants"}
HIDE_A_PIXEL = {"blocks", "scattered", "border", "right", "top"}


@NAMES
def test_small_images_have_seen_and_hidden_pixels(name: str) -> None:
    for height, width in itertools.product([1, 2, 3], repeat=2):
        seen = draw(name, 50, height, width).reshape(50, -1)
        if (
            height * width > 1
            and (width > 1 or name not in DIVIDE_A_ROW)
            and (height > 1 or name not in DIVIDE_A_COLUMN)
        ):
            assert seen.any(axis=1).all()
            assert not seen.all(axis=1).any()
        elif name != "mixed":
            assert (seen == (name not in HIDE_A_PIXEL)).all()
