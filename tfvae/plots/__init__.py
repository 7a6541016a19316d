"""Arrays in, figures and pictures out; the only home of matplotlib and PIL."""

from matplotlib.figure import Figure

from tfvae.plots.animation import gif_bytes
from tfvae.plots.grid import image_grid, labelled_rows, reconstructions, tile
from tfvae.plots.lines import convergence, curves, density
from tfvae.plots.measures import (
    calibration,
    error_map,
    kl_bars,
    rate_distortion,
)
from tfvae.plots.points import latent_map, scatter
from tfvae.plots.style import png_bytes
from tfvae.plots.trials import (
    importance_bars,
    parallel_coordinates,
    rate_distortion_front,
    settings_map,
)

__all__ = [
    "Figure",
    "calibration",
    "convergence",
    "curves",
    "density",
    "error_map",
    "gif_bytes",
    "image_grid",
    "importance_bars",
    "kl_bars",
    "labelled_rows",
    "latent_map",
    "parallel_coordinates",
    "png_bytes",
    "rate_distortion",
    "rate_distortion_front",
    "reconstructions",
    "scatter",
    "settings_map",
    "tile",
]
