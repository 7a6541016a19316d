"""How far a search has come."""

import types
from typing import Any

import pytest

from tuning import progress
from tuning.results import Result


def _result(trial: str, nll: float | None, message: str = "") -> Result:
    status = "FAILED" if nll is None else "COMPLETED"
    figures = {} if nll is None else {"nll": nll, "seconds": 2.25}
    values = {"latent_dim": 3, "C": 12.3456, "prior": "vamp"}
    return Result(trial, status, values, nll, figures, message)


def _progress(**more: Any) -> progress.Progress:
    settings: dict[str, Any] = {
        "objective": "nll", "direction": "min", "num_trials": 4,
        "num_epochs": 9, "known": [], "on_result": lambda result: None,
    }  # fmt: skip
    return progress.Progress(**{**settings, **more})


def test_each_trial_has_a_line_with_the_best_so_far(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([100.0, 110.0, 120.0, 130.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(now))
    told: list[Result] = []
    with _progress(known=[_result("0", 8.0)], on_result=told.append) as shown:
        for result in (_result("1", 5.5), _result("2", None, "diverged")):
            shown.begin(types.SimpleNamespace(trial_id=result.trial))
            shown.end(result)
        shown.end(_result("1", 5.5))  # known by now
        shown.end(_result("3", 6.5))
    assert [result.trial for result in told] == ["1", "2", "3"]
    settings = "latent_dim 3  C 12.35  prior vamp"
    # 10 seconds a trial; of 4, 2, 3 and 4 have ended.
    assert capsys.readouterr().out.splitlines() == [
        f"trial 1 (2/4)  {settings}  nll 5.5 (best 5.5, trial 1)  2.2 s  "
        "00:20 left",
        f"trial 2 (3/4)  {settings}  failed: diverged  00:10 left",
        f"trial 3 (4/4)  {settings}  nll 6.5 (best 5.5, trial 1)  2.2 s  "
        "00:00 left",
    ]


def test_the_best_of_an_elbo_is_the_highest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with _progress(direction="max", num_trials=None) as shown:
        shown.end(_result("0", 5.5))
        shown.end(_result("1", 4.5))
    last = capsys.readouterr().out.splitlines()[-1]
    assert "(best 5.5, trial 0)" in last
    assert last.startswith("trial 1 (2)  ")
    assert "left" not in last


def test_a_terminal_has_a_bar_of_trials_and_epochs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    with _progress(known=[_result("0", 8.0)]) as shown:
        shown.begin(types.SimpleNamespace(trial_id="1"))
        shown.callback().on_epoch_end(6, {})
        shown.end(_result("1", 5.5))
    out, err = capsys.readouterr()
    assert "trial 1 (2/4)" in out
    assert "trial 1: " in err
    assert "epoch 7/9" in err
    assert "2/4" in err
