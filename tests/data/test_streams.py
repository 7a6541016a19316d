"""Records on disk: in memory where they fit, the same examples where not."""

import os
import pathlib
import subprocess
import sys

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


def test_shuffle_buffer_is_counted_in_bytes_of_records_not_of_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "RECORD_BYTES", 10)
    monkeypatch.setattr(streams, "SHUFFLE_BYTES", 150)
    # 30 pixels, a label of 8 bytes and 10: 48 bytes a record.
    assert load(X, ON_DISK).train.shuffle_buffer == 3
    monkeypatch.setattr(streams, "SHUFFLE_BYTES", 47)
    assert load(X, ON_DISK).train.shuffle_buffer == 1
    encoded = {
        part: tf.data.Dataset.from_tensors("four").repeat(n)
        for part, n in SIZES.items()
    }
    monkeypatch.setattr(streams, "SHUFFLE_BYTES", 150)
    splits = streams.to_splits(
        encoded,
        lambda record: (tf.fill(SHAPE, tf.strings.length(record)), 2),
        SIZES,
        SHAPE,
        3,
        Preparation("it", max_resident_bytes=ON_DISK),
    )
    assert splits.train.shuffle_buffer == 10  # of 4 + 10 bytes


def test_few_large_images_are_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {part: x.copy() for part, x in BITS.items()}
    first["train"][2:] = 7
    assert load(first, ON_DISK).spec.support == "unit"
    monkeypatch.setattr(streams, "MOST_PROBED", 2 * 30 + 29)  # two images
    assert load(first, ON_DISK).spec.support == "binary"
    monkeypatch.setattr(streams, "MOST_PROBED", 1)
    assert load(first, ON_DISK).spec.support == "binary"


def test_images_whose_decoder_does_not_know_it_have_a_static_shape() -> None:
    records = {
        part: tf.data.Dataset.from_tensor_slices(
            [tf.io.encode_png(image).numpy() for image in x]
        )
        for part, x in X.items()
    }
    splits = streams.to_splits(
        records,
        lambda png: (tf.io.decode_png(png, channels=1), -1),
        SIZES,
        SHAPE,
        None,
        Preparation("it", max_resident_bytes=ON_DISK),
    )
    assert splits.train.ordered(4).element_spec.shape == (None, *SHAPE)
    np.testing.assert_array_equal(
        np.concatenate(list(splits.test.ordered(4).as_numpy_iterator())),
        X["test"],
    )


MEMORY = """
import resource, sys
from tfvae.config import Config
from tfvae.data import load, pipeline

def peak():  # MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

def pass_over(folder):
    splits = load.load_data(Config(dataset=f"images:{folder}",
                                   max_resident_mb=0))
    splits.train.mean(), splits.train.labels()
    for batches in (
        pipeline.train_batches(splits.train, 16, seed=0, num_epochs=1),
        pipeline.eval_batches(splits.test, 16, seed=0),
    ):
        for _ in batches:
            pass
    return splits.train.num_examples

few, before = pass_over(sys.argv[1]), peak()
print(pass_over(sys.argv[2]) - few, peak() - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data(tmp_path: pathlib.Path) -> None:
    """Of 1,170 images more, 220 MiB decoded, few MiB stay."""
    png = tf.io.encode_png(np.zeros([256, 256, 3], np.uint8)).numpy()
    (tmp_path / "one.png").write_bytes(png)
    for name, num in (("few", 30), ("many", 1500)):
        (tmp_path / name).mkdir()
        for index in range(num):
            os.link(tmp_path / "one.png", tmp_path / name / f"{index}.png")
    told = subprocess.run(
        [sys.executable, "-c", MEMORY, tmp_path / "few", tmp_path / "many"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    num_more, growth = map(float, told.stdout.split())
    assert num_more == 1500 - 300 - (30 - 6)
    assert growth < 130
