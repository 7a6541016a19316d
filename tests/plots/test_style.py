"""What holds for every figure: paper, sizes, words, and the public names."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.text import Text

from tests.pictures import png_pixels
from tfvae import plots

PHONE = 340  # pixels wide
LONG = "a title that is far too long for a single line of a figure " * 3
ROW = {"epoch": 1, "elbo": -9.0, "log_likelihood": -7.0, "kl": 2.0, "C": 1.0}


def _draws(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape)


FIGURES = {
    "calibration": lambda: plots.calibration(_draws(50)),
    "convergence": lambda: plots.convergence({"a": {"1": 2.0}, "b": {}}),
    "curves": lambda: plots.curves([ROW, ROW | {"epoch": 2}]),
    "density": lambda: plots.density(
        _draws(9), _draws(5), {"a": _draws(5)}, (_draws(4), {"b": _draws(4)})
    ),
    "error_map": lambda: plots.error_map(_draws(4, 5)),
    "image_grid": lambda: plots.image_grid(_draws(9, 8, 5, 1), 2, LONG),
    "importance_bars": lambda: plots.importance_bars(
        {"C": 0.8, "learning_rate_schedule": 0.2},
        {"C": 0.1, "learning_rate_schedule": 0.1},
    ),
    "kl_bars": lambda: plots.kl_bars(_draws(9), _draws(9) > 0.5),
    "labelled_rows": lambda: plots.labelled_rows(
        _draws(3, 2, 5, 8, 1), LONG, "abc", "de"
    ),
    "latent_map": lambda: plots.latent_map(
        _draws(9, 2), np.arange(9), LONG, ("one", "other")
    ),
    "parallel_coordinates": lambda: plots.parallel_coordinates(
        {"architecture": ["mlp", "conv"], "C": [0.5, 4000.0]},
        np.array([1.0, 1e6]), value_name="nll (nats)", log=("C",),
    ),
    "rate_distortion": lambda: plots.rate_distortion({"test": (20.0, 80.0)}),
    "rate_distortion_front": lambda: plots.rate_distortion_front(
        np.arange(5.0), np.array([1.0, 2, 3, 4, 1e6]), _draws(5),
        front=np.array([0]), value_name="nll (nats)",
    ),
    "reconstructions": lambda: plots.reconstructions(
        _draws(9, 5, 4, 3), _draws(9, 5, 4, 3), 4
    ),
    "scatter": lambda: plots.scatter({"a": _draws(9, 2)}, "t"),
    "settings_map": lambda: plots.settings_map(
        np.array([2, 64, 8]), np.array([0.05, 5000.0, 40.0]), _draws(3),
        x_name="latent_dim", y_name="C", value_name="nll (nats)", title=LONG,
        suggested=np.array([9.0, 50.0, 30.0]), suggested_name="C*",
    ),
}  # fmt: skip


def test_public_names_are_sorted_and_each_figure_is_looked_at() -> None:
    assert plots.__all__ == sorted(plots.__all__)
    assert {*plots.__all__} == {
        *FIGURES, "Figure", "gif_bytes", "png_bytes", "tile"
    }  # fmt: skip
    for name in plots.__all__:
        assert getattr(plots, name).__name__ == name


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_figure_is_readable_on_a_phone(
    draw: Callable[[], plots.Figure],
) -> None:
    figure = draw()
    pixels = png_pixels(figure)
    width, height = figure.get_size_inches()
    assert (
        abs(np.array(pixels.shape[:2]) - [160 * height, 160 * width]).max() < 1
    )
    # White paper, and nothing on it is cut off.
    assert (pixels[[0, -1]] == 255).all()
    assert (pixels[:, [0, -1]] == 255).all()
    written = [text for text in figure.findobj(Text) if text.get_text()]
    assert written
    for text in written:
        assert PHONE / width * text.get_fontsize() / 72 > 7.5
