"""Importance where it is known: one setting, two by a known ratio, none."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tuning import importance as module
from tuning.importance import importance
from tuning.results import Result

Values = dict[str, Any]


def trial(values: Values, objective: float, epochs: int = 30) -> Result:
    """Returns a completed trial."""
    return Result("0", "COMPLETED", values, objective, {"epochs": epochs})


def trials(
    num: int, objective: Callable[[Values], float], seed: int = 0
) -> list[Result]:
    """Draws settings, and the objective from them."""
    draw = np.random.default_rng(seed)
    drawn: list[Values] = [
        {
            "latent_dim": int(draw.integers(2, 65)),
            "C": float(np.exp(draw.uniform(np.log(0.05), np.log(5000)))),
            "architecture": str(draw.choice(["mlp", "conv", "auto"])),
        }
        for _ in range(num)
    ]
    return [trial(values, objective(values)) for values in drawn]


def noise(seed: int) -> Callable[[Values], float]:
    """Returns an objective that no setting changes."""
    draw = np.random.default_rng(100 + seed)
    return lambda values: draw.normal()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes small forests, where not their quality is tested."""
    monkeypatch.setattr(module, "NUM_TREES", 8)
    monkeypatch.setattr(module, "NUM_REPEATS", 2)


def test_one_setting_that_alone_matters_has_it_all() -> None:
    # The worst trial is a thousand million times as bad as the best.
    found = importance(
        trials(30, lambda v: 1000 ** abs(np.log10(v["C"]) - 1.5)), log={"C"}
    )
    assert next(iter(found)) == "C"
    assert found["C"][0] > 0.9
    assert sum(share for share, _ in found.values()) == pytest.approx(1)
    assert all(share >= 0 for share, _ in found.values())
    assert 0 <= found["C"][1] < 0.1


def test_a_word_that_alone_matters_has_it_all() -> None:
    cost = {"mlp": 1.0, "conv": 3.0, "auto": 2.0}
    found = importance(trials(30, lambda v: cost[v["architecture"]]), log={"C"})
    assert next(iter(found)) == "architecture"
    assert found["architecture"][0] > 0.9


@pytest.mark.parametrize("weights", [(3.0, 2.0), (1.0, 2.0)])
def test_two_settings_share_as_their_known_effects(
    weights: tuple[float, float],
) -> None:
    at = (np.arange(12) + 0.5) / 12
    objective = weights[0] * at[:, None] + weights[1] * at
    idle = np.random.default_rng(0).uniform(size=objective.shape)
    results = [
        trial({"u": u, "v": v, "idle": idle[i, j]}, objective[i, j])
        for i, u in enumerate(at)
        for j, v in enumerate(at)
    ]
    # What shuffling u adds to the squared error of a perfect prediction is
    # E (rank(u', v) - rank(u, v))^2, over all pairs; about 9 to 4, and 1 to 4.
    ranks = stats.rankdata(objective).reshape(objective.shape)
    effects = {
        "u": np.mean((ranks[:, None] - ranks) ** 2),
        "v": np.mean((ranks[:, :, None] - ranks[:, None]) ** 2),
    }
    found = importance(results, log=())
    assert list(found) == [*sorted(effects, key=effects.get)[::-1], "idle"]
    for name, effect in effects.items():
        # A forest flattens the smaller slope a little.
        exact = effect / sum(effects.values())
        assert found[name][0] == pytest.approx(exact, abs=0.03)
    assert found["idle"][0] < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_said_where_no_setting_matters(seed: int) -> None:
    assert importance(trials(20, noise(seed), seed), log={"C"}) == {}


@pytest.mark.usefixtures("quick")
def test_too_few_trials_say_nothing() -> None:
    results = trials(8, lambda v: v["C"])
    found = importance(results, log={"C"})
    assert next(iter(found)) == "C"
    assert importance(results[:7], log={"C"}) == {}
    failed = [Result("9", "FAILED", r.values, None, {}) for r in results]
    assert importance(results[:7] + failed, log={"C"}) == {}
    assert importance(results + failed, log={"C"}) == found
    assert importance([], log=()) == {}


@pytest.mark.usefixtures("quick")
def test_a_setting_that_never_varies_is_left_out() -> None:
    results = trials(12, lambda v: v["C"])
    for result in results:
        result.values["latent_dim"] = 16
    assert set(importance(results, log={"C"})) == {"C", "architecture"}
    for result in results:
        result.values.update(C=1.0, architecture="mlp")
    assert importance(results, log={"C"}) == {}


@pytest.mark.usefixtures("quick")
def test_an_objective_that_never_varies_says_nothing() -> None:
    assert importance(trials(12, lambda v: 5.0), log={"C"}) == {}


@pytest.mark.usefixtures("quick")
def test_a_forest_that_no_shuffle_harms_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        module, "_growth", lambda x, y: (0.0, np.array([[0.5, 0.1], [-1, 0]]))
    )
    assert importance(trials(12, lambda v: v["C"]), log={"C"}) == {}


@pytest.mark.usefixtures("quick")
def test_outliers_and_direction_change_nothing() -> None:
    def objective(values: Values) -> float:
        return abs(np.log10(values["C"]) - 1.5) + 0.01 * values["latent_dim"]

    plain = importance(trials(20, objective), log={"C"})
    far = importance(trials(20, lambda v: np.exp(9 * objective(v))), log={"C"})
    assert far == plain
    negative = importance(trials(20, lambda v: -objective(v)), log={"C"})
    for name, (share, _) in plain.items():
        assert negative[name][0] == pytest.approx(share, abs=0.02)


@pytest.mark.usefixtures("quick")
def test_a_log_scale_is_learned_on() -> None:
    results = trials(20, lambda v: abs(np.log10(v["C"]) - 1.5))
    as_logs = [
        trial(r.values | {"C": float(np.log(r.values["C"]))}, r.objective)
        for r in results
    ]
    found = importance(results, log={"C"})
    assert found == importance(as_logs, log=())
    assert found != importance(results, log=())


@pytest.mark.usefixtures("quick")
def test_the_same_trials_have_the_same_importance() -> None:
    results = trials(12, lambda v: v["C"] + v["latent_dim"])
    assert importance(results, log={"C"}) == importance(results, log={"C"})


@pytest.mark.usefixtures("quick")
def test_of_equal_settings_the_longest_trials_count() -> None:
    # As hyperband does: what was trained shortly would tell another story.
    results = trials(20, lambda v: v["C"])
    short = [
        trial(r.values, float(r.values["latent_dim"]), epochs=3)
        for r in results
    ]
    found = importance(results, log={"C"})
    assert importance(short + results, log={"C"}) == found
    assert importance(results + short, log={"C"}) == found
    # Repeats of equal length are all looked at.
    assert len(importance(results[:4] * 2, log={"C"})) > 0
    assert importance(results[:7] + short[:7], log={"C"}) == {}
