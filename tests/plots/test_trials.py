"""Trials of a search, each in its place and colour, the best on top."""

import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import same_color

from tests.pictures import legend_texts, png_pixels, texts
from tfvae import plots

LATENT_DIM = np.array([12, 40, 2, 12, 64])
C = np.array([37.5, 110.0, 5.0, 0.06, 4200.0])
C_STAR = np.array([46.0, 51.0, 12.0, 18.0, 50.0])
NLL = np.array([-632.5, -600.0, -104.4, 1625.7, 35615.0])  # best first
RATE = np.array([53.0, 60.0, 28.0, 0.0, 288.0])
DISTORTION = np.array([-685.0, -659.0, -132.0, 1626.0, 35327.0])


def settings_map(suggested: np.ndarray | None = C_STAR) -> plots.Figure:
    """Draws the five trials."""
    return plots.settings_map(
        LATENT_DIM, C, NLL, x_name="latent_dim", y_name="C",
        value_name="nll (nats)", title="C against latent_dim",
        suggested=suggested, suggested_name="C* of the trial",
    )  # fmt: skip


def front() -> plots.Figure:
    """Draws the five trials; the front was found by hand."""
    return plots.rate_distortion_front(
        RATE, DISTORTION, NLL, front=np.array([3, 2, 0]),
        value_name="nll (nats)",
    )  # fmt: skip


def parallel() -> plots.Figure:
    """Draws the five trials."""
    columns = {
        "latent_dim": LATENT_DIM.tolist(),
        "C": C.tolist(),
        "architecture": ["mlp", "conv", "mlp", "mlp", "conv"],
        "learning_rate": [0.0, 1.0, 0.5, 0.25, 0.75],
        "prior": ["standard_normal"] * 5,
    }
    return plots.parallel_coordinates(
        columns, NLL, value_name="nll (nats)", log=("latent_dim", "C")
    )


def bars() -> plots.Figure:
    """Draws three settings."""
    return plots.importance_bars(
        {"C": 0.7, "latent_dim": 0.25, "learning_rate": 0.05},
        {"latent_dim": 0.02, "C": 0.1, "learning_rate": 0.01},
    )


def points(axes: Axes) -> list[PathCollection]:
    """Returns the clouds of a figure."""
    return [c for c in axes.collections if isinstance(c, PathCollection)]


def test_map_puts_trials_where_they_are_the_best_last() -> None:
    axes, bar = settings_map().axes
    trials, ring = points(axes)
    expected = np.stack([LATENT_DIM, C], axis=1)
    np.testing.assert_array_equal(trials.get_offsets(), expected[::-1])
    np.testing.assert_array_equal(ring.get_offsets(), expected[:1])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("latent_dim", "C")
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["2", "4", "8", "16", "32", "64"]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["0.1", "1", "10", "100", "1,000"]
    assert bar.get_xlabel() == "nll (nats), coloured by rank, best first"


def test_map_is_coloured_by_rank_and_the_bar_says_which() -> None:
    axes, bar = settings_map().axes
    colours = points(axes)[0].get_facecolor()[::-1]
    # viridis: from dark to light. The worst is 100 times as far off as the
    # fourth, and yet a step away.
    brightness = colours[:, :3] @ [0.299, 0.587, 0.114]
    assert (np.diff(brightness) > 0.1).all()
    names = [label.get_text() for label in bar.get_xticklabels()]
    assert names == ["-632", "-600", "-104", "1,626", "35,615"]
    np.testing.assert_array_equal(bar.get_xticks(), [0, 1, 2, 3, 4])
    assert bar.get_xlim() == (0, 4)


def test_map_joins_each_C_to_what_was_suggested() -> None:
    figure = settings_map()
    axes = figure.axes[0]
    (lines,) = [c for c in axes.collections if isinstance(c, LineCollection)]
    ends = np.stack(lines.get_segments())
    np.testing.assert_array_equal(ends[:, 0], np.stack([LATENT_DIM, C], 1))
    np.testing.assert_array_equal(ends[:, 1], np.stack([LATENT_DIM, C_STAR], 1))
    (dashes,) = axes.lines
    np.testing.assert_array_equal(dashes.get_ydata(), C_STAR)
    assert legend_texts(figure) == ["C* of the trial", "best trial"]


def test_map_numbers_its_axis_as_far_as_suggestions_lie() -> None:
    figure = plots.settings_map(
        LATENT_DIM, np.array([30.0, 40, 30, 50, 40]), NLL, x_name="", y_name="",
        value_name="", title="", suggested=np.array([2.0, 3, 4, 50, 200]),
    )  # fmt: skip
    names = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert names == ["2", "10", "50", "200"]


def test_map_without_suggestions_shows_none() -> None:
    figure = settings_map(None)
    assert not figure.axes[0].lines
    assert len(figure.axes[0].collections) == 2
    assert legend_texts(figure) == ["best trial"]


def test_front_is_a_step_through_its_trials() -> None:
    figure = front()
    axes, _ = figure.axes
    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_xdata(), [0, 28, 53])
    np.testing.assert_array_equal(line.get_ydata(), [1626, -132, -685])
    # Between two of its trials the front is as high as the left one.
    assert line.get_drawstyle() == "steps-post"
    assert axes.get_xlabel() == "rate: KL (nats)"
    assert axes.get_ylabel() == "distortion: -log p(x|z) (nats)"


def test_front_is_not_flattened_by_trials_far_above() -> None:
    figure = front()
    axes, _ = figure.axes
    # Three times as far above the lowest as the middle one.
    top = -685 + 3 * (-132 + 685)
    assert axes.get_ylim()[1] == top
    inside, above, ring = points(axes)
    np.testing.assert_array_equal(
        inside.get_offsets(), [[28, -132], [60, -659], [53, -685]]
    )
    np.testing.assert_array_equal(above.get_offsets(), [[288, top], [0, top]])
    shades = points(settings_map().axes[0])[0].get_facecolor()  # worst first
    assert same_color(inside.get_facecolor(), shades[2:])
    assert same_color(above.get_facecolor(), shades[:2])
    np.testing.assert_array_equal(ring.get_offsets(), [[53, -685]])
    assert legend_texts(figure) == [
        "front: no trial is better in both",
        "2 above the picture",
        "best trial",
    ]


def test_front_shows_all_trials_where_half_of_them_are_equal() -> None:
    figure = plots.rate_distortion_front(
        np.arange(4.0), np.array([7.0, 7, 7, 90]), np.arange(4.0),
        front=np.array([0]),
        value_name="mse",
    )  # fmt: skip
    trials, _ = points(figure.axes[0])
    np.testing.assert_array_equal(
        trials.get_offsets(), [[3, 90], [2, 7], [1, 7], [0, 7]]
    )
    assert "above" not in "".join(legend_texts(figure))


def test_best_trial_above_the_picture_is_ringed_at_its_edge() -> None:
    distortion = np.array([900.0, 1.0, 2.0, 3.0, 4.0])
    figure = plots.rate_distortion_front(
        np.arange(5.0), distortion, np.arange(5.0), front=np.array([0, 1]),
        value_name="mse",
    )  # fmt: skip
    _, above, ring = points(figure.axes[0])
    np.testing.assert_array_equal(above.get_offsets(), [[0, 7]])
    np.testing.assert_array_equal(ring.get_offsets(), [[0, 7]])


def test_parallel_lines_lead_through_all_settings_to_the_rank() -> None:
    (axes,) = parallel().axes
    lines = [line.get_ydata() for line in axes.lines][::-1]  # best drawn last
    log_2_to_64 = np.log2(LATENT_DIM / 2) / 5
    log_C = np.log(C / 0.06) / np.log(4200 / 0.06)
    np.testing.assert_allclose(
        np.stack(lines, axis=1),
        [
            log_2_to_64,
            log_C,
            [1, 0, 1, 1, 0],
            [0, 1, 0.5, 0.25, 0.75],
            [0.5] * 5,  # all are equal
            [1, 0.75, 0.5, 0.25, 0],
        ],
        atol=1e-12,
    )
    widths = [line.get_linewidth() for line in axes.lines]
    assert widths == [1.2] * 4 + [3.5]
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert [name.replace("\n", "") for name in names] == [
        "latent_dim", "C", "architecture", "learning_rate", "prior",
        "nll (nats)",
    ]  # fmt: skip


def test_parallel_axes_name_their_values() -> None:
    (axes,) = parallel().axes
    named: dict[int, dict[str, float]] = {}
    for text in axes.texts:
        x, height = text.get_position()
        words = text.get_text().replace("\n", "")
        named.setdefault(int(x), {})[words] = round(height, 9)
    assert named[0] == {str(2**k): round((k - 1) / 5, 9) for k in range(1, 7)}
    assert set(named[1]) == {"0.1", "1", "10", "100", "1,000"}
    assert named[2] == {"conv": 0, "mlp": 1}
    assert named[3] == {"0": 0, "0.2": 0.2, "0.4": 0.4, "0.6": 0.6,
                        "0.8": 0.8, "1": 1}  # fmt: skip
    assert named[4] == {"standard_normal": 0.5}
    assert named[5] == {"-632": 1, "-600": 0.75, "-104": 0.5, "1,626": 0.25,
                        "35,615": 0}  # fmt: skip


def test_parallel_names_do_not_run_into_each_other() -> None:
    words = ["discretized_mix_logistic", "continuous_bernoulli"]
    names = ("learning_rate_schedule", "objective_weight", "num_components",
             "likelihood", "steps_per_execution")  # fmt: skip
    figure = plots.parallel_coordinates(
        {name: words for name in names}, np.array([1.0, 2.0]), value_name="nll"
    )
    boxes = texts(figure)
    (axes,) = figure.axes
    for left, right in itertools.pairwise(axes.get_xticklabels()):
        assert boxes[left].x1 < boxes[right].x0
    for text in axes.texts:
        next_axis = int(text.get_position()[0]) + 1
        assert boxes[text].x1 < axes.transData.transform((next_axis, 0))[0]
    found = {text.get_text().replace("\n", "") for text in axes.texts}
    assert set(words) <= found


def test_parallel_colours_are_those_of_the_map() -> None:
    (axes,) = parallel().axes
    lines = [line.get_color() for line in axes.lines]
    trials = points(settings_map().axes[0])[0]
    assert same_color(lines, trials.get_facecolor())


@pytest.mark.parametrize("num_trials", [1, 2, 60])
def test_any_number_of_trials_is_drawn(num_trials: int) -> None:
    value = np.arange(float(num_trials))
    column = 1 + np.arange(num_trials)
    figure = plots.settings_map(
        column, column, value, x_name="a", y_name="b", value_name="v", title="t"
    )
    names = [t.get_text() for t in figure.axes[1].get_xticklabels()]
    assert names == {
        1: ["0"], 2: ["0", "1"], 60: ["0", "15", "30", "44", "59"]
    }[num_trials]  # fmt: skip
    png_pixels(figure)
    png_pixels(
        plots.rate_distortion_front(
            value, value, value, front=np.array([0]), value_name="v"
        )
    )
    figure = plots.parallel_coordinates(
        {"a": column.tolist()}, value, value_name="v"
    )
    assert len(figure.axes[0].lines) == num_trials
    assert figure.axes[0].lines[-1].get_ydata()[-1] == 1  # the best
    png_pixels(figure)


def test_importance_is_a_bar_each_with_its_own_whisker() -> None:
    figure = bars()
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.7, 0.25, 0.05]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["C", "latent_dim", "learning_rate"]
    low, high = axes.get_ylim()
    assert low > high  # the first is on top
    (whiskers,) = axes.collections
    np.testing.assert_allclose(
        [segment[:, 0] for segment in whiskers.get_segments()],
        [[0.6, 0.8], [0.23, 0.27], [0.04, 0.06]],
    )
    assert axes.get_xlim()[0] == 0
