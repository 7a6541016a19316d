"""Points of the plane, each in its place and colour."""

import numpy as np
import pytest

from tests.pictures import png_pixels
from tfvae import plots


@pytest.mark.parametrize("num", [1, 2, 3])
def test_scatter_shows_each_cloud_on_its_own_axes(num: int) -> None:
    draw = np.random.default_rng(0)
    names = ["data", "reconstructions", "samples"][:num]
    clouds = {name: draw.normal(size=[5, 2]) for name in names}
    figure = plots.scatter(clouds, "means")
    assert [axes.get_title() for axes in figure.axes] == names
    limits = {(*axes.get_xlim(), *axes.get_ylim()) for axes in figure.axes}
    assert len(limits) == 1
    for axes, points in zip(figure.axes, clouds.values(), strict=True):
        (drawn,) = axes.collections
        np.testing.assert_array_equal(drawn.get_offsets(), points)
    numbered = [
        axes.xaxis.get_major_ticks()[0].label1.get_visible()
        for axes in figure.axes
    ]
    assert numbered == [False, True, True][-num:]  # the lowest of each column
    png_pixels(figure)


@pytest.mark.parametrize("largest", [2, 15, 25])
def test_latent_map_colours_by_label(largest: int) -> None:
    draw = np.random.default_rng(0)
    z = draw.normal(size=[9, 2])
    y = np.array([0, 1, largest] * 3)
    figure = plots.latent_map(z, y)
    (axes,) = figure.axes
    groups = axes.collections
    assert [group.get_label() for group in groups] == ["0", "1", str(largest)]
    for group, label in zip(groups, (0, 1, largest), strict=True):
        np.testing.assert_array_equal(group.get_offsets(), z[y == label])
    colours = {tuple(group.get_facecolor()[0]) for group in groups}
    assert len(colours) == 3
    assert (axes.get_legend() is not None) == (largest < 20)
    png_pixels(figure)


def test_latent_map_without_labels_is_one_cloud() -> None:
    z = np.random.default_rng(0).normal(size=[4, 2])
    figure = plots.latent_map(z, None)
    (axes,) = figure.axes
    (cloud,) = axes.collections
    np.testing.assert_array_equal(cloud.get_offsets(), z)
    assert axes.get_legend() is None
    assert axes.get_title() == "latent map: z = g(x) of the test set"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$z_1$", "$z_2$")


def test_latent_map_says_what_its_axes_are() -> None:
    figure = plots.latent_map(
        np.zeros([3, 2]), None, title="by PCA", axis_names=("first", "second")
    )
    (axes,) = figure.axes
    assert axes.get_title() == "by PCA"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("first", "second")
