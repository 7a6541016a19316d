"""Damaged TFDS sets: (what is done to a good one, words)."""

import json
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

Damage = Callable[[pathlib.Path], object]
INFO, FEATURES = "dataset_info.json", "features.json"
RECORDS = "toy-train.tfrecord-00000-of-00001"
NUM_EXAMPLES = 30
EMPTY = json.dumps(
    {
        "name": "test", "numBytes": "0", "shardLengths": ["0"],
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    }
)  # fmt: skip
READ_BY = "`dataset` toy cannot be read from "
DAMAGED = "`dataset` toy cannot be read: "


def example(image: bytes, label: int = 1) -> bytes:
    """Returns a record of an image and a label."""
    kinds = tf.train
    image_feature = kinds.Feature(bytes_list=kinds.BytesList(value=[image]))
    label_feature = kinds.Feature(int64_list=kinds.Int64List(value=[label]))
    features = {"image": image_feature, "label": label_feature}
    return kinds.Example(
        features=kinds.Features(feature=features)
    ).SerializeToString()


def write_records(path: pathlib.Path, records: list[bytes]) -> None:
    """Writes a file of records."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def encoded(*shape: int) -> bytes:
    """Returns a PNG of noise."""
    levels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return tf.io.encode_png(levels).numpy()


def write_good(data_dir: pathlib.Path) -> pathlib.Path:
    """Writes the set `toy`, of 30 images; returns its folder."""
    folder = data_dir / "toy" / "1.0.0"
    folder.mkdir(parents=True)
    kinds = tfds.features
    features = kinds.FeaturesDict(
        {
            "image": kinds.Image(shape=(6, 5, 1)),
            "label": kinds.ClassLabel(num_classes=3),
        }
    )
    write_records(folder / RECORDS, [example(encoded(6, 5, 1))] * NUM_EXAMPLES)
    (folder / FEATURES).write_text(json.dumps(features.to_json()))
    split = {
        "name": "train", "numBytes": "100", "shardLengths": [str(NUM_EXAMPLES)],
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    }  # fmt: skip
    info = {
        "name": "toy", "version": "1.0.0", "fileFormat": "tfrecord",
        "splits": [split],
    }  # fmt: skip
    (folder / INFO).write_text(json.dumps(info))
    return folder


def cut(name: str, size: int) -> Damage:
    """Cuts a file to a size."""
    return lambda folder: (folder / name).write_bytes(
        (folder / name).read_bytes()[:size]
    )


def turned(name: str, at: int) -> Damage:
    """Turns a byte of a file."""

    def damage(folder: pathlib.Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[at] ^= 255
        (folder / name).write_bytes(content)

    return damage


def text(name: str, content: str) -> Damage:
    """Writes a file anew."""
    return lambda folder: (folder / name).write_text(content)


def other(name: str, old: str, new: str) -> Damage:
    """Replaces a word in a file."""

    def damage(folder: pathlib.Path) -> None:
        content = (folder / name).read_text()
        assert old in content
        (folder / name).write_text(content.replace(old, new))

    return damage


def records(*made: bytes) -> Damage:
    """Writes other records."""
    return lambda folder: write_records(
        folder / RECORDS, list(made) * NUM_EXAMPLES
    )


def folder_instead(folder: pathlib.Path) -> None:
    """Puts a folder in the place of the records."""
    (folder / RECORDS).unlink()
    (folder / RECORDS).mkdir()


TFDS_FOLDERS: list[tuple[str, Damage, str]] = [
    ("info cut", cut(INFO, 50), READ_BY),
    ("info empty", cut(INFO, 0), READ_BY),
    ("info a list", text(INFO, "[]"), READ_BY),
    ("info a number", text(INFO, "3"), READ_BY),
    ("info of unknown keys", text(INFO, '{"nope": 1}'), READ_BY),
    ("info in UTF-16", lambda folder: (folder / INFO).write_bytes(b"\xff\xfe{"),
     READ_BY),
    ("info of another set", other(INFO, '"toy"', '"other"'), "No such file"),
    ("info without splits", text(INFO, '{"name": "toy", "version": "1.0.0"}'),
     "`dataset` toy has no split `train`"),
    ("info of another format", other(INFO, '"tfrecord"', '"nope"'), READ_BY),
    ("info of words", other(INFO, '"30"', '"x"'), READ_BY),
    ("info of a folder above", other(INFO, "{DATASET}", "../../x"), DAMAGED),
    ("no examples", other(INFO, '"30"', '"0"'), "has too few examples to"),
    ("two examples", other(INFO, '"30"', '"2"'), "give at least 3"),
    ("test of nothing", other(INFO, '"splits": [', f'"splits": [{EMPTY},'),
     "has too few examples"),
    ("negative examples", other(INFO, '"30"', '"-1"'), "give at least 3"),
    ("an example too many", other(INFO, '"30"', '"31"'), "contained only 2 "),
    ("10^12 examples", other(INFO, '"30"', f'"{10**12}"'), "contained only 30"),
    ("features cut", cut(FEATURES, 40), READ_BY),
    ("features gone", lambda folder: (folder / FEATURES).unlink(), READ_BY),
    ("features a list", text(FEATURES, "[]"), READ_BY),
    ("features of a function", other(FEATURES,
     "tensorflow_datasets.core.features.image_feature.Image", "os.system"),
     "Unrecognized FeatureConnector type: os.system"),
    ("features of another shape", other(FEATURES, '"5"', '"7"'), "[6,5,1] is "),
    ("features of negative shape", other(FEATURES, '"5"', '"-7"'), READ_BY),
    ("version of letters", lambda folder: folder.rename(folder.parent / "abc"),
     READ_BY),
    ("records cut", cut(RECORDS, 100), "truncated record"),
    ("records cut in a length", cut(RECORDS, 5), DAMAGED),
    ("records empty", cut(RECORDS, 0), "contained only 0 elements"),
    ("records gone", lambda folder: (folder / RECORDS).unlink(), "No such"),
    ("records a folder", folder_instead, "Is a directory"),
    ("records of text", text(RECORDS, "hello" * 99), "corrupted record at 0"),
    ("record's length turned", turned(RECORDS, 3), "corrupted record at 0"),
    ("record's data turned", turned(RECORDS, 40), "corrupted record at 12"),
    ("records of nothing", records(b""), DAMAGED),
    ("records of nonsense", records(b"nonsense"), "Could not parse example"),
    ("images of nonsense", records(example(b"no png")), "Unknown image file"),
    ("images cut", records(example(encoded(6, 5, 1)[:50])), DAMAGED),
    ("images of another size", records(example(encoded(7, 5, 1))), "[7,5,1] "),
]  # fmt: skip
