"""Any TensorFlow Datasets image set, by its TFDS name."""

import dataclasses
import os
import re
import socket
import urllib.request
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from google.protobuf import json_format
from tensorflow_datasets.core import file_adapters

from tfvae.data import images
from tfvae.data.preparation import Preparation
from tfvae.data.sources import PARTS, cut_size
from tfvae.errors import InputError

WELL_KNOWN_HOST = "storage.googleapis.com"  # which TFDS itself asks first
CYCLE_LENGTH = BLOCK_LENGTH = 16  # TFDS's own: they set the order
READ_BYTES = 2**18  # ahead, of each file
UNKNOWN_NAME_ERRORS = (
    tfds.core.DatasetNotFoundError,
    ValueError,  # the configuration
    AssertionError,  # the version
    ImportError,  # the package that a name such as huggingface:NAME needs
)
DAMAGE_ERRORS = (json_format.ParseError, OSError, LookupError, TypeError)
FEWEST = 3  # examples

NAMESPACE = re.compile(r"[^/:]*:(?![\d.*]+(?:/|$))")


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """A prepared TFDS set.

    Attributes:
      builder: of the set, prepared.
      image_key: of the feature that holds the image.
      label_key: of the feature that holds the class, or None.
      num_classes: of that feature, or None.
      parts: {"train", "validation", "test"} to (split, number of examples).
    """

    builder: tfds.core.DatasetBuilder
    image_key: str
    label_key: str | None
    num_classes: int | None
    parts: dict[str, tuple[str, int]]

    @property
    def image_shape(self) -> tuple[int | None, int | None, int]:
        """Shape of one image; height and width may be None."""
        return self.builder.info.features[self.image_key].shape

    def records(self, part: str) -> tf.data.Dataset:
        """Returns a part's stored records, in TFDS's own order.

        TFDS's `as_dataset` would parse and decode each on its own, before it is
        shuffled, and read ahead 8 MiB of each file.
        """
        info = self.builder.info
        split, num_examples = self.parts[part]
        files = info.splits[split].file_instructions
        adapter = file_adapters.ADAPTER_FOR_FORMAT[info.file_format]

        def read(path: tf.Tensor, span: tf.Tensor) -> tf.data.Dataset:
            stored = adapter.make_tf_data(path, buffer_size=READ_BYTES)
            return stored.skip(span[0]).take(span[1])

        paths = [os.fspath(file.filename) for file in files]
        spans = np.array([[file.skip, file.take] for file in files], np.int64)
        records = tf.data.Dataset.from_tensor_slices((paths, spans)).interleave(
            read,
            cycle_length=1 if info.disable_shuffling else CYCLE_LENGTH,
            block_length=BLOCK_LENGTH,
        )
        return records.apply(
            tf.data.experimental.assert_cardinality(num_examples)
        )

    def decoder(
        self, preparation: Preparation
    ) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """Returns a function from a stored record to (image, label or -1)."""
        keys = [self.image_key, *([self.label_key] if self.label_key else [])]
        stored = self.builder.info.features
        features = tfds.features.FeaturesDict(
            {key: stored[key] for key in keys}
        )

        def decode(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            example = features.deserialize_example(record)
            x = images.transform(
                example[self.image_key],
                image_size=preparation.image_size,
                grayscale=preparation.grayscale,
            )
            if self.label_key is None:
                return x, tf.constant(-1, tf.int64)
            return x, tf.cast(example[self.label_key], tf.int64)

        return decode


def image_set(name: str, data_dir: str) -> ImageSet:
    """Opens a TFDS set by name, preparing it (a download) where it is not.

    Args:
      name: registered name, `mnist` or `name/config:version`.
      data_dir: where TFDS keeps prepared data; empty: its own.

    Raises:
      InputError: an unknown name, a set that is neither prepared nor can be
        downloaded, a damaged one, or one without images.
    """
    if NAMESPACE.match(name):
        raise _unknown(name)  # TFDS would fetch and run the namespace's code
    try:
        builder = tfds.builder(name, data_dir=data_dir or None, try_gcs=False)
    except (*UNKNOWN_NAME_ERRORS, *DAMAGE_ERRORS) as error:
        plain_name = re.split(r"\W", name)[0]
        folder = os.path.join(data_dir, plain_name)
        if data_dir and plain_name and os.path.isdir(folder):
            raise InputError(
                f"`dataset` {name} cannot be read from {folder}: "
                f"{_first_line(error)}; prepare it anew, or give another name "
                "or --data_dir."
            ) from error
        raise _unknown(name) from error
    if not builder.is_prepared():
        _prepare(builder, name)
    features = builder.info.features
    if not isinstance(features, tfds.features.FeaturesDict):
        raise InputError(f"`dataset` {name} holds no images.")
    image_keys = _keys(features, tfds.features.Image)
    if not image_keys:
        raise InputError(f"`dataset` {name} holds no images.")
    label_keys = _keys(features, tfds.features.ClassLabel)
    label_key = (
        "label" if "label" in label_keys else next(iter(label_keys), None)
    )
    return ImageSet(
        builder,
        "image" if "image" in image_keys else image_keys[0],
        label_key,
        features[label_key].num_classes if label_key else None,
        _parts(builder.info.splits, name),
    )


def _unknown(name: str) -> InputError:
    return InputError(
        f"`dataset` {name!r} is no data set of tfvae or TFDS; give digits, "
        "ring, pinwheel, linear_gaussian, density1d, sprites, a TFDS name, "
        "npz:PATH or images:DIR."
    )


def _prepare(builder: tfds.core.DatasetBuilder, name: str) -> None:
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    root = builder.data_path.parents[builder.data_path.parts[::-1].index(
        builder.name)]  # fmt: skip
    try:
        if not (root / "downloads").exists():
            _require_network()
        builder.download_and_prepare(download_config=config)
    except (OSError, tfds.download.DownloadError, AssertionError) as error:
        raise InputError(
            f"`dataset` {name} is not prepared in {root} and could not be "
            f"downloaded ({_first_line(error)}); give the --data_dir that "
            "holds it, or connect to a network."
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


def _require_network() -> None:
    """Raises OSError at once where TFDS would retry for minutes."""
    if not urllib.request.getproxies():
        socket.getaddrinfo(WELL_KNOWN_HOST, 443)


def _keys(features: tfds.features.FeaturesDict, kind: type) -> list[str]:
    return [key for key, value in features.items() if type(value) is kind]


def _parts(
    splits: tfds.core.splits.SplitDict, name: str
) -> dict[str, tuple[str, int]]:
    """Returns the split and size of each part; what is missing is cut.

    The end of `train` is cut: TFDS shuffles examples when it prepares a set.
    """
    if "train" not in splits:
        raise InputError(f"`dataset` {name} has no split `train`.")
    sizes = {part: split.num_examples for part, split in splits.items()}
    used = [sizes[part] for part in PARTS if part in sizes]
    if sizes["train"] < FEWEST or min(used) < 1:
        raise InputError(
            f"`dataset` {name} has too few examples to divide; give at least "
            f"{FEWEST}."
        )
    size = cut_size(sizes["train"])
    named = {part: part for part in ("validation", "test") if part in sizes}
    if "test" not in named and "validation" in named:
        named = {"test": "validation"}
    parts = {part: (split, sizes[split]) for part, split in named.items()}
    left = sizes["train"]
    for part in ("validation", "test"):
        if part not in parts:
            parts[part] = (f"train[{left - size}:{left}]", size)
            left -= size
    parts["train"] = (f"train[:{left}]", left)
    return parts
