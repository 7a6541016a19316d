"""Bars, points and histograms stand for the numbers they were given."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.lines import AxLine
from scipy import stats

from tests.pictures import legend_texts, png_pixels, texts
from tfvae import plots


def test_kl_bars_stand_by_size_under_their_dimension() -> None:
    kl = np.array([0.5, 3.0, 0.001, 2.0, 0.0])
    active = np.array([True, True, False, True, False])
    figure = plots.kl_bars(kl, active)
    (axes,) = figure.axes
    bars = sorted(axes.patches, key=lambda bar: bar.get_x())
    heights = [bar.get_height() for bar in bars]
    assert heights == [3.0, 2.0, 0.5, 0.001, 0.0]
    np.testing.assert_allclose(
        [bar.get_x() + bar.get_width() / 2 for bar in bars], axes.get_xticks()
    )
    numbers = [label.get_text() for label in axes.get_xticklabels()]
    assert numbers == ["1", "3", "0", "2", "4"]
    assert [bar.get_hatch() for bar in bars] == [None] * 3 + ["///"] * 2
    colours = [bar.get_facecolor() for bar in bars]
    assert same_color(colours[:3], [colours[0]] * 3)
    assert same_color(colours[3:], [colours[3]] * 2)
    assert not same_color(colours[0], colours[3])
    labels = axes.get_xticklabels()
    warned = [same_color(label.get_color(), colours[3]) for label in labels]
    assert warned == [False] * 3 + [True] * 2
    assert legend_texts(figure) == ["active: 3 of 5", "collapsed: 2 of 5"]
    assert axes.get_ylabel() == "nats"
    png_pixels(figure)


@pytest.mark.parametrize("active", [False, True])
def test_kl_bars_of_one_kind_have_one_name(active: bool) -> None:
    figure = plots.kl_bars(np.arange(3.0), np.full(3, active))
    kind = "active" if active else "collapsed"
    assert legend_texts(figure) == [f"{kind}: 3 of 3"]


@pytest.mark.parametrize("latent_dim", [1, 16, 17, 250])
def test_kl_bars_number_no_more_than_fit(latent_dim: int) -> None:
    kl = np.random.default_rng(0).permutation(latent_dim).astype(float)
    figure = plots.kl_bars(kl, np.full(latent_dim, True))
    (axes,) = figure.axes
    boxes = texts(figure)
    labels = axes.get_xticklabels()
    assert len(labels) == {1: 1, 16: 16, 17: 9, 250: 16}[latent_dim]
    for place, label in zip(axes.get_xticks(), labels, strict=True):
        # KL are 0 to latent_dim - 1: the n-th largest is known.
        assert kl[int(label.get_text())] == latent_dim - 1 - place
    for left, right in itertools.pairwise(labels):
        assert boxes[left].x1 < boxes[right].x0


POINTS = {
    "test": (18.0, 80.0),
    "training": (19.5, 76.0),
    "beta = 4": (9.0, 93.0),
}


def test_rate_distortion_puts_models_where_they_are() -> None:
    figure = plots.rate_distortion(POINTS)
    (axes,) = figure.axes
    points = [line for line in axes.lines if not isinstance(line, AxLine)]
    assert [tuple(np.ravel(p.get_data())) for p in points] == [*POINTS.values()]
    assert legend_texts(figure) == [
        "test: elbo -98.0",
        "training: elbo -95.5",
        "beta = 4: elbo -102.0",
    ]
    assert "rate" in axes.get_xlabel()
    assert "distortion" in axes.get_ylabel()
    assert "nats" in axes.get_xlabel()
    assert "nats" in axes.get_ylabel()
    png_pixels(figure)


@pytest.mark.parametrize(
    "points",
    [
        POINTS,
        {"density": (20.0, -1000.0)},
        {"collapsed": (0.0, 200.0)},
        {"a": (1e-3, 0.5), "b": (5000.0, 9000.0)},
    ],
)
def test_lines_of_equal_elbo_carry_their_elbo(
    points: dict[str, tuple[float, float]],
) -> None:
    figure = plots.rate_distortion(points)
    (axes,) = figure.axes
    lines = [line for line in axes.lines if isinstance(line, AxLine)]
    labels = [text for text in axes.texts if text.get_text()]
    assert len(lines) == len(labels) >= 3
    for line, label in zip(lines, labels, strict=True):
        word, number = label.get_text().split()
        assert word == "elbo"
        # elbo = -(rate + distortion), so that a nat more of one is a nat less
        # of the other
        for rate, distortion in (line.get_xy1(), label.get_position()):
            assert -(rate + distortion) == pytest.approx(float(number))
        assert line.get_slope() == -1
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert right - left == pytest.approx(high - low)
    for rate, distortion in points.values():
        assert left < rate < right
        assert low < distortion < high
    boxes = texts(figure)
    for label in labels:
        assert (boxes[label].min >= axes.bbox.min).all()
        assert (boxes[label].max <= axes.bbox.max).all()


def test_thirty_models_look_different() -> None:
    points = {str(k): (float(k), 50.0 - k) for k in range(30)}
    (axes,) = plots.rate_distortion(points).axes
    looks = {
        (line.get_marker(), line.get_color())
        for line in axes.lines
        if not isinstance(line, AxLine)
    }
    assert len(looks) == 30


def test_error_map_shows_the_error_of_each_pixel() -> None:
    error = np.random.default_rng(0).random([3, 5])
    figure = plots.error_map(error)
    axes, bar = figure.axes
    (image,) = axes.get_images()
    np.testing.assert_array_equal(image.get_array(), error)
    assert image.get_clim() == (0, error.max())
    png_pixels(figure)
    assert bar.get_ylim() == (0, error.max())
    assert bar.get_ylabel() == "squared error"


@pytest.mark.parametrize("shape", [(2, 60), (60, 2), (4, 4)])
def test_error_map_of_any_shape_is_whole(shape: tuple[int, int]) -> None:
    figure = plots.error_map(np.zeros(shape))
    assert max(figure.get_size_inches()) < 9
    pixels = png_pixels(figure)
    assert (pixels[[0, -1]] == 255).all()  # white: nothing is cut off
    assert (pixels[:, [0, -1]] == 255).all()


def test_error_of_features_is_a_bar_each() -> None:
    error = np.array([0.3, 0.0, 0.7])
    figure = plots.error_map(error)
    (axes,) = figure.axes
    assert [bar.get_height() for bar in axes.patches] == [0.3, 0.0, 0.7]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    np.testing.assert_allclose(middles, [0, 1, 2], atol=1e-12)
    png_pixels(figure)


def test_calibration_says_spread_and_share_beyond_two() -> None:
    residuals = np.repeat([-3.0, -1.0, 1.0, 2.5], [1, 2, 3, 2])
    figure = plots.calibration(residuals)
    # mean 3/8; variance (9 + 2 + 3 + 12.5) / 8 - (3/8)^2 = 3.171875; 3 of 8
    assert legend_texts(figure) == [
        "residuals: standard deviation 1.78, 37.50% beyond ±2",
        # 2 (1 - Phi(2)), from a table
        "N(0, 1): standard deviation 1, 4.55% beyond ±2",
    ]
    png_pixels(figure)


def test_calibration_lays_the_normal_density_over_a_density() -> None:
    draw = np.random.default_rng(0)
    residuals = draw.normal(size=20_000).astype(np.float32)
    figure = plots.calibration(residuals)
    (axes,) = figure.axes
    (line,) = axes.lines
    r, density = line.get_data()
    np.testing.assert_allclose(density, stats.norm.pdf(r), rtol=1e-12)
    heights = np.array([bar.get_height() for bar in axes.patches])
    ends = np.array([bar.get_x() for bar in axes.patches])
    width = axes.patches[0].get_width()
    # A bin holds a binomial number: 5 standard errors.
    share = stats.norm.cdf(ends + width) - stats.norm.cdf(ends)
    error = 5 * np.sqrt(share * (1 - share) / 20_000) + 1 / 20_000
    assert (np.abs(heights * width - share) < error).all()


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_calibration_loses_no_share_to_outliers(scale: float) -> None:
    # 2 of 1,000 lie far outside and are not to make the others a thin line.
    residuals = scale * np.linspace(-1, 1, 998)
    residuals = np.concatenate([residuals, [-1e6, 1e6]])
    figure = plots.calibration(residuals)
    (axes,) = figure.axes
    area = sum(bar.get_width() * bar.get_height() for bar in axes.patches)
    limit = -min(bar.get_x() for bar in axes.patches)
    assert limit == pytest.approx(max(4, scale), rel=0.01)
    assert area == pytest.approx(np.mean(np.abs(residuals) <= limit))
    assert area > 0.99
    png_pixels(figure)
