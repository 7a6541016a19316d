"""TFDS sets by name: parts, features, and names that lead nowhere."""

import pathlib
import socket
import time
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets

from tfvae.config import Config
from tfvae.data import pipeline, tfds
from tfvae.data.load import load_data
from tfvae.data.preparation import Preparation
from tfvae.errors import InputError


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(urllib.request, "getproxies", dict)


def first(splits, part: str, size: int) -> np.ndarray:
    batches = pipeline.eval_batches(getattr(splits, part), size, seed=0)
    return next(batches.as_numpy_iterator())


def test_mnist_validation_is_the_last_5000_of_train(tfds_dir: str) -> None:
    image_set = tfds.image_set("mnist", tfds_dir)
    assert image_set.parts == {
        "train": ("train[:55000]", 55000),
        "validation": ("train[55000:60000]", 5000),
        "test": ("test", 10000),
    }
    assert (image_set.num_classes, image_set.label_key) == (10, "label")
    assert image_set.image_shape == (28, 28, 1)


def test_mnist_streams_examples_of_tfds_in_a_fixed_order(tfds_dir: str) -> None:
    splits = load_data(
        Config(dataset="mnist", data_dir=tfds_dir, max_resident_mb=0)
    )
    assert splits.spec.support == "unit"
    assert splits.spec.num_classes == 10
    assert splits.train.num_examples == 55000
    stored = tensorflow_datasets.load(
        "mnist", split="test", data_dir=tfds_dir, as_supervised=True
    ).take(7)
    x = np.stack([image for image, _ in stored.as_numpy_iterator()])
    np.testing.assert_array_equal(
        first(splits, "test", 7), (x / 255).astype(np.float32)
    )
    labels = [label for _, label in stored.as_numpy_iterator()]
    np.testing.assert_array_equal(splits.test.labels()[:7], labels)


def test_binarized_mnist_stays_0_and_1_with_its_own_validation(
    tfds_dir: str,
) -> None:
    splits = load_data(
        Config(dataset="binarized_mnist", data_dir=tfds_dir, max_resident_mb=0)
    )
    sizes = [splits.train.num_examples, splits.validation.num_examples,
             splits.test.num_examples]  # fmt: skip
    assert sizes == [50000, 10000, 10000]
    assert splits.spec.support == "binary"
    assert splits.spec.num_classes is None
    x = first(splits, "validation", 50)
    assert x.dtype == np.float32
    assert set(np.unique(x)) == {0, 1}
    assert splits.validation.elements.cardinality() == 10000


def test_option_changes_the_decoded_image(tfds_dir: str) -> None:
    image_set = tfds.image_set("mnist", tfds_dir)
    decode = image_set.decoder(Preparation("mnist", image_size=9))
    x, label = decode(next(iter(image_set.records("train"))))
    assert (x.shape, x.dtype) == ((9, 9, 1), tf.uint8)
    assert label.dtype == tf.int64


@pytest.mark.parametrize(
    "name", ["nope", "", "../x", "mnist/zzz", "mnist:9.9.9", "huggingface:foo"]
)
@pytest.mark.usefixtures("no_network")
def test_unknown_name_is_refused_with_what_is_accepted(
    name: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(
        InputError, match=f"`dataset` '{name}' is no data set of tfvae or TFDS"
    ) as caught:
        tfds.image_set(name, str(tmp_path))
    own = "digits, ring, pinwheel, linear_gaussian, density1d, sprites, a TFDS"
    assert own in str(caught.value)


@pytest.mark.usefixtures("no_network")
def test_unprepared_set_without_network_is_refused_at_once(
    tmp_path: pathlib.Path,
) -> None:
    start = time.perf_counter()
    with pytest.raises(
        InputError,
        match="cifar10 is not prepared in .* and could not be downloaded "
        r"\(Name or service not known\); give the --data_dir",
    ) as caught:
        tfds.image_set("cifar10", str(tmp_path))
    assert time.perf_counter() - start < 5
    assert str(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_failed_download_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    def fail(*_, **__):
        raise tensorflow_datasets.download.DownloadError("status 404\nmore")

    builder = tensorflow_datasets.core.DatasetBuilder
    monkeypatch.setattr(builder, "download_and_prepare", fail)
    monkeypatch.setattr(tfds, "_require_network", lambda: None)
    with pytest.raises(InputError, match=r"downloaded \(status 404\); give"):
        tfds.image_set("cifar10", str(tmp_path))


class FakeBuilder:
    """What `image_set` reads of a builder."""

    def __init__(self, features, splits: dict[str, int]) -> None:
        self.info = self
        self.features = features
        self.splits = {
            name: tensorflow_datasets.core.SplitInfo(
                name=name, shard_lengths=[size], num_bytes=0,
                filename_template=None,
            )
            for name, size in splits.items()
        }  # fmt: skip

    def is_prepared(self) -> bool:
        return True


def image_set_of(
    monkeypatch: pytest.MonkeyPatch, splits: dict[str, int], **features
):
    kinds = tensorflow_datasets.features
    made = kinds.FeaturesDict(features) if features else kinds.Text()
    fake = FakeBuilder(made, splits)
    monkeypatch.setattr(tfds.tfds, "builder", lambda *_, **__: fake)
    return tfds.image_set("fake", "")


IMAGE = tensorflow_datasets.features.Image(shape=(6, 5, 3))
LABEL = tensorflow_datasets.features.ClassLabel(num_classes=4)


@pytest.mark.parametrize(
    ("splits", "parts"),
    [
        (
            {"train": 90, "validation": 7, "test": 8},
            {"train": ("train[:90]", 90), "validation": ("validation", 7),
             "test": ("test", 8)},
        ),
        (
            {"train": 90, "test": 8},
            {"train": ("train[:81]", 81), "validation": ("train[81:90]", 9),
             "test": ("test", 8)},
        ),
        (
            {"train": 90},
            {"train": ("train[:72]", 72), "validation": ("train[81:90]", 9),
             "test": ("train[72:81]", 9)},
        ),
        (
            {"train": 90, "validation": 7},
            {"train": ("train[:81]", 81), "validation": ("train[81:90]", 9),
             "test": ("validation", 7)},
        ),
    ],
)  # fmt: skip
def test_missing_parts_are_cut_from_the_end_of_train(
    splits: dict, parts: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert image_set_of(monkeypatch, splits, image=IMAGE).parts == parts


def test_image_and_label_features_are_found_by_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = image_set_of(monkeypatch, {"train": 9}, picture=IMAGE, kind=LABEL)
    assert (found.image_key, found.label_key) == ("picture", "kind")
    assert (found.num_classes, found.image_shape) == (4, (6, 5, 3))
    found = image_set_of(
        monkeypatch, {"train": 9}, a=IMAGE, b=LABEL, image=IMAGE, label=LABEL
    )
    assert (found.image_key, found.label_key) == ("image", "label")


def test_set_without_labels_decodes_to_minus_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = image_set_of(monkeypatch, {"train": 9}, image=IMAGE)
    assert (found.label_key, found.num_classes) == (None, None)
    x = np.arange(90, dtype=np.uint8).reshape(6, 5, 3)
    stored = found.builder.info.features.serialize_example({"image": x})
    image, label = found.decoder(Preparation("fake"))(tf.constant(stored))
    np.testing.assert_array_equal(image, x)
    assert label == -1


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Returns a folder with the set `numbered`: 100 images in 28 shards."""
    kinds = tensorflow_datasets.features
    features = kinds.FeaturesDict(
        {"image": kinds.Image(shape=(3, 2, 1)), "label": kinds.Scalar(tf.int64)}
    )
    root = tmp_path_factory.mktemp("tfds")
    folder = root / "numbered" / "1.0.0"
    folder.mkdir(parents=True)
    sizes = [4, 20, 1, *[3] * 25]
    assert (sum(sizes), len(sizes)) == (100, 28)
    first = 0
    for shard, size in enumerate(sizes):
        path = folder / f"numbered-train.tfrecord-{shard:05d}-of-00028"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for index in range(first, first + size):
                image = np.full([3, 2, 1], index, np.uint8)
                example = {"image": image, "label": index}
                writer.write(features.serialize_example(example))
        first += size
    split = tensorflow_datasets.core.SplitInfo(
        name="train",
        shard_lengths=sizes,
        num_bytes=0,
        filename_template=tensorflow_datasets.core.ShardedFileTemplate(
            dataset_name="numbered", split="train",
            filetype_suffix="tfrecord", data_dir=folder,
        ),
    )  # fmt: skip
    tensorflow_datasets.folder_dataset.write_metadata(
        data_dir=folder, features=features, split_infos=[split]
    )
    return str(root)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
@pytest.mark.parametrize("in_order", [False, True])
def test_records_of_many_shards_come_in_the_order_of_tfds(
    part: str, in_order: bool, sharded: str
) -> None:
    found = tfds.image_set("numbered", sharded)
    found.builder.info.as_proto.disable_shuffling = in_order
    split, size = found.parts[part]
    stored = found.builder.as_dataset(split=split).as_numpy_iterator()
    expected = [int(example["image"][0, 0, 0]) for example in stored]
    assert len(expected) == size
    records = found.records(part)
    assert records.cardinality() == size
    images = records.map(found.decoder(Preparation("numbered")))
    assert [int(x[0, 0, 0]) for x, _ in images.as_numpy_iterator()] == expected


def test_set_that_holds_no_images_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for features in ({}, {"label": LABEL}):
        with pytest.raises(
            InputError, match=r"`dataset` fake holds no images."
        ):
            image_set_of(monkeypatch, {"train": 9}, **features)


def test_set_without_train_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"fake has no split `train`."):
        image_set_of(monkeypatch, {"test": 9}, image=IMAGE)
