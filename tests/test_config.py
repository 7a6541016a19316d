"""Config: one frozen dataclass, its bounds, its JSON."""

import dataclasses
import json
import math
import pathlib
from typing import Any

import pytest

from tfvae import config_file, settings
from tfvae.config import FIELDS, Config
from tfvae.data import masks
from tfvae.errors import InputError

# As the contract gives them; what it leaves open, as README says.
DEFAULTS = {
    "dataset": "digits",
    "data_dir": "",
    "image_size": 0,
    "grayscale": False,
    "binarize": "none",
    "model": "vae",
    "architecture": "auto",
    "latent_dim": 16,
    "likelihood": "auto",
    "C": "auto",
    "posterior": "diag",
    "prior": "standard_normal",
    "objective": "elbo",
    "free_bits": "off",
    "capacity": "off",
    "beta": "none",
    "kl_schedule": "off",
    "epochs": 30,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "seed": 0,
    "precision": "float32",
    "jit_compile": "auto",
    "steps_per_execution": "auto",
}
WORDS = {
    "binarize": {"none", "static", "dynamic"},
    "architecture": {"auto", "mlp", "conv"},
    "hidden_units": {"auto"},
    "activation": {"relu", "elu", "gelu", "silu", "softplus", "tanh"},
    "likelihood": {
        "auto", "gaussian", "bernoulli", "continuous_bernoulli", "beta",
        "laplace", "student_t", "discretized_logistic",
        "discretized_logistic_mixture", "categorical", "quantized_gaussian",
    },
    "C": {"auto", "learned", "optimal", "per_pixel"},
    "model": {"vae", "ae"},
    "condition": {"none", "label", "mask"},
    "mask": set(masks.MASKS),
    "free_bits": {"off"},
    "capacity": {"off"},
    "posterior": {"diag", "tril", "iaf"},
    "prior": {"standard_normal", "mixture", "vamp", "realnvp"},
    "objective": {
        "elbo", "iwae", "miwae", "piwae", "ciwae", "beta_tc", "factor", "dip",
        "dip_ii", "mmd",
    },
    "objective_weight": {"auto"},
    "num_samples": {"auto"},
    "beta": {"none"},
    "kl_schedule": {"off"},
    "optimizer": {"adam", "rmsprop", "sgd"},
    "learning_rate_schedule": {"constant", "cosine"},
    "precision": {"float32", "bfloat16", "float16"},
    "jit_compile": {"auto", "on", "off"},
    "steps_per_execution": {"auto"},
}  # fmt: skip
SMALLEST = {
    "image_size": 0,
    "max_resident_mb": 0,
    "latent_dim": 1,
    "epochs": 1,
    "batch_size": 1,
    "early_stopping": 0,
    "seed": 0,
    "steps_per_execution": 1,
    "num_components": 1,
    "num_samples": 1,
    "num_groups": 1,
}
POSITIVE = ["C", "beta", "learning_rate", "free_bits"]
LISTS = ["hidden_units", "filters"]
OTHER = {
    "condition": "mask",
    "mask": "left",
    "dataset": "ring",
    "data_dir": "there",
    "image_size": 7,
    "grayscale": True,
    "binarize": "static",
    "max_resident_mb": 5,
    "architecture": "conv",
    "hidden_units": (6, 7),
    "filters": (3,),
    "activation": "tanh",
    "latent_dim": 5,
    "likelihood": "bernoulli",
    "C": 0.3,
    "dequantize": True,
    "model": "ae",
    "kl_schedule": "cyclical:4",
    "free_bits": 0.5,
    "capacity": "3.5:4",
    "posterior": "tril",
    "prior": "vamp",
    "num_components": 7,
    "objective": "mmd",
    "objective_weight": 2.5,
    "info_alpha": 0.5,
    "num_samples": 3,
    "num_groups": 2,
    "epochs": 9,
    "batch_size": 33,
    "optimizer": "sgd",
    "learning_rate": 1 / 3,
    "learning_rate_schedule": "constant",
    "early_stopping": 2,
    "seed": 8,
    "precision": "bfloat16",
    "jit_compile": "off",
    "steps_per_execution": 6,
}


def test_config_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().latent_dim = 3  # type: ignore[misc]


@pytest.mark.parametrize("name", DEFAULTS)
def test_default_is_the_contracts(name: str) -> None:
    assert getattr(Config(), name) == DEFAULTS[name]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_a_help_line_that_ends_without_a_dot(name: str) -> None:
    help_line = settings.rule_of(FIELDS[name]).help
    assert help_line
    assert not help_line.endswith(".")


@pytest.mark.parametrize(
    ("name", "word"),
    [(name, word) for name in WORDS for word in sorted(WORDS[name])],
)
def test_every_word_is_accepted(name: str, word: str) -> None:
    assert getattr(Config(**{name: word}), name) == word


@pytest.mark.parametrize("name", FIELDS)
def test_no_other_word_is_offered(name: str) -> None:
    assert set(settings.rule_of(FIELDS[name]).words) == WORDS.get(name, set())


@pytest.mark.parametrize("name", WORDS)
def test_word_outside_the_list_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"`{name}` must be .*; got 'other'."):
        Config(**{name: "other"})


@pytest.mark.parametrize("name", SMALLEST)
def test_smallest_whole_number_is_accepted_and_one_less_refused(
    name: str,
) -> None:
    smallest = SMALLEST[name]
    assert getattr(Config(**{name: smallest}), name) == smallest
    bound = f"a whole number of at least {smallest}.*; got {smallest - 1}."
    with pytest.raises(InputError, match=f"`{name}` must be .*{bound}"):
        Config(**{name: smallest - 1})


def test_seed_is_one_that_numpy_takes() -> None:
    assert Config(seed=2**32 - 1).seed == 4294967295
    with pytest.raises(
        InputError, match=r"at least 0 and at most 4294967295; got 4294967296."
    ):
        Config(seed=2**32)


@pytest.mark.parametrize("name", SMALLEST)
def test_whole_number_takes_no_fraction(name: str) -> None:
    with pytest.raises(InputError, match=f"`{name}` must be .*; got 2.5."):
        Config(**{name: 2.5})


@pytest.mark.parametrize("name", POSITIVE)
@pytest.mark.parametrize("value", [0, -1.5, 1e300, math.inf, math.nan])
def test_weight_or_rate_must_be_positive_and_finite(
    name: str, value: float
) -> None:
    accepted = r"a number (above 0|of at least 1e-09) and at most 1e\+0[69]"
    with pytest.raises(
        InputError, match=f"`{name}` must be .*{accepted}; got "
    ):
        Config(**{name: value})


def test_weight_too_small_to_divide_by_is_refused() -> None:
    with pytest.raises(InputError, match=r"`C` must be .*; got 1e-300."):
        Config(C=1e-300)


def test_whole_number_must_fit_a_dimension() -> None:
    with pytest.raises(InputError, match=r"`batch_size` must be .*; got 2147"):
        Config(batch_size=2**31)


@pytest.mark.parametrize("name", POSITIVE)
def test_positive_weight_or_rate_is_accepted(name: str) -> None:
    assert getattr(Config(**{name: 1e-9}), name) == 1e-9


@pytest.mark.parametrize("name", LISTS)
def test_list_of_layers_is_bounded(name: str) -> None:
    assert getattr(Config(**{name: [1, 9]}), name) == (1, 9)
    with pytest.raises(InputError, match=f"`{name}` must be .*a list, each a "):
        Config(**{name: (4, 0)})


@pytest.mark.parametrize("value", ["linear:30", "cyclical:1", "linear:7"])
def test_kl_schedule_with_epochs_is_accepted(value: str) -> None:
    assert Config(kl_schedule=value).kl_schedule == value


@pytest.mark.parametrize(
    "value", ["linear", "linear:0", "linear:-1", "cosine:3", "linear:2.5", "on"]
)
def test_kl_schedule_of_another_form_is_refused(value: str) -> None:
    with pytest.raises(
        InputError,
        match="`kl_schedule` must be off or linear:EPOCHS or cyclical:EPOCHS; ",
    ):
        Config(kl_schedule=value)


@pytest.mark.parametrize("kind", ["linear", "cyclical"])
def test_kl_schedule_longer_than_the_run_is_refused(kind: str) -> None:
    with pytest.raises(
        InputError, match="7 epochs of warm-up, but `epochs` is 6"
    ):
        Config(kl_schedule=f"{kind}:7", epochs=6)


@pytest.mark.parametrize("C", ["optimal", 2.0])
def test_beta_and_C_together_are_refused(C: str | float) -> None:
    with pytest.raises(InputError, match="`beta` and `C` are one setting"):
        Config(beta=2.0, C=C)


def test_other_values_differ_from_the_defaults_in_every_field() -> None:
    left = {field for field in FIELDS if field not in OTHER}
    assert left == {"beta"}  # excluded by C
    assert all(OTHER[n] != getattr(Config(), n) for n in OTHER)


@pytest.mark.parametrize("values", [{}, OTHER, {"beta": 4, "filters": ()}])
def test_json_round_trip_loses_nothing(
    values: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    config = Config(**values)
    path = tmp_path / "config.json"
    path.write_text(config.to_json())
    assert list(json.loads(path.read_text())) == list(FIELDS)
    read = config_file.read_json(str(path))
    assert Config(**read) == config
    assert {n: type(v) for n, v in read.items()} == {
        n: type(v) for n, v in dataclasses.asdict(config).items()
    }


@pytest.mark.parametrize("name", OTHER)
def test_differences_names_what_makes_another_run(name: str) -> None:
    config, other = (
        Config(),
        dataclasses.replace(Config(), **{name: OTHER[name]}),
    )
    launched = ("data_dir", "jit_compile", "steps_per_execution")
    pair = (getattr(config, name), OTHER[name])
    expected = {} if name in launched else {name: pair}
    assert config.differences(other) == expected
    assert config.differences(config) == {}
