"""Which figures a search's page has, and what they are drawn from."""

from typing import Any

import numpy as np
import pytest

from tfvae import plots
from tuning import page_figures
from tuning.results import Result

Calls = dict[str, list[tuple[tuple, dict[str, Any]]]]
FIGURES = {"rate": 20.0, "distortion_nats": -50.0, "C_star": 46.0}


def trial(values: dict[str, Any], objective: float, **figures: Any) -> Result:
    """Returns a completed trial."""
    return Result("0", "COMPLETED", values, objective, FIGURES | figures)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What the figures are drawn from, by the name of the figure."""
    seen: Calls = {}

    def watched(name: str) -> None:
        draw = getattr(plots, name)

        def note(*arguments: Any, **named: Any) -> plots.Figure:
            seen.setdefault(name, []).append((arguments, named))
            return draw(*arguments, **named)

        monkeypatch.setattr(plots, name, note)

    for name in (
        "settings_map", "rate_distortion_front", "parallel_coordinates",
        "importance_bars",
    ):  # fmt: skip
        watched(name)
    return seen


def drawn(trials: list[Result], **shares: tuple[float, float]) -> list[str]:
    """Returns the captions of the figures."""
    pictures = page_figures.pictures(
        trials, shares, value_name="nll (nats)", log={"C"}
    )
    assert all(picture.alt and picture.png for picture in pictures)
    return [picture.caption for picture in pictures]


TRIALS = [
    trial({"C": 40.0, "latent_dim": 12}, 1.0, rate=20.0),
    trial({"C": 90.0, "latent_dim": 3}, 2.0, rate=30.0, C_star=12.0),
    trial({"C": 1.0, "latent_dim": 64}, 7.0, rate=2.0, distortion_nats=9.0),
]


def test_figures_are_drawn_from_the_trials(calls: Calls) -> None:
    captions = drawn(TRIALS, C=(0.8, 0.1), latent_dim=(0.2, 0.05))
    assert len(captions) == 4
    ((x, y, value), named) = calls["settings_map"][0]
    assert (list(x), list(y), list(value)) == (
        [12, 3, 64], [40, 90, 1], [1, 2, 7]
    )  # fmt: skip
    assert (named["x_name"], named["y_name"]) == ("latent_dim", "C")
    assert named["value_name"] == "nll (nats)"
    assert list(named["suggested"]) == [46, 12, 46]
    ((rate, distortion, value), named) = calls["rate_distortion_front"][0]
    assert (list(rate), list(distortion)) == ([20, 30, 2], [-50, -50, 9])
    assert list(named["front"]) == [2, 0]
    ((columns, value), named) = calls["parallel_coordinates"][0]
    assert columns == {"C": [40, 90, 1], "latent_dim": [12, 3, 64]}
    assert named["log"] == {"C"}
    (arguments, _) = calls["importance_bars"][0]
    assert arguments == (
        {"C": 0.8, "latent_dim": 0.2}, {"C": 0.1, "latent_dim": 0.05}
    )  # fmt: skip
    assert "rank" in captions[0]
    assert "C* = D / (2 SE)" in captions[0]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"C": 2.0, "latent_dim": 8}, ("latent_dim", "C")),
        ({"learning_rate": 0.1, "C": 2.0}, ("learning_rate", "C")),
        ({"C": 2.0, "learning_rate": 0.1, "latent_dim": 8},
         ("latent_dim", "C")),
        ({"learning_rate": 0.1, "latent_dim": 8, "batch_size": 32},
         ("latent_dim", "learning_rate")),
        ({"C": 2.0, "architecture": "mlp"}, None),
        ({"C": "learned", "latent_dim": 8}, None),
        ({"latent_dim": 8, "info_alpha": 0.0}, None),
        ({"latent_dim": 8}, None),
        ({"architecture": "mlp"}, None),
    ],
)  # fmt: skip
def test_map_takes_two_positive_numbers_if_there_are_two(
    calls: Calls, settings: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    drawn([trial(settings, 1.0)])
    if expected is None:
        assert "settings_map" not in calls
        return
    named = calls["settings_map"][0][1]
    assert (named["x_name"], named["y_name"]) == expected
    assert (named["suggested"] is not None) == (expected[1] == "C")


def test_no_suggestion_is_shown_where_one_trial_has_none(calls: Calls) -> None:
    captions = drawn([*TRIALS, trial(TRIALS[0].values, 8.0, C_star=None)])
    assert calls["settings_map"][0][1]["suggested"] is None
    assert "C*" not in captions[0]


def test_an_autoencoder_has_no_rate(calls: Calls) -> None:
    results = [
        Result("0", "COMPLETED", {"latent_dim": k}, float(k), {"mse": 1.0})
        for k in (2, 3, 4)
    ]
    assert len(drawn(results)) == 1
    assert list(calls) == ["parallel_coordinates"]


def test_many_settings_fill_several_figures(calls: Calls) -> None:
    settings = {f"setting_{k}": float(k) for k in range(11)}
    drawn([trial(settings, 1.0), trial(settings, 2.0)])
    columns = [set(a[0]) for a, _ in calls["parallel_coordinates"]]
    assert [len(names) for names in columns] == [5, 5, 1]
    assert set.union(*columns) == set(settings)
    for (_, value), _ in calls["parallel_coordinates"]:
        np.testing.assert_array_equal(value, [1, 2])
