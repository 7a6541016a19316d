"""python -m tuning.search, from the command line to the best run."""

import csv
import json
import pathlib
import shutil

import pytest

from tests.runs import rows_of
from tfvae import flags, program, train
from tfvae.errors import InputError, TrainingError
from tuning import search
from tuning.hypermodel import VAEHyperModel
from tuning.request import Search

TINY = (
    "--hidden_units=6", "--batch_size=600", "--epochs=3", "--nll_samples=3",
    "--seed=2",
)  # fmt: skip


def _search(directory: pathlib.Path, *arguments: str) -> int:
    return search.main(["search.py", f"--directory={directory}", *arguments])


def _table(directory: pathlib.Path) -> list[dict[str, str]]:
    with open(directory / "trials.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A search that has ended."""
    directory = tmp_path_factory.mktemp("search") / "D"
    arguments = (*TINY, "--latent_dim=2", "--max_trials=2")
    assert _search(directory, "--algorithm=random", *arguments) == program.DONE
    return directory


def test_everything_is_where_it_is_said_to_be(done: pathlib.Path) -> None:
    rows = _table(done)
    assert [row["status"] for row in rows] == ["COMPLETED", "COMPLETED"]
    columns = {"trial", "status", "C", "objective", "epochs", "seed", "seconds"}
    assert columns <= set(rows[0])
    best = min(rows, key=lambda row: float(row["objective"]))
    config = json.loads((done / "best" / "config.json").read_text())
    assert config["C"] == float(best["C"])
    assert (config["latent_dim"], config["epochs"]) == (2, 3)
    result = json.loads((done / "best" / "run" / "result.json").read_text())
    assert (result["epochs"], result["seed"]) == (3, 2)
    assert "</html>" in (done / "report.html").read_text()
    assert len(list((done / "tensorboard").glob("*/events*"))) == 2


@pytest.mark.slow
def test_train_repeats_the_best_trial_exactly(
    done: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    config = done / "best" / "config.json"
    again = tmp_path / "again"
    line = ["train.py", f"--config={config}", f"--run_dir={again}"]
    assert train.main(line) == program.DONE
    rows = _table(done)
    best = min(rows, key=lambda row: float(row["objective"]))
    trial = done / "search" / f"trial_{best['trial']}" / "run"
    assert rows_of(again) == rows_of(trial) == rows_of(done / "best" / "run")
    row = rows_of(again)[int(best["best_epoch"]) - 1]
    assert row["val_elbo"] == float(best["elbo"])
    assert row["val_mse"] == float(best["mse"])


@pytest.mark.slow
def test_a_search_that_is_done_goes_on_with_more_trials(
    done: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    directory = tmp_path / "D"
    shutil.copytree(done, directory)
    assert _search(directory, "--max_trials=3") == program.DONE
    told = capsys.readouterr().out
    assert told.count("\ntrial ") == 1  # neither of the two before
    assert "(3/3)" in told
    rows = _table(directory)
    assert rows[:2] == _table(done)
    assert len({row["C"] for row in rows}) == 3


def test_failed_trials_are_in_the_table(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*args: object, **kwargs: object) -> None:
        raise TrainingError("kl is not finite at step 3")

    monkeypatch.setattr(VAEHyperModel, "run", diverge)
    with pytest.raises(TrainingError, match="no trial was completed"):
        _search(tmp_path / "D", *TINY, "--max_trials=2")
    rows = _table(tmp_path / "D")
    assert [row["status"] for row in rows] == ["FAILED", "FAILED"]
    assert rows[0]["message"] == "kl is not finite at step 3"


def test_ctrl_c_says_how_to_go_on(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(VAEHyperModel, "run", interrupt)
    status = _search(tmp_path / "D", *TINY, "--max_trials=7", "--overwrite")
    assert status == program.INTERRUPTED
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert last[:3] == ["python", "-m", "tuning.search"]
    asked = flags.parse(Search, last[2:], summary="").launch
    assert asked.directory == str(tmp_path / "D")
    assert asked.max_trials == 7
    assert not asked.overwrite


def test_ctrl_c_in_the_last_training_says_how_to_go_on(
    done: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(done, tmp_path / "D")
    (tmp_path / "D" / "report.html").unlink()
    monkeypatch.setattr(train, "run", lambda *_, **__: program.INTERRUPTED)
    assert _search(tmp_path / "D") == program.INTERRUPTED
    assert "python -m tuning.search" in capsys.readouterr().out
    assert not (tmp_path / "D" / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--objective=loss"], "`objective`=loss cannot compare"),
        (["--algorithm=best"], "`algorithm` must be random"),
        (["--space=nowhere.json"], "No such file"),
        (["--max_trials=0"], "`max_trials` must be"),
        (["--dataset=ring", "--architecture=conv"], "needs images"),
        (["--dataset=npz:nowhere.npz"], "nowhere.npz"),
        (["--latent_dmi=3"], "did you mean `latent_dim`"),
        (["--role=worker", "--chief=nowhere"], "HOST:PORT"),
    ],
)
def test_wrong_input_is_refused_before_the_first_trial(
    tmp_path: pathlib.Path, arguments: list[str], told: str
) -> None:
    directory = tmp_path / "D"
    with pytest.raises(InputError, match=told):
        _search(directory, *TINY, *arguments)
    assert not directory.exists()


def test_a_folder_must_be_named() -> None:
    with pytest.raises(InputError, match="`directory` must name the folder"):
        search.main(["search.py"])


def test_help_names_both_kinds_of_flags() -> None:
    with pytest.raises(flags.HelpRequested) as requested:
        search.main(["search.py", "--help"])
    text = str(requested.value)
    assert "--nll_samples" in text
    assert "--learning_rate" in text
    assert text.count("--objective\n") == 1
