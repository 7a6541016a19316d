"""One search on disk."""

import csv
import dataclasses
import json
import pathlib
from concurrent import futures
from typing import Any

import pytest

from tfvae.config import Config
from tfvae.errors import InputError
from tuning.folder import SearchDir
from tuning.plan import Plan
from tuning.results import Result, ranked
from tuning.space import DEFAULT, make_space


def _result(trial: str, nll: float | None, **more: Any) -> Result:
    settings: dict[str, Any] = {
        "status": "FAILED" if nll is None else "COMPLETED",
        "values": {"latent_dim": 3, "C": 0.5},
        "figures": {} if nll is None else {"nll": nll, "epochs": 2},
    }
    return Result(trial=trial, objective=nll, **settings | more)


def _with_runs(folder: SearchDir, *trials: str) -> None:
    for trial in trials:
        run = folder.trial_run(trial)
        config = Config(latent_dim=3 + int(trial)).to_json().encode()
        run.write("config.json", lambda file, text=config: file.write(text))


PLAN = Plan(
    Config(latent_dim=9), make_space(DEFAULT), algorithm="random",
    objective="nll", nll_samples=1, nll_examples=0, factor=3,
)  # fmt: skip
RESULTS = [
    _result("0", 7.5),
    _result("1", None, message="kl is not finite, at once"),
    _result("2", -3.25, values={"latent_dim": 5, "C": 40.0}),
    _result("3", None, status="RUNNING"),
]


def test_table_has_a_row_a_trial(tmp_path: pathlib.Path) -> None:
    folder = SearchDir(str(tmp_path))
    _with_runs(folder, "0", "2")
    folder.write_results(RESULTS, PLAN)
    with open(tmp_path / "trials.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["status"] for row in rows] == [
        "COMPLETED", "FAILED", "COMPLETED", "RUNNING",
    ]  # fmt: skip
    columns = ("latent_dim", "C", "objective", "epochs", "seconds", "status")
    assert set(columns) <= set(rows[0])
    assert (rows[2]["latent_dim"], rows[2]["C"]) == ("5", "40.0")
    assert float(rows[2]["objective"]) == float(rows[2]["nll"]) == -3.25
    assert rows[1]["objective"] == rows[1]["epochs"] == ""
    assert rows[1]["message"] == "kl is not finite, at once"


def test_what_is_not_searched_is_in_the_table_too(
    tmp_path: pathlib.Path,
) -> None:
    folder = SearchDir(str(tmp_path))
    _with_runs(folder, "0")
    figures = {"nll": 7.5, "C_at_end": 45.5}
    results = [
        _result("0", 7.5, values={"prior": "vamp"}, figures=figures),
        _result("1", None, values={"prior": "vamp"}),
    ]
    folder.write_results(results, PLAN)
    with open(tmp_path / "trials.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["latent_dim"] for row in rows] == ["9", "9"]
    assert [row["C"] for row in rows] == ["45.5", "auto"]


@pytest.mark.parametrize(("objective", "best"), [("nll", "2"), ("elbo", "0")])
def test_best_config_is_that_of_the_best_trial(
    tmp_path: pathlib.Path, objective: str, best: str
) -> None:
    folder = SearchDir(str(tmp_path))
    _with_runs(folder, "0", "2")
    found = folder.write_results(
        RESULTS, dataclasses.replace(PLAN, objective=objective)
    )
    assert found is not None
    assert found.trial == best
    config = json.loads((tmp_path / "best" / "config.json").read_text())
    assert Config(**config).latent_dim == 3 + int(best)


def test_without_a_complete_trial_nothing_is_best(
    tmp_path: pathlib.Path,
) -> None:
    folder = SearchDir(str(tmp_path))
    assert folder.write_results(RESULTS[1:2], PLAN) is None
    assert not (tmp_path / "best").exists()


def test_ranked_leaves_out_what_is_not_complete() -> None:
    trials = [result.trial for result in ranked(RESULTS, direction="min")]
    assert trials == ["2", "0"]


def test_clear_removes_the_search_alone(tmp_path: pathlib.Path) -> None:
    folder = SearchDir(str(tmp_path))
    _with_runs(folder, "0", "2")
    folder.write_results(RESULTS, PLAN)
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "mine.txt").write_text("kept")
    folder.prepare()  # something else beside a search is no fault
    folder.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_workers_may_look_at_the_same_moment(tmp_path: pathlib.Path) -> None:
    with futures.ThreadPoolExecutor(8) as workers:
        looks = [
            workers.submit(SearchDir(str(tmp_path / "D")).prepare)
            for _ in range(200)
        ]
    assert [look.exception() for look in looks] == [None] * 200
    assert list((tmp_path / "D").iterdir()) == []


def test_a_folder_of_other_things_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match=r"no search \(mine.txt\)"):
        SearchDir(str(tmp_path)).prepare()


def test_a_folder_that_cannot_be_made_is_refused(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        SearchDir(str(tmp_path / "file" / "D")).prepare()
