"""Image files as a model takes them."""

import os
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from tfvae.data import image_header
from tfvae.errors import InputError
from tfvae.plots import reading
from tfvae.plots.reading import read_image

RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)


def _save(folder: pathlib.Path, image: Image.Image, name: str = "a.png") -> str:
    path = folder / name
    image.save(path)
    return str(path)


def _colours(*pixels: tuple[int, ...], mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, (len(pixels), 1))
    for column, pixel in enumerate(pixels):
        image.putpixel((column, 0), pixel)
    return image


def test_pixels_are_between_0_and_1(tmp_path: pathlib.Path) -> None:
    values = np.arange(6, dtype=np.uint8).reshape(2, 3) * 51
    path = _save(tmp_path, Image.fromarray(values))
    found = read_image(path, event_shape=(2, 3, 1))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], values / 255)
    found = read_image(path, event_shape=(2, 3, 3))
    np.testing.assert_allclose(found, np.repeat(values[..., None], 3, 2) / 255)


def test_colours_become_grey(tmp_path: pathlib.Path) -> None:
    path = _save(tmp_path, _colours(RED, WHITE, BLACK))
    found = read_image(path, event_shape=(1, 3, 1))
    # ITU-R 601: 0.299 of red
    np.testing.assert_allclose(found[0, :, 0], [76 / 255, 1, 0], atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_is_left_out(
    tmp_path: pathlib.Path, channels: int
) -> None:
    pixels = [(*WHITE, 0), (*BLACK, 255), (*WHITE, 255)]
    image = _colours(*pixels, mode="RGBA")
    for name, each in (
        ("a.png", image), ("b.png", image.convert("LA")),
        ("c.png", image.convert("P")),
    ):  # fmt: skip
        path = _save(tmp_path, each, name)
        found = read_image(path, event_shape=(1, 3, channels))
        assert found[0, 1].tolist() == [0] * channels
        assert found[0, 2].tolist() == [1] * channels


def test_sixteen_bits_are_read(tmp_path: pathlib.Path) -> None:
    values = np.array([[0, 32768, 65535]], np.uint16)
    path = _save(tmp_path, Image.fromarray(values))
    found = read_image(path, event_shape=(1, 3, 1))
    np.testing.assert_allclose(found[0, :, 0], [0, 128 / 255, 1])


def test_black_and_white_are_read(tmp_path: pathlib.Path) -> None:
    image = Image.fromarray(np.array([[True, False, True]]))
    found = read_image(_save(tmp_path, image), event_shape=(1, 3, 1))
    assert found[0, :, 0].tolist() == [1, 0, 1]


def test_another_size_is_averaged(tmp_path: pathlib.Path) -> None:
    values = np.zeros([8, 12], np.uint8)
    values[:, 6:] = 255
    path = _save(tmp_path, Image.fromarray(values), "a.jpg")
    found = read_image(path, event_shape=(2, 3, 1))[..., 0]
    np.testing.assert_allclose(found, [[0, 0.5, 1]] * 2, atol=0.05)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"", "cannot identify"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, ""),
        (b"GIF89a", ""),
    ],
)
def test_what_is_no_image_is_refused(
    tmp_path: pathlib.Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    message = f"cannot read the image {path}: .*{words}"
    with pytest.raises(InputError, match=message):
        read_image(str(path), event_shape=(1, 3, 1))


def test_a_cut_image_is_refused(tmp_path: pathlib.Path) -> None:
    path = pathlib.Path(_save(tmp_path, Image.new("RGB", (64, 64), RED)))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=re.escape(f"read the image {path}: ")):
        read_image(str(path), event_shape=(1, 3, 1))


def test_other_numbers_of_channels_are_refused(tmp_path: pathlib.Path) -> None:
    path = _save(tmp_path, Image.new("RGB", (3, 1)))
    with pytest.raises(InputError) as refused:
        read_image(path, event_shape=(1, 3, 2))
    assert str(refused.value) == (
        "image files hold 1 or 3 channels and do not fit 2; give FILE.npz."
    )


def test_more_pixels_than_are_decoded_are_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reading.MOST_PIXELS == image_header.MOST_PIXELS
    monkeypatch.setattr(reading, "MOST_PIXELS", 14)
    path = _save(tmp_path, Image.new("RGB", (7, 2)))
    assert read_image(path, event_shape=(2, 7, 3)).shape == (2, 7, 3)
    path = _save(tmp_path, Image.new("RGB", (5, 3)))
    with pytest.raises(
        InputError, match="it has 3x5 pixels, and at most 14 are decoded"
    ):
        read_image(path, event_shape=(3, 5, 3))


def test_a_pipe_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a.png: it is no file."):
        read_image(str(tmp_path / "a.png"), event_shape=(3, 5, 3))
