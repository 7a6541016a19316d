"""keras-tuner's algorithms over our models; here trials cost nothing."""

import json
import math
import pathlib
from typing import Any

import keras_tuner
import pytest
import tf_keras

from tests import small_runs
from tfvae.config import Config
from tfvae.errors import InputError, TrainingError
from tuning import tuners
from tuning.hypermodel import VAEHyperModel
from tuning.space import make_space

SETTINGS: dict[str, dict[str, Any]] = {
    "random": {"max_trials": 5},
    "bayesian": {"max_trials": 8},
    "hyperband": {"max_epochs": 4, "factor": 2},
    "grid": {"max_trials": None},
}
# hyperband: rungs of 4, 2, 1 trials; of 3, 2; of 3.
NUM_TRIALS = {"random": 5, "bayesian": 8, "hyperband": 15, "grid": 6}
NUM_C = {"random": 3, "bayesian": 0, "hyperband": 0, "grid": 3}


def formula(values: dict[str, Any]) -> float:
    """Returns an nll that is lowest at latent_dim 5 and C 40."""
    return math.log(values["latent_dim"] / 5) ** 2 + abs(
        math.log(values["C"] / 40)
    )


class Formula(VAEHyperModel):
    """A trial's nll is a formula; remembers what it was asked for."""

    def __init__(self, num_C: int = 3) -> None:
        super().__init__(
            Config(epochs=4, **{**small_runs.TINY, "latent_dim": 2}),
            make_space(
                {
                    "latent_dim": {"int": [2, 9], "num": 2},
                    "C": {"float": [0.5, 500], "log": True, "num": num_C},
                }
            ),
        )
        self.asked: list[dict[str, Any]] = []
        self.errors: dict[int, Exception] = {}

    def run(self, hp: Any, **asked: Any) -> dict[str, Any]:
        """Returns the formula's figures, or raises what is due."""
        self.asked.append({**asked, "values": dict(hp.values)})
        error = self.errors.get(len(self.asked))
        if error is not None:
            raise error
        nll = formula(hp.values) + 1 / hp.values.get("tuner/epochs", 1)
        figures = {"nll": nll, "mse": 1.0, "elbo": -nll, "seconds": 0.1}
        path = pathlib.Path(asked["folder"]) / "figures.json"
        path.write_text(json.dumps(figures))
        return figures


def _tuner(
    hypermodel: VAEHyperModel,
    directory: pathlib.Path,
    algorithm: str = "random",
    **more: Any,
) -> tuners.TfKerasTuner:
    settings = {**SETTINGS[algorithm], **more}
    return tuners.ALGORITHMS[algorithm](
        hypermodel, directory=str(directory), **settings
    )


@pytest.mark.parametrize("algorithm", SETTINGS)
def test_search_ends_with_the_best_of_its_trials(
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    algorithm: str,
) -> None:
    hypermodel = Formula(NUM_C[algorithm])
    tuner = _tuner(hypermodel, tmp_path, algorithm)
    tuner.search_space_summary()
    assert "latent_dim (Choice)" in capsys.readouterr().out
    tuner.search()
    tuner.results_summary(2)
    told = capsys.readouterr().out
    results = tuner.results()
    assert len(hypermodel.asked) == len(results) == NUM_TRIALS[algorithm]
    assert tuner.num_trials() == NUM_TRIALS[algorithm]
    assert [r.trial for r in results] == tuner.oracle.start_order
    best = min(results, key=lambda result: result.objective)
    hp = tuner.get_best_hyperparameters()[0]
    assert tuner.hypermodel.space.drawn(hp.values) == best.values
    assert f"Score: {best.objective}" in told


def test_grid_tries_every_combination_once(tmp_path: pathlib.Path) -> None:
    tuner = _tuner(Formula(), tmp_path, "grid")
    tuner.search()
    tried = [tuple(result.values.values()) for result in tuner.results()]
    C = [0.5, pytest.approx(math.sqrt(0.5 * 500), rel=1e-5), 500]
    assert sorted(tried) == [(dim, c) for dim in (2, 9) for c in C]


def test_grid_of_a_range_has_six_values(tmp_path: pathlib.Path) -> None:
    tuner = _tuner(Formula(num_C=0), tmp_path, "grid")
    tuner.search()
    assert tuner.num_trials() == len(tuner.results()) == 12
    tried = sorted({result.values["C"] for result in tuner.results()})
    expected = [0.5 * 1000 ** (n / 5) for n in range(6)]
    assert tried == pytest.approx(expected, rel=1e-5)


def test_hyperband_goes_on_with_the_trial_it_grew_from(
    tmp_path: pathlib.Path,
) -> None:
    hypermodel = Formula()
    tuner = _tuner(hypermodel, tmp_path, "hyperband")
    tuner.search()
    grown = [asked for asked in hypermodel.asked if asked["after"]]
    assert grown
    assert all(asked["keep_checkpoint"] for asked in hypermodel.asked)
    for asked in grown:
        parent = asked["values"]["tuner/trial_id"]
        assert asked["after"].endswith(f"trial_{parent}")
        (of_parent,) = [
            other
            for other in hypermodel.asked
            if other["folder"] == asked["after"]
        ]
        assert of_parent["last_epoch"] < asked["last_epoch"] <= 4
        for name in ("latent_dim", "C"):
            assert of_parent["values"][name] == asked["values"][name]


@pytest.mark.parametrize("kind", [TrainingError, InputError])
def test_a_trial_that_diverges_fails_alone(
    tmp_path: pathlib.Path, kind: type[Exception]
) -> None:
    hypermodel = Formula()
    hypermodel.errors = {2: kind("kl is not finite\nat step 3")}
    tuner = _tuner(hypermodel, tmp_path)
    tuner.search()
    statuses = [result.status for result in tuner.results()]
    assert statuses.count("FAILED") == 1
    assert statuses.count("COMPLETED") == 4
    (failed,) = [r for r in tuner.results() if r.status == "FAILED"]
    assert failed.message == "kl is not finite at step 3"
    assert (failed.objective, failed.figures) == (None, {})


def test_a_programming_error_ends_the_search(tmp_path: pathlib.Path) -> None:
    hypermodel = Formula()
    hypermodel.errors = {3: KeyError("latent_dmi")}
    with pytest.raises(KeyError, match="latent_dmi"):
        _tuner(hypermodel, tmp_path).search()
    assert len(hypermodel.asked) == 3


def test_a_search_goes_on_without_repeating_trials(
    tmp_path: pathlib.Path,
) -> None:
    first, second = Formula(), Formula()
    first.errors = {3: KeyError("killed")}
    with pytest.raises(KeyError):
        _tuner(first, tmp_path).search()
    tuner = _tuner(second, tmp_path)
    tuner.search()
    folders = [asked["folder"] for asked in first.asked[:2] + second.asked]
    assert len(folders) == len(set(folders)) == 5
    assert second.asked[0]["values"] == first.asked[2]["values"]
    again = _tuner(Formula(), tmp_path, max_trials=6)  # more are asked for
    again.search()
    assert len(again.hypermodel.asked) == 1
    assert len(again.results()) == 6


def test_overwrite_begins_anew(tmp_path: pathlib.Path) -> None:
    _tuner(Formula(), tmp_path).search()
    hypermodel = Formula()
    _tuner(hypermodel, tmp_path, overwrite=True).search()
    assert len(hypermodel.asked) == 5


@pytest.mark.parametrize(("objective", "sign"), [("mse", 1), ("elbo", -1)])
def test_objective_has_its_direction(
    tmp_path: pathlib.Path, objective: str, sign: int
) -> None:
    tuner = _tuner(Formula(), tmp_path, objective=objective)
    tuner.search()
    scores = [result.objective for result in tuner.results()]
    (best,) = tuner.oracle.get_best_trials()
    assert sign * best.score == min(sign * score for score in scores)


def test_callbacks_are_copied_for_each_trial(tmp_path: pathlib.Path) -> None:
    hypermodel, mine = Formula(), {"a": "callback"}
    _tuner(hypermodel, tmp_path).search(callbacks=[mine])
    copies = [asked["callbacks"][0] for asked in hypermodel.asked]
    assert copies == [mine] * 5
    assert len({id(copy) for copy in [*copies, mine]}) == 6


def test_tensorboard_writes_a_folder_a_trial(tmp_path: pathlib.Path) -> None:
    hypermodel = Formula()
    board = tf_keras.callbacks.TensorBoard(tmp_path / "board")
    _tuner(hypermodel, tmp_path).search(callbacks=[board])
    folders = [asked["callbacks"][0].log_dir for asked in hypermodel.asked]
    assert folders == [
        str(tmp_path / "board" / str(n) / "execution0") for n in range(5)
    ]


def test_loss_over_C_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match="`objective`=loss cannot compare"):
        _tuner(Formula(), tmp_path, objective="loss")


def test_it_is_a_tuner_of_keras_tuner(tmp_path: pathlib.Path) -> None:
    tuner = _tuner(Formula(), tmp_path)
    assert isinstance(tuner, keras_tuner.Tuner)
    assert tuner.project_dir == str(tmp_path / "search")
