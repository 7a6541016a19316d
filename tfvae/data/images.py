"""Resizing and grey levels, and one image file read to an array."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from typing import TextIO

import numpy as np
import tensorflow as tf

from tfvae.data import image_header
from tfvae.errors import InputError

CHUNK = 1024
IN_A_PIPELINE = re.compile(r"Error in user-defined function .* Iterator::\S+: ")


def transform(
    images: tf.Tensor, *, image_size: int, grayscale: bool
) -> tf.Tensor:
    """Resizes images and takes their colour away, where asked to.

    Args:
      images: [..., height, width, channels], any dtype.
      image_size: side of the result; 0 keeps height and width.
      grayscale: three channels become one (ITU-R 601 luma).

    Returns:
      images: [..., height, width, channels], of the same dtype; integers are
      rounded.
    """
    if grayscale and images.shape[-1] == 3:
        images = tf.image.rgb_to_grayscale(images)
    if image_size and tuple(images.shape[-3:-1]) != (image_size, image_size):
        size = [image_size, image_size]
        resized = tf.image.resize(images, size, antialias=True)
        if images.dtype.is_integer:
            resized = tf.clip_by_value(
                tf.round(resized), 0, float(images.dtype.max)
            )
        images = tf.cast(resized, images.dtype)
    return images


def transform_array(
    x: np.ndarray, *, image_size: int, grayscale: bool
) -> np.ndarray:
    """Applies `transform` to [num_examples, height, width, channels]."""
    same_size = not image_size or x.shape[1:3] == (image_size, image_size)
    if same_size and not (grayscale and x.shape[-1] == 3):
        return x
    chunks = [
        transform(
            tf.constant(x[start : start + CHUNK]),
            image_size=image_size,
            grayscale=grayscale,
        ).numpy()
        for start in range(0, len(x), CHUNK)
    ]
    return np.concatenate(chunks)


def decode_file(path: tf.Tensor, *, channels: int) -> tf.Tensor:
    """Returns the image of a PNG or JPEG file: [height, width, channels] uint8.

    Args:
      path: scalar string.
      channels: 1 or 3; 0 keeps the file's own.
    """
    return tf.io.decode_image(
        tf.io.read_file(path), channels=channels, expand_animations=False
    )


def probe_file(path: str) -> tuple[int, int, int]:
    """Returns (height, width, channels) of an image file, fully decoded.

    Raises:
      InputError: the file is no readable image, or too large a one; it is
        named.
    """
    check_file(path)
    try:
        with quiet_decoders():
            image = decode_file(tf.constant(os.fsencode(path)), channels=0)
    except tf.errors.OpError as error:
        raise _unreadable(path, reason(error)) from error
    height, width, channels = image.shape
    return height, width, channels


def check_file(path: str) -> None:
    """Makes sure that a file is an image which can be decoded safely.

    Raises:
      InputError: its header says that it is not; the file is named.
    """
    try:
        image_header.check(path)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _unreadable(path, str(error)) from error


@contextlib.contextmanager
def quiet_decoders() -> Iterator[TextIO]:
    """Keeps what libjpeg prints of damaged files off stderr, which it yields.

    TensorFlow's errors say the same, once.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere, open(stderr, "w") as shown:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield shown
        finally:
            os.dup2(stderr, 2)


def _unreadable(path: str, reason: str) -> InputError:
    return InputError(
        f"cannot read the image {path}: {reason}; remove or replace the file."
    )


def reason(error: tf.errors.OpError) -> str:
    """Returns TensorFlow's message without operation names and addresses."""
    text = error.message.split("} ")[-1].splitlines()[0]
    text = IN_A_PIPELINE.sub("", text)
    return text.partition(" [Op:")[0].rstrip(". ")
