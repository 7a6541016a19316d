"""Frames in, an animated GIF out."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tfvae.plots.grid import tile
from tfvae.plots.style import INK, PAPER, in_lines

LEAST_TILE = 64  # pixels of an image's shorter side
LEAST_WIDTH = 320  # pixels, for the title
WHITE = 255
# Few, for a small file. Of 256 colours one is for what does not change.
NUM_GREYS, NUM_COLOURS = 64, 255
DPI, MARGIN = 100, 8  # of the title; pixels above and below it


def gif_bytes(
    frames: np.ndarray,
    num_columns: int,
    title: str,
    seconds_a_frame: float = 0.1,
) -> bytes:
    """Returns an animated GIF that runs there and back, again and again.

    Of images without colour 64 greys are kept, of others the 255 colours that
    serve all frames best.

    Args:
      frames: [t, n, height, width, channels], in [0, 1]: n images at each of
        t moments, laid out row by row. At least 64 pixels high and wide in
        the animation, by repeating pixels.
      num_columns: images in a row.
      title: above the images.
      seconds_a_frame: rounded to 1/100, as GIF has it.
    """
    grey = frames.shape[-1] < 3
    pixels = _levels(
        np.stack([tile(images, num_columns, gap=1) for images in frames]),
        grey=grey,
    )
    scale = -(-LEAST_TILE // min(frames.shape[2:4]))
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    missing = max(0, LEAST_WIDTH - pixels.shape[2])
    sides = (missing // 2, missing - missing // 2)
    pixels = np.pad(
        pixels, ((0, 0), (0, 0), sides, (0, 0)), constant_values=WHITE
    )
    head = _title(title, pixels.shape[2])
    shown = [np.concatenate([head, picture]) for picture in pixels]
    first, *others = _images(np.stack(shown), grey=grey)
    file = io.BytesIO()
    first.save(
        file,
        format="GIF",
        save_all=True,
        append_images=[*others, *others[-2::-1]],  # and back, ends shown once
        duration=round(100 * seconds_a_frame) * 10,  # milliseconds
        loop=0,  # endless
    )
    return file.getvalue()


def _levels(canvases: np.ndarray, *, grey: bool) -> np.ndarray:
    """Rounds values in [0, 1] to the levels shown, of 0 to 255."""
    largest = (NUM_GREYS if grey else 256) - 1
    levels = np.round(largest * canvases)
    return np.round(levels * (WHITE / largest)).astype(np.uint8)


def _title(title: str, width: int) -> np.ndarray:
    """Draws a title, [height, width, 3] uint8, in as many lines as it needs."""
    inches = width / DPI
    figure = Figure(figsize=(inches, 1), facecolor=PAPER)
    canvas = FigureCanvasAgg(figure)
    size = max(11.0, 2 * inches)  # points: readable however small it is shown
    text = figure.text(
        0.5, 0.5, in_lines(title, width=inches, size=size), color=INK,
        fontsize=size, ha="center", va="center",
    )  # fmt: skip
    height = text.get_window_extent(canvas.get_renderer()).height
    figure.set_size_inches(inches, (round(height) + 2 * MARGIN) / DPI)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _images(pixels: np.ndarray, *, grey: bool) -> list[Image.Image]:
    """Returns pixels [t, height, width, 3] uint8 as images of one palette."""
    num, height, width, _ = pixels.shape
    stack = Image.fromarray(pixels.reshape(num * height, width, 3))
    # Of all frames at once: else the colours would flicker.
    stack = stack.convert("L") if grey else stack.quantize(NUM_COLOURS)
    return [
        stack.crop((0, start, width, start + height))
        for start in range(0, num * height, height)
    ]
