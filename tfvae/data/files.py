"""The user's own files: an npz archive, or a folder of images."""

import dataclasses
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tqdm

from tfvae.data import images, npz_archive
from tfvae.data.preparation import Preparation
from tfvae.data.sources import PARTS, Source, random_parts, with_validation
from tfvae.errors import InputError

CHUNK = 256  # files
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")
SUFFIXES = ("", *(f"_{part}" for part in PARTS))
ARRAYS = [kind + suffix for kind in "xy" for suffix in SUFFIXES]


def npz(
    path: str, *, most_bytes: int = Preparation.max_resident_bytes
) -> Source:
    """Arrays of an npz archive: `x`, or `x_train` and `x_test`, with `y…`.

    x is [n, features], [n, height, width] or [n, height, width, channels].
    `x_validation` is taken where it is there, else cut from the training
    examples.

    Args:
      path: of the archive.
      most_bytes: that its arrays may take, where they are compressed.

    Raises:
      InputError: the file is missing, no npz archive, or lacks `x`.
    """
    name = f"`dataset` npz:{path}"
    arrays, held = npz_archive.read_arrays(
        path, ARRAYS, name=name, most_bytes=most_bytes
    )

    def part(suffix: str) -> tuple[np.ndarray, np.ndarray | None]:
        x, y = arrays["x" + suffix], arrays.get("y" + suffix)
        if x.ndim == 0:
            raise InputError(f"{name}: `x{suffix}` holds a single number.")
        if 0 in x.shape[1:]:
            raise InputError(
                f"{name}: `x{suffix}` holds nothing; its shape is "
                f"{list(x.shape)}."
            )
        if y is not None and y.shape != (len(x),):
            raise InputError(
                f"{name}: `y{suffix}` must hold one label for each of the "
                f"{len(x)} examples; got the shape {list(y.shape)}."
            )
        return x, y

    if "x_train" in arrays and "x_test" in arrays:
        if "x_validation" not in arrays:
            return Source(with_validation(part("_train"), part("_test")))
        return Source({split: part(f"_{split}") for split in PARTS})
    if "x" in arrays:
        return Source(random_parts(*part("")))
    raise InputError(
        f"{name} must hold `x`, or `x_train` and `x_test`; got "
        f"{', '.join(held) or 'no arrays'}."
    )


@dataclasses.dataclass(frozen=True)
class ImageFolder:
    """The images below a folder.

    Attributes:
      paths: [num_files], of the files, sorted.
      labels: [num_files] int64, the index of each file's sub-folder; -1
        where there are none.
      shape: (height, width, channels) of every image, height and width None
        where the files differ.
    """

    paths: np.ndarray
    labels: np.ndarray
    shape: tuple[int | None, int | None, int]

    @property
    def num_classes(self) -> int | None:
        """Number of sub-folders, or None."""
        return int(self.labels.max()) + 1 or None


def image_folder(directory: str) -> ImageFolder:
    """Finds, and reads once, every PNG and JPEG below a folder.

    Files in sub-folders are labelled by the sub-folder, in sorted order;
    files directly in the folder have no labels.

    Raises:
      InputError: no folder, no image in it, an unreadable image or folder, or
        an image of more than `image_header.MOST_PIXELS`.
    """
    name = f"`dataset` images:{directory}"
    if not os.path.isdir(directory):
        raise InputError(f"{name}: there is no such folder.")
    paths = sorted(
        os.path.join(parent, file)
        for parent, _, files in os.walk(directory, onerror=_refuse)
        for file in files
        if file.lower().endswith(IMAGE_ENDINGS)
    )
    if not paths:
        raise InputError(f"{name} holds no PNG or JPEG file.")
    heights, widths, channels = map(set, zip(*_shapes(paths), strict=True))
    same_size = len(heights) == len(widths) == 1
    height, width = (heights.pop(), widths.pop()) if same_size else (None, None)
    shape = height, width, 3 if max(channels) > 2 else 1
    labels = _folder_labels(directory, paths)
    # TensorFlow takes names that are not UTF-8 as bytes.
    return ImageFolder(np.array([*map(os.fsencode, paths)]), labels, shape)


def _refuse(error: OSError) -> None:
    raise InputError(
        f"cannot read the folder {error.filename}: {error.strerror}."
    ) from error


def _shapes(paths: list[str]) -> set[tuple[int, int, int]]:
    """Returns the shapes of image files, each checked and fully decoded."""
    for path in paths:
        images.check_file(path)

    def shape(path: tf.Tensor) -> tf.Tensor:
        return tf.shape(images.decode_file(path, channels=0))

    chunks = (
        tf.data.Dataset.from_tensor_slices([*map(os.fsencode, paths)])
        .batch(CHUNK)
        .map(
            lambda chunk: tf.map_fn(shape, chunk, fn_output_signature=tf.int32),
            tf.data.AUTOTUNE,
        )
    )
    found: set[tuple[int, int, int]] = set()
    num_read = 0
    with images.quiet_decoders() as stderr, tqdm.tqdm(
        desc="reading images", total=len(paths), disable=None, leave=False,
        file=stderr,
    ) as progress:  # fmt: skip
        try:
            for shapes in chunks.as_numpy_iterator():
                found.update(map(tuple, shapes.tolist()))
                num_read += len(shapes)
                progress.update(len(shapes))
        except tf.errors.OpError:  # which does not name the file
            found.update(map(images.probe_file, paths[num_read:]))
    return found


def decoder(
    channels: int, preparation: Preparation
) -> Callable[[dict[str, tf.Tensor]], tuple[tf.Tensor, tf.Tensor]]:
    """Returns a function from {"path", "label"} to (image uint8, label)."""

    def decode(record: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        image = images.decode_file(record["path"], channels=channels)
        image = images.transform(
            tf.ensure_shape(image, [None, None, channels]),
            image_size=preparation.image_size,
            grayscale=preparation.grayscale,
        )
        return image, record["label"]

    return decode


def _folder_labels(directory: str, paths: list[str]) -> np.ndarray:
    parts = [os.path.relpath(path, directory).split(os.sep) for path in paths]
    if any(len(part) == 1 for part in parts):
        return np.full(len(paths), -1)
    return np.unique([part[0] for part in parts], return_inverse=True)[1]
