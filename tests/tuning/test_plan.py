"""From a command line to what a search is, and from its folder."""

import dataclasses
import json
import pathlib
import re
from typing import Any

import pytest

from tfvae import flags
from tfvae.errors import InputError
from tuning import plan as plan_lib
from tuning.folder import SearchDir
from tuning.plan import Plan
from tuning.request import Search


def _plan(*arguments: str, held: Plan | None = None) -> Plan:
    line = flags.parse(Search, ["search.py", *arguments], summary="")
    return plan_lib.make_plan(line, held, directory="D")


def test_defaults_search_latent_dim_and_C() -> None:
    plan = _plan()
    assert plan.space.names == ["latent_dim", "C"]
    assert (plan.algorithm, plan.objective) == ("bayesian", "nll")
    assert plan.direction == "min"
    assert plan.base.epochs == 30
    assert plan.protocol.num_samples == 100


@pytest.mark.parametrize(
    ("flag", "left"),
    [("--C=optimal", ["latent_dim"]), ("--latent_dim=3", ["C"]),
     ("--beta=2", ["latent_dim"])],
)  # fmt: skip
def test_a_setting_that_is_given_is_not_searched(
    flag: str, left: list[str]
) -> None:
    assert _plan(flag).space.names == left


def test_train_flags_and_a_config_make_the_base(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"epochs": 4, "C": 3.0, "batch_size": 20}))
    plan = _plan(f"--config={path}", "--batch_size=30", "--dataset=ring")
    base = plan.base
    assert (base.epochs, base.batch_size, base.dataset) == (4, 30, "ring")
    assert plan.space.names == ["latent_dim", "C"]  # a config fixes nothing


@pytest.mark.parametrize(
    ("word", "objective", "trained_on"),
    [("mse", "mse", "elbo"), ("elbo", "elbo", "elbo"),
     ("iwae", "nll", "iwae"), ("nll", "nll", "elbo")],
)  # fmt: skip
def test_objective_is_of_the_search_or_of_train(
    word: str, objective: str, trained_on: str
) -> None:
    plan = _plan(f"--objective={word}")
    assert (plan.objective, plan.base.objective) == (objective, trained_on)


def test_plan_survives_its_file(tmp_path: pathlib.Path) -> None:
    space = tmp_path / "space.json"
    space.write_text('{"hidden_units": {"choice": [[8], "auto"]}}')
    plan = _plan(
        f"--space={space}", "--filters=4,5", "--algorithm=grid",
        "--nll_samples=7", "--factor=2", "--C=2.5", "--max_trials=9",
    )  # fmt: skip
    folder = SearchDir(str(tmp_path / "D"))
    assert folder.read_plan() is None
    folder.write_plan(plan)
    assert folder.read_plan() == plan


def test_a_search_goes_on_with_its_own_settings() -> None:
    held = _plan("--epochs=4", "--algorithm=random", "--objective=mse")
    assert _plan(held=held) == held
    assert _plan("--epochs=4", held=held) == held
    more = _plan("--max_trials=7", held=held)
    assert more.max_trials == _plan(held=more).max_trials == 7
    trained_on_iwae = dataclasses.replace(
        held, base=dataclasses.replace(held.base, objective="iwae")
    )
    assert _plan("--objective=iwae", held=trained_on_iwae) == trained_on_iwae
    moved = _plan("--data_dir=elsewhere", held=held)
    assert moved.base.data_dir == "elsewhere"


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--epochs=5", "epochs=4 there, 5 asked for"),
        ("--algorithm=grid", "algorithm=bayesian there, grid asked for"),
        ("--objective=elbo", "objective=nll there, elbo asked for"),
        ("--objective=iwae", "objective=elbo there, iwae asked for"),
        ("--space={}", "space=latent_dim: whole numbers from 2 to 64"),
    ],
)
def test_another_search_in_the_folder_is_refused(
    tmp_path: pathlib.Path, flag: str, told: str
) -> None:
    space = tmp_path / "space.json"
    space.write_text('{"latent_dim": {"int": [2, 3]}}')
    with pytest.raises(InputError, match=re.escape(told)):
        _plan(flag.format(space), held=_plan("--epochs=4"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--C=1", "--latent_dim=2"], "nothing is left to search"),
        (["--beta=1", "--latent_dim=2"], "nothing is left to search"),
        (["--space={}", "--latent_dim=2"],
         "`latent_dim` is both given and searched"),
    ],
)  # fmt: skip
def test_a_space_that_contradicts_the_flags_is_refused(
    tmp_path: pathlib.Path, arguments: list[str], told: str
) -> None:
    space = tmp_path / "space.json"
    space.write_text('{"latent_dim": {"int": [2, 3]}}')
    with pytest.raises(InputError, match=told):
        _plan(*(argument.format(space) for argument in arguments))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"config": {"latent_dmi": 3}}, "unknown key in file"),
        ({"space": {"C": {}}}, "C must be"),
        ({"factor": ...}, "file is not of a search: it lacks factor"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(
    changes: dict[str, Any], told: str
) -> None:
    content = {**json.loads(json.dumps(_plan().to_json())), **changes}
    content = {n: value for n, value in content.items() if value is not ...}
    with pytest.raises(InputError, match=told):
        Plan.from_json(content, source="file")


def test_a_torn_plan_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "settings.json").write_text('{"config"')
    with pytest.raises(InputError, match="is not JSON"):
        SearchDir(str(tmp_path)).read_plan()
