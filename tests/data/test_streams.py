"""Records on disk: in memory where they fit, the same examples where not."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.data import pipeline, streams
from tfvae.data.preparation import Preparation
from tfvae.data.sources import PARTS
from tfvae.data.split import ArraySplit, Splits, StreamSplit
from tfvae.errors import InputError

SIZES = {"train": 13, "validation": 4, "test": 5}
SHAPE = (6, 5, 1)
RNG = np.random.default_rng(6)
X = {
    part: RNG.integers(0, 256, [n, *SHAPE], np.uint8)
    for part, n in SIZES.items()
}
BITS = {part: (x > 127).astype(np.uint8) for part, x in X.items()}
IN_MEMORY, ON_DISK = 10**6, 0


def load(
    x: dict[str, np.ndarray], max_resident_bytes: int, labels=True, **options
) -> Splits:
    def records(part: str) -> tf.data.Dataset:
        y = np.arange(SIZES[part]) % 3 if labels else np.full(SIZES[part], -1)
        return tf.data.Dataset.from_tensor_slices({"x": x[part], "y": y})

    return streams.to_splits(
        {part: records(part) for part in PARTS},
        lambda record: (record["x"], record["y"]),
        SIZES,
        SHAPE,
        3 if labels else None,
        Preparation("it", max_resident_bytes=max_resident_bytes, **options),
    )


def seen(split, batch_size: int = 4, **options) -> np.ndarray:
    batches = pipeline.eval_batches(split, batch_size, seed=0, **options)
    return np.concatenate(list(batches.as_numpy_iterator()))


@pytest.mark.parametrize("x", [X, BITS])
@pytest.mark.parametrize("labels", [True, False])
def test_streams_give_what_memory_gives(x: dict, labels: bool) -> None:
    held, streamed = (load(x, limit, labels) for limit in (IN_MEMORY, ON_DISK))
    assert held.spec == streamed.spec
    for part in PARTS:
        first, second = getattr(held, part), getattr(streamed, part)
        assert isinstance(first, ArraySplit)
        assert isinstance(second, StreamSplit)
        assert first.num_examples == second.num_examples == SIZES[part]
        np.testing.assert_array_equal(seen(first), seen(second))
        np.testing.assert_array_equal(first.labels(), second.labels())
    np.testing.assert_array_equal(
        seen(streamed.test),
        x["test"].astype(np.float32) / np.float32(255 if x is X else 1),
    )


@pytest.mark.parametrize(
    ("spare", "kind"), [(0, ArraySplit), (-1, StreamSplit)]
)
def test_limit_is_the_bytes_of_all_examples(spare: int, kind: type) -> None:
    limit = (13 + 4 + 5) * 6 * 5 + spare
    assert isinstance(load(X, limit).train, kind)


def test_support_is_that_of_the_values() -> None:
    assert load(X, ON_DISK).spec.support == "unit"
    assert load(BITS, ON_DISK).spec.support == "binary"
    assert load(X, ON_DISK, binarize="dynamic").spec.support == "binary"
    assert load(X, ON_DISK, binarize="static").spec.support == "binary"


@pytest.mark.parametrize("binarize", ["none", "static"])
def test_shuffled_stream_holds_the_ordered_examples(binarize: str) -> None:
    splits = load(X, ON_DISK, binarize=binarize)
    ordered = sorted(row.tobytes() for row in seen(splits.train))
    batches = pipeline.train_batches(
        splits.train, 5, seed=2, num_epochs=2, binarize=binarize
    )
    x = np.concatenate(list(batches.as_numpy_iterator()))
    for epoch in x.reshape(2, 13, *SHAPE):
        assert sorted(row.tobytes() for row in epoch) == ordered


def test_static_draws_in_a_stream_are_fixed_by_seed_part_and_index() -> None:
    splits = load(X, ON_DISK, binarize="static", seed=1)
    first = seen(splits.test)
    np.testing.assert_array_equal(seen(splits.test, batch_size=3), first)
    again = load(X, ON_DISK, binarize="static", seed=1)
    np.testing.assert_array_equal(seen(again.test), first)
    other = load(X, ON_DISK, binarize="static", seed=2)
    assert not np.array_equal(seen(other.test), first)
    np.testing.assert_array_equal(splits.test.labels(), np.arange(5) % 3)


def test_static_draws_in_a_stream_have_the_pixels_mean() -> None:
    levels = np.broadcast_to([[[0], [51], [102], [204], [255]]], SHAPE)
    x = {p: np.tile(levels, [n, 1, 1, 1]).astype(np.uint8)
         for p, n in SIZES.items()}  # fmt: skip
    splits = load(x, ON_DISK, binarize="static")
    drawn = seen(splits.train)
    assert set(np.unique(drawn)) == {0, 1}
    # Five standard errors over 13 x 6 draws: 5 * sqrt(0.25 / 78) = 0.28.
    np.testing.assert_allclose(
        drawn.mean(axis=(0, 1, 3)), [0, 0.2, 0.4, 0.8, 1], atol=0.28
    )
    # Examples and parts of equal probabilities are drawn independently.
    assert len({row.tobytes() for row in drawn}) == 13
    assert not np.array_equal(seen(splits.validation), drawn[:4])


def test_floats_streamed_as_real_vectors_cannot_be_binarised() -> None:
    records = {
        part: tf.data.Dataset.from_tensor_slices({"x": np.ones([n, 7], "f")})
        for part, n in SIZES.items()
    }
    with pytest.raises(InputError, match="`binarize` needs data in"):
        streams.to_splits(
            records,
            lambda record: (record["x"], tf.constant(-1, tf.int64)),
            SIZES,
            (7,),  # type: ignore[arg-type]
            None,
            Preparation("it", binarize="static", max_resident_bytes=0),
        )


def test_shuffle_buffer_is_counted_in_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "SHUFFLE_BYTES", 95)
    assert load(X, ON_DISK).train.shuffle_buffer == 3
    monkeypatch.setattr(streams, "SHUFFLE_BYTES", 10)
    assert load(X, ON_DISK).train.shuffle_buffer == 1
