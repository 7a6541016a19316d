"""From space.json to keras-tuner's hyperparameters, and back to a Config."""

import json
import pathlib
import re
from typing import Any

import numpy as np
import pytest

from tfvae.config import Config
from tfvae.errors import InputError
from tuning import space as space_lib
from tuning.space import Dimension, make_space, read_space

MIXED = {
    "latent_dim": {"int": [3, 40], "log": True},
    "C": {"float": [0.05, 5000], "log": True},
    "learning_rate": {"float": [0.001, 0.009]},
    "hidden_units": {"choice": ["auto", [32], [64, 64], []]},
    "architecture": {"choice": ["mlp", "conv"]},
    "num_components": {"choice": [5, 50]},
    "batch_size": {"int": [10, 50], "num": 3},
}


def test_drawn_values_become_a_config() -> None:
    space = make_space(MIXED)
    hp = space.hyperparameters()
    assert [p.name for p in hp.space] == list(MIXED)
    base = Config(seed=7)
    for n in range(40):
        values = {p.name: p.random_sample(seed=n) for p in hp.space}
        config = space.config(base, values | {"tuner/epochs": 3})
        assert config.seed == 7
        assert config.epochs == base.epochs
        assert 3 <= config.latent_dim <= 40
        assert 0.05 <= float(config.C) <= 5000
        assert 0.001 <= config.learning_rate <= 0.009
        assert config.hidden_units in ("auto", (32,), (64, 64), ())
        assert config.architecture in ("mlp", "conv")
        assert config.num_components in (5, 50)
        assert config.batch_size in (10, 30, 50)
        assert space.drawn(values)["C"] == config.C


@pytest.mark.parametrize("name", ["latent_dim", "C"])
def test_log_scale_draws_each_factor_as_often(name: str) -> None:
    dimension = {p.name: p for p in make_space(MIXED).hyperparameters().space}
    draws = [dimension[name].random_sample(seed=n) for n in range(600)]
    low, high = {"latent_dim": (3, 40), "C": (0.05, 5000)}[name]
    # Half of the draws of a log-uniform number lie below the geometric mean.
    below = np.mean(np.array(draws) < np.sqrt(low * high))
    assert abs(below - 0.5) < 4 * 0.5 / np.sqrt(600)


def test_drawn_numbers_have_six_digits() -> None:
    space = make_space({"C": {"float": [0.05, 5000]}})
    assert space.drawn({"C": 1234.56789}) == {"C": 1234.57}
    assert space.drawn({"C": 0.0512345678}) == {"C": 0.0512346}


@pytest.mark.parametrize(
    ("dimension", "grid"),
    [
        (Dimension("latent_dim", "int", (2, 64), log=True),
         [2, 4, 8, 16, 32, 64]),
        (Dimension("C", "float", (0.05, 5000), log=True),
         [0.05, 0.5, 5, 50, 500, 5000]),
        (Dimension("C", "float", (1.0, 9.0), num=3), [1, 5, 9]),
        (Dimension("latent_dim", "int", (1, 3)), [1, 2, 3]),
        (Dimension("seed", "int", (1, 100), log=True, num=2), [1, 100]),
        (Dimension("prior", "choice", ("mixture", "vamp")),
         ["mixture", "vamp"]),
    ],
)  # fmt: skip
def test_grid_is_even_on_its_scale(
    dimension: Dimension, grid: list[Any]
) -> None:
    assert dimension.grid() == pytest.approx(grid)


def test_space_is_read_from_a_file_and_written_back(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "space.json"
    path.write_text(json.dumps(MIXED))
    space = read_space(str(path))
    again = json.loads(json.dumps(space.to_json()))
    assert again == {**MIXED, "C": {"float": [0.05, 5000.0], "log": True}}
    assert make_space(again) == space


def test_default_space_is_latent_dim_and_C() -> None:
    space = make_space(space_lib.DEFAULT)
    texts = [f"{d.name}: {d.text()}" for d in space.dimensions]
    assert texts == [
        "latent_dim: whole numbers from 2 to 64, on a log scale",
        "C: numbers from 0.05 to 5000, on a log scale",
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"latent_dmi": {"int": [2, 4]}},
         "unknown setting in `space`: `latent_dmi`; did you mean `latent_dim`"),
        ({"latent_dim": {"int": [0, 4]}}, "`latent_dim` must be a whole"),
        ({"latent_dim": {"int": [2, 2**31]}}, "`latent_dim` must be a whole"),
        ({"C": {"float": [0.0, 1]}}, "`C` must be auto"),
        ({"C": {"int": [1, 4]}}, "C is no single int"),
        ({"latent_dim": {"float": [1, 4]}}, "latent_dim is no single float"),
        ({"filters": {"int": [1, 4]}}, "filters is no single int"),
        ({"prior": {"float": [1, 4]}}, "prior is no single float"),
        ({"prior": {"choice": ["vamp", "wamp"]}}, "`prior` must be"),
        ({"prior": {"choice": ["vamp", "vamp"]}}, "names a choice twice"),
        ({"prior": {"choice": []}}, 'prior must be {"int": [LOW, HIGH]}'),
        ({"prior": {"choice": ["vamp"], "log": True}}, "prior must be"),
        ({"C": {"float": [1, 2], "lgo": True}}, "C must be"),
        ({"C": {"float": [1, 2], "int": [1, 2]}}, "C must be"),
        ({"C": [1, 2]}, "C must be"),
        ({"C": {"float": [2, 1]}}, "must go from a number to a larger one"),
        ({"C": {"float": [2, 2]}}, "must go from a number to a larger one"),
        ({"C": {"float": [1, 2, 3]}}, "must go from a number to a larger"),
        ({"C": {"float": [1, "optimal"]}}, "must go from a number to a larger"),
        ({"C": {"float": [1, 2], "log": "yes"}}, "log must be true or false"),
        ({"info_alpha": {"float": [0, 1], "log": True}}, "log must be true"),
        ({"C": {"float": [1, 2], "num": 1}}, "num must be a whole number"),
        ({"C": {"float": [1, 2], "num": 2.5}}, "num must be a whole number"),
        ({"dataset": {"choice": ["digits"]}}, "dataset decides the data"),
        ({"epochs": {"int": [1, 5]}}, "epochs decides how long each trial"),
        ({"seed": {"int": [1, 5]}}, "seed decides how lucky a trial is"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(
    content: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        make_space(content)


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "is not JSON"), ("[]", "must hold one JSON object"),
     ("{}", "is empty"), (None, "No such file")],
)  # fmt: skip
def test_a_file_that_is_no_space_is_refused(
    tmp_path: pathlib.Path, text: str | None, told: str
) -> None:
    path = tmp_path / "space.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=told):
        read_space(str(path))
