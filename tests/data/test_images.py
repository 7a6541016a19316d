"""Resizing, grey levels, and one image file."""

import pathlib

import matplotlib.image
import numpy as np
import pytest
import tensorflow as tf

from tfvae.data import images
from tfvae.errors import InputError


def levels(shape: list[int]) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, shape, np.uint8)


def test_images_stay_as_they_are_where_nothing_is_asked() -> None:
    x = levels([3, 6, 5, 3])
    same = images.transform_array(x, image_size=0, grayscale=False)
    assert same is x
    square = levels([3, 5, 5, 1])
    same = images.transform_array(square, image_size=5, grayscale=True)
    assert same is square


def test_grey_is_the_luma_of_the_colours() -> None:
    x = levels([3, 6, 5, 3])
    grey = images.transform_array(x, image_size=0, grayscale=True)
    luma = x @ np.array([0.299, 0.587, 0.114])
    assert grey.shape == (3, 6, 5, 1)
    assert grey.dtype == np.uint8
    assert np.abs(grey[..., 0] - luma).max() <= 1.0


def test_halving_averages_and_rounds_constant_blocks() -> None:
    small = levels([3, 4, 4, 1]).astype(np.float32) / 255
    large = small.repeat(2, axis=1).repeat(2, axis=2)
    halved = images.transform_array(large, image_size=4, grayscale=False)
    assert halved.shape == small.shape
    # A triangle of twice the width: (1, 3, 3, 1) / 8 along each axis.
    weights = np.zeros([4, 8])
    for row in range(4):
        for column, weight in enumerate([1, 3, 3, 1], 2 * row - 1):
            if 0 <= column < 8:
                weights[row, column] = weight
    weights /= weights.sum(axis=1, keepdims=True)
    expected = np.einsum("ih,nhwc,jw->nijc", weights, large, weights)
    np.testing.assert_allclose(halved, expected, atol=1e-6)
    whole = (large * 255).round().astype(np.uint8)
    halved = images.transform_array(whole, image_size=4, grayscale=False)
    assert halved.dtype == np.uint8
    np.testing.assert_array_equal(
        halved,
        np.einsum("ih,nhwc,jw->nijc", weights, whole, weights).round(),
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_white_stays_white_when_resized(dtype: str) -> None:
    white = np.full([3, 7, 5, 1], np.iinfo(dtype).max, dtype)
    resized = images.transform_array(white, image_size=11, grayscale=False)
    assert resized.dtype == white.dtype
    np.testing.assert_array_equal(resized, np.iinfo(dtype).max)


def test_chunks_of_a_large_array_come_back_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = levels([9, 6, 5, 3])  # the last chunk holds one
    whole = images.transform_array(x, image_size=4, grayscale=False)
    monkeypatch.setattr(images, "CHUNK", 4)
    chunks = images.transform_array(x, image_size=4, grayscale=False)
    np.testing.assert_array_equal(chunks, whole)


@pytest.mark.parametrize(
    ("shape", "channels"),
    [([6, 5, 1], 1), ([6, 5, 3], 3), ([6, 5, 4], 4), ([6, 5, 2], 2)],
)
def test_png_is_probed_for_its_shape(
    shape: list[int], channels: int, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "one.png"
    path.write_bytes(tf.io.encode_png(levels(shape)).numpy())
    assert images.probe_file(str(path)) == (6, 5, channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_is_decoded_to_the_channels_asked_for(
    channels: int, tmp_path: pathlib.Path
) -> None:
    x = levels([6, 5, 1])
    path = tmp_path / "one.png"
    path.write_bytes(tf.io.encode_png(x).numpy())
    decoded = images.decode_file(tf.constant(str(path)), channels=channels)
    np.testing.assert_array_equal(decoded, np.repeat(x, channels, axis=2))


def test_jpeg_is_decoded(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "one.jpg"
    x = np.full([16, 24, 3], 130, np.uint8)
    matplotlib.image.imsave(path, x)
    assert images.probe_file(str(path)) == (16, 24, 3)
    decoded = images.decode_file(tf.constant(str(path)), channels=3)
    assert np.abs(decoded.numpy().astype(int) - 130).max() <= 2


@pytest.mark.parametrize("kept", [0, 8, 60, -20])
def test_broken_file_is_named_with_a_plain_reason(
    kept: int, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "broken.png"
    png = tf.io.encode_png(levels([20, 30, 3])).numpy()
    path.write_bytes(png[:kept])
    with pytest.raises(
        InputError,
        match=r"cannot read the image .*broken.png: .*replace the file",
    ) as caught:
        images.probe_file(str(path))
    message = str(caught.value)
    assert "{{" not in message
    assert "[Op:" not in message
    assert "\n" not in message


def test_text_under_an_images_name_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "text.jpg"
    path.write_text("no image at all")
    with pytest.raises(InputError, match=r"cannot read the image .*text.jpg"):
        images.probe_file(str(path))
