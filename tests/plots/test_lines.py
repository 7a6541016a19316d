"""Numbers over epochs, draws, x and z, as they were given."""

import numpy as np
import pytest

from tests.pictures import legend_texts, png_pixels
from tfvae import plots


@pytest.mark.parametrize("num_epochs", [1, 3])
def test_curves_show_training_and_validation(num_epochs: int) -> None:
    names = ("elbo", "log_likelihood", "kl", "C", "val_elbo",
             "val_log_likelihood", "val_kl")  # fmt: skip
    rows = [
        {"epoch": epoch, **{n: 10 * epoch + i for i, n in enumerate(names)}}
        for epoch in range(1, num_epochs + 1)
    ]
    figure = plots.curves(rows)
    drawn = [len(axes.lines) for axes in figure.axes]
    assert drawn == [2, 2, 2, 1]  # C is no matter of validation
    for axes, name in zip(figure.axes, names[:4], strict=True):
        for line, key in zip(axes.lines, (name, f"val_{name}"), strict=False):
            epochs, values = line.get_data()
            assert list(epochs) == [row["epoch"] for row in rows]
            assert list(values) == [row[key] for row in rows]
            assert (line.get_marker() == "o") == (num_epochs == 1)
    png_pixels(figure)


def test_curves_of_an_autoencoder_leave_out_what_it_has_not() -> None:
    rows = [{"epoch": k, "log_likelihood": -k, "C": 1.0} for k in (1, 2)]
    figure = plots.curves(rows)
    assert [axes.axison for axes in figure.axes] == [False, True, False, True]
    png_pixels(figure)


@pytest.mark.parametrize("with_maps", [False, True])
def test_density_over_the_data_and_the_maps_below(with_maps: bool) -> None:
    draw = np.random.default_rng(0)
    x, grid, z = draw.normal(size=50), np.linspace(-3, 3, 7), np.arange(4.0)
    densities = {"model": grid**2, "the data's own": grid + 1}
    maps = {"model": z + 1, "exact": 2 * z}
    figure = plots.density(x, grid, densities, (z, maps) if with_maps else None)
    panels = [(grid, densities), (z, maps)][: 1 + with_maps]
    for axes, (at, lines) in zip(figure.axes, panels, strict=True):
        drawn = {line.get_label(): line.get_data() for line in axes.lines}
        assert list(drawn) == list(lines)
        for name, values in lines.items():
            np.testing.assert_array_equal(drawn[name], [at, values])
    bars = figure.axes[0].patches
    area = sum(bar.get_width() * bar.get_height() for bar in bars)
    assert area == pytest.approx(1)
    png_pixels(figure)


@pytest.mark.parametrize("exact", [None, 90.5])
def test_convergence_over_draws_to_the_exact_value(exact: float | None) -> None:
    nll_curves = {
        "importance-weighted": {"1": 100.0, "10": 95.0, "100": 92.0},
        "naive": {"1": 300.0, "50": 150.0},
    }
    figure = plots.convergence(nll_curves, exact=exact)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    one, other, *last = axes.lines
    np.testing.assert_array_equal(one.get_data(), [[1, 10, 100], [100, 95, 92]])
    np.testing.assert_array_equal(other.get_data(), [[1, 50], [300, 150]])
    assert [set(line.get_ydata()) for line in last] == (
        [] if exact is None else [{90.5}]
    )
    names = [*nll_curves, *(["exact"] if exact else [])]
    assert legend_texts(figure) == names
    png_pixels(figure)
