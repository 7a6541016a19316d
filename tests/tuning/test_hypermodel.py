"""A trial is a run: trained, measured, gone on with."""

import json
import pathlib
import re
from typing import Any

import keras_tuner
import pytest

from tests import small_runs
from tests.runs import assert_same_run, rows_of
from tfvae import build, resolve, training
from tfvae.config import Config
from tfvae.errors import InputError, TrainingError
from tfvae.metrics.likelihood import importance_weighted
from tfvae.recorder import Recorder
from tfvae.run_dir import RunDir, load_run
from tuning import objective
from tuning.hypermodel import VAEHyperModel
from tuning.objective import Protocol
from tuning.space import make_space

SETTINGS = {
    **small_runs.TINY, "latent_dim": 2, "batch_size": 600, "epochs": 4,
    "seed": 3,
}  # fmt: skip
BASE = Config(**SETTINGS, kl_schedule="linear:1")


@pytest.fixture(scope="module")
def hypermodel() -> VAEHyperModel:
    """Trials share its model, as they differ in C alone."""
    return VAEHyperModel(
        BASE,
        make_space({"C": {"float": [1, 100]}}),
        protocol=Protocol(num_samples=3, num_examples=50, seed=3),
    )


def _drawn(**values: Any) -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    hp.values = values
    return hp


def _alone(config: Config, path: pathlib.Path) -> RunDir:
    """Trains a config without a tuner."""
    splits = VAEHyperModel(config, make_space({"C": {"choice": [1]}})).splits
    num_examples = splits.train.num_examples
    model = build.build_model(
        config, splits.spec, num_examples=num_examples,
        mean=splits.train.mean(),
    )  # fmt: skip
    run_dir = RunDir(str(path))
    recorder = Recorder(
        model,
        run_dir,
        num_examples=num_examples,
        steps_per_epoch=resolve.steps_per_epoch(config, num_examples),
    )
    training.fit(config, model, splits, recorder)
    return run_dir


def test_a_trial_is_the_run_that_train_would_make(
    hypermodel: VAEHyperModel, tmp_path: pathlib.Path
) -> None:
    before = hypermodel.run(_drawn(C=3.0), folder=str(tmp_path / "before"))
    figures = hypermodel.run(_drawn(C=40.0), folder=str(tmp_path / "trial"))
    run_dir = RunDir(str(tmp_path / "trial" / "run"))
    config = Config(**run_dir.read_settings())
    assert config == hypermodel.config(_drawn(C=40.0))
    assert config.C == 40
    alone = _alone(config, tmp_path / "alone")
    rows = run_dir.read_rows()
    assert rows_of(pathlib.Path(run_dir.path)) == rows_of(tmp_path / "alone")
    assert len(alone.read_rows()) == 4
    # Epoch 1 is of the warm-up.
    best = max(rows[1:], key=lambda row: row["val_elbo"])
    assert figures["best_epoch"] == best["epoch"]
    assert figures["elbo"] == best["val_elbo"]
    assert figures["C_at_end"] == pytest.approx(40)
    assert figures["nll"] != before["nll"]
    assert (figures["epochs"], figures["seed"]) == (4, 3)
    assert 0 < figures["train_seconds"] < figures["seconds"]
    assert not (tmp_path / "trial" / "run" / "checkpoints").exists()


def test_figures_are_of_the_best_weights(
    hypermodel: VAEHyperModel,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "is_warmed_up", lambda _, epoch: epoch == 2)
    figures = hypermodel.run(_drawn(C=20.0), folder=str(tmp_path))
    assert figures["best_epoch"] == 2
    run = load_run(str(tmp_path / "run"))
    estimate = importance_weighted(
        run.model, hypermodel.validation.x, num_samples=3, seed=3
    )
    assert len(estimate.log_prob) == 50
    assert figures["nll"] == pytest.approx(-estimate.log_prob.mean(), rel=1e-5)


@pytest.mark.slow
def test_a_trial_goes_on_with_the_one_it_grew_from(
    hypermodel: VAEHyperModel, tmp_path: pathlib.Path
) -> None:
    hp = _drawn(C=5.0)
    first = hypermodel.run(
        hp, folder=str(tmp_path / "a"), last_epoch=2, keep_checkpoint=True
    )
    assert first["epochs"] == 2
    hypermodel.run(_drawn(C=9.0), folder=str(tmp_path / "other"))
    second = hypermodel.run(
        hp, folder=str(tmp_path / "b"), after=str(tmp_path / "a")
    )
    assert second["epochs"] == 4
    once = hypermodel.run(hp, folder=str(tmp_path / "once"))
    names = ("nll", "elbo", "rate", "mse", "C_star", "best_epoch")
    assert [second[n] for n in names] == [once[n] for n in names]
    assert_same_run(tmp_path / "b" / "run", tmp_path / "once" / "run")
    assert len(RunDir(str(tmp_path / "a" / "run")).read_rows()) == 2


def test_a_measured_trial_is_not_trained_again(
    hypermodel: VAEHyperModel,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hp = _drawn(C=7.0)
    figures = hypermodel.run(hp, folder=str(tmp_path))
    monkeypatch.setattr(training, "fit", None)
    assert hypermodel.run(hp, folder=str(tmp_path)) == figures


@pytest.mark.slow
def test_what_another_trial_left_is_removed(
    hypermodel: VAEHyperModel, tmp_path: pathlib.Path
) -> None:
    other = hypermodel.run(_drawn(C=7.0), folder=str(tmp_path))
    figures = hypermodel.run(_drawn(C=70.0), folder=str(tmp_path))
    assert figures["C_at_end"] == pytest.approx(70)
    assert figures["nll"] != other["nll"]
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written == figures


def test_a_figure_that_is_not_finite_fails_the_trial(
    hypermodel: VAEHyperModel,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        objective, "measure", lambda *_: {"nll": float("inf"), "C_star": None}
    )
    with pytest.raises(TrainingError, match="nll of the trained model is not"):
        hypermodel.run(_drawn(C=7.0), folder=str(tmp_path))
    assert not (tmp_path / "figures.json").exists()


def test_a_value_that_fits_nowhere_is_refused() -> None:
    words = {"likelihood": {"choice": ["gaussian", "bernoulli"]}}
    C = {"C": {"choice": [2.0, "learned"]}}
    VAEHyperModel(Config(), make_space({**words, **C})).check()
    alone = VAEHyperModel(Config(likelihood="bernoulli"), make_space(C))
    told = re.escape("`space`: C=learned: `C`=learned is not for")
    with pytest.raises(InputError, match=told):
        alone.check()


def test_build_gives_the_untrained_model(hypermodel: VAEHyperModel) -> None:
    model = hypermodel.build(_drawn(C=12.0))
    assert model.likelihood.current_C() == pytest.approx(12)
    assert int(model.train_step_count) == 0
