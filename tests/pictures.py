"""Images to draw, and what a reader sees of a figure."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from tfvae import plots


def distinct(n: int, height: int, width: int, channels: int) -> np.ndarray:
    """Images of which no two pixels are equal, within [0, 1]."""
    size = n * height * width * channels
    values = np.linspace(0.01, 0.49, size)
    return values.reshape(n, height, width, channels)


def png_pixels(figure: Figure) -> np.ndarray:
    """Returns the pixels of a figure's PNG, [height, width, 3] uint8."""
    with Image.open(io.BytesIO(plots.png_bytes(figure))) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def texts(figure: Figure) -> dict[Text, Bbox]:
    """Returns where each text of a figure lies, in pixels of the figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return {
        text: text.get_window_extent(canvas.get_renderer())
        for text in figure.findobj(Text)
        if text.get_text() and text.get_visible()
    }


def legend_texts(figure: Figure) -> list[str]:
    """Returns what the legend below a figure says, a line each."""
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]
