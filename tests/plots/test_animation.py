"""The frames of a decoded GIF: their order, their pixels, their title."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from tfvae import plots

SIDE = 64  # the least pixels of an image's shorter side


def _decoded(data: bytes) -> np.ndarray:
    """Returns the frames of a GIF, [t, height, width, 3] uint8."""
    assert data[:6] == b"GIF89a"
    with Image.open(io.BytesIO(data)) as file:
        return np.stack(
            [
                np.asarray(frame.convert("RGB"))
                for frame in ImageSequence.Iterator(file)
            ]
        )


def _flat(values: np.ndarray, height: int = 4, width: int = 4) -> np.ndarray:
    """Images [t, n, height, width, channels] of one colour each."""
    t, n, channels = values.shape
    return np.broadcast_to(
        values[:, :, None, None], [t, n, height, width, channels]
    )


@pytest.mark.parametrize(
    ("num", "order"),
    [(1, [0]), (2, [0, 1]), (3, [0, 1, 2, 1]), (5, [*range(5), 3, 2, 1])],
)
def test_there_and_back_with_each_end_once(num: int, order: list[int]) -> None:
    greys = np.arange(num) / 7
    data = plots.gif_bytes(_flat(greys.reshape(num, 1, 1)), 1, "t")
    frames = _decoded(data)
    # of 64 greys the nearest: k / 7 is level 9 k of 63
    shown = frames[:, -SIDE // 2, frames.shape[2] // 2, 0]
    np.testing.assert_array_equal(
        shown, [round(255 * 9 * k / 63) for k in order]
    )
    with Image.open(io.BytesIO(data)) as file:
        for frame in ImageSequence.Iterator(file):
            assert frame.info.get("duration", 100) == 100  # none stays longer


@pytest.mark.parametrize(
    ("seconds", "milliseconds"), [(0.1, 100), (0.25, 250), (0.034, 30)]
)
def test_endless_at_the_speed_asked_for(
    seconds: float, milliseconds: int
) -> None:
    frames = _flat(np.array([0.1, 0.9]).reshape(2, 1, 1))
    data = plots.gif_bytes(frames, 1, "t", seconds_a_frame=seconds)
    with Image.open(io.BytesIO(data)) as file:
        assert file.info["loop"] == 0  # endless
        assert file.info["duration"] == milliseconds


@pytest.mark.parametrize(("height", "width"), [(3, 5), (64, 70), (65, 90)])
def test_pixels_are_repeated_below_the_title(height: int, width: int) -> None:
    draw = np.random.default_rng(0)
    levels = draw.integers(0, 64, [2, 5, height, width, 1])
    frames = _decoded(plots.gif_bytes(levels / 63, 3, "a title"))
    scale = {3: 22, 64: 1, 65: 1}[height]
    assert scale * min(height, width) >= SIDE
    rows, columns = (2 * (height + 1) + 1, 3 * (width + 1) + 1)
    left = max(0, 320 - scale * columns) // 2
    assert frames.shape[2] == max(320, scale * columns)
    for frame, images in zip(frames, levels, strict=True):
        picture = frame[-scale * rows :, left : left + scale * columns]
        for index, image in enumerate(images):
            top = scale * (1 + index // 3 * (height + 1))
            start = scale * (1 + index % 3 * (width + 1))
            block = picture[
                top : top + scale * height, start : start + scale * width
            ]
            pixels = np.kron(image[..., 0], np.ones([scale, scale]))
            expected = np.round(pixels * 255 / 63)
            for channel in range(3):  # grey stays grey
                np.testing.assert_array_equal(block[..., channel], expected)
    head = frames[:, : -scale * rows]
    assert (head[0] == head[1]).all()
    assert (head[:, :4] == 255).all()
    assert head.min() < 100


def test_narrow_pictures_stand_in_the_middle_on_white() -> None:
    frames = _decoded(plots.gif_bytes(np.zeros([1, 1, 32, 32, 1]), 1, "t"))
    _, _, width, _ = frames.shape
    assert width == 320
    line = frames[0, -SIDE // 2, :, 0]
    (black,) = np.nonzero(line == 0)
    assert (black[0] + black[-1], len(black)) == (width - 1, 64)
    assert (line[: black[0] - 2] == 255).all()
    assert (line[black[-1] + 3 :] == 255).all()


def test_values_are_clipped() -> None:
    images = _flat(np.array([[[-0.5], [1.5]]]))
    (frame,) = _decoded(plots.gif_bytes(images, 2, "t"))
    line = frame[-SIDE // 2, :, 0]
    middle = frame.shape[1] // 2
    assert (line[middle - SIDE // 2], line[middle + SIDE // 2]) == (0, 255)


def test_greys_are_few() -> None:
    ramp = np.linspace(0, 1, 40 * 40).reshape(1, 1, 40, 40, 1)
    frame = _decoded(plots.gif_bytes(ramp, 1, "t"))[0]
    left = (320 - 2 * 42) // 2
    shown = frame[-2 * 41 : -2 : 2, left + 2 : left + 2 * 41 : 2, 0]
    assert len(np.unique(shown)) == 64
    # half a step of 63, and half of one of 255
    error = np.abs(shown / 255 - ramp[0, 0, :, :, 0]).max()
    assert error < 0.5 / 63 + 0.5 / 255


def test_few_colours_are_kept_as_they_are() -> None:
    colours = np.array(
        [[[255, 0, 0], [0, 102, 51]], [[0, 0, 255], [204, 153, 0]]]
    )
    frames = _decoded(plots.gif_bytes(_flat(colours / 255), 2, "t"))
    middle = frames.shape[2] // 2
    for frame, (left, right) in zip(frames, colours, strict=True):
        line = frame[-SIDE // 2]
        np.testing.assert_array_equal(line[middle - SIDE // 2], left)
        np.testing.assert_array_equal(line[middle + SIDE // 2], right)


def test_many_colours_come_close() -> None:
    draw = np.random.default_rng(0)
    start, end = draw.random([2, 3, 8, 8, 3])
    share = np.linspace(0, 1, 4).reshape(4, 1, 1, 1, 1)
    x = start + share * (end - start)
    frames = _decoded(plots.gif_bytes(x, 3, "t"))
    left = (320 - 8 * (3 * 9 + 1)) // 2
    corner = frames[:4, -8 * 9 : -8, left + 8 : left + 8 * 9]
    shown = corner[:, 4::8, 4::8] / 255
    blocks = corner.reshape(4, 8, 8, 8, 8, 3)
    assert (blocks == blocks[:, :, :1, :, :1]).all()  # no dots
    error = np.sqrt(np.mean((shown - x[:, 0]) ** 2))
    # The cube of colours, halved eight times in turn, is boxes of 1/8 x 1/8 x
    # 1/4; a side's error is side / sqrt(12), their mean square's root 0.051.
    assert error < 0.051


@pytest.mark.parametrize("num_columns", [1, 8])
def test_long_title_is_broken_into_lines(num_columns: int) -> None:
    title = "interpolation: mean of p(x|z) between the codes of two images " * 2
    images = np.zeros([1, 8, 8, 8, 1])
    rows = 8 // num_columns
    below = 8 * (rows * 9 + 1)
    short, long = (
        _decoded(plots.gif_bytes(images, num_columns, text))[0]
        for text in ("t", title)
    )
    head = long[:-below]
    assert len(head) >= len(short) - below + 11  # at least a line more
    # White all around: nothing is cut off.
    inked = np.nonzero(head.min(axis=2) < 255)
    for places, size in zip(inked, head.shape, strict=False):
        assert places.min() > 2
        assert places.max() < size - 3


def test_what_moves_little_takes_little() -> None:
    still = np.full([20, 16, 28, 28, 1], 0.0)
    still[:, :, 10:18, 10:18] = np.linspace(0, 1, 20).reshape(20, 1, 1, 1, 1)
    assert len(plots.gif_bytes(still, 4, "t")) < 100_000
