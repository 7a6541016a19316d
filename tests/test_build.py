"""Config + DataSpec -> model: what "auto" becomes, and what is refused."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.conftest import replicas
from tfvae import build, optimizers, resolve
from tfvae import settings as settings_lib
from tfvae.baselines import AutoEncoder
from tfvae.config import FIELDS, Config
from tfvae.data.spec import DataSpec
from tfvae.distributions.likelihoods import LIKELIHOODS
from tfvae.distributions.posteriors import POSTERIORS
from tfvae.distributions.priors import PRIORS
from tfvae.errors import InputError
from tfvae.objectives.table import OBJECTIVES
from tfvae.vae import VAE

SMALL_IMAGE = DataSpec((8, 8, 1), 10, "unit")
LARGE_IMAGE = DataSpec((16, 17, 3), None, "unit")
BINARY_IMAGE = DataSpec((28, 28, 1), 10, "binary")
VECTOR = DataSpec((6,), None, "real")
TINY = Config(hidden_units=(5, 4), latent_dim=2, filters=(2, 3))


def _resolve(
    config: Config,
    spec: DataSpec = SMALL_IMAGE,
    *,
    num_examples: int = 1000,
    num_replicas: int = 1,
) -> Config:
    return resolve.resolve(
        config, spec, num_examples=num_examples, num_replicas=num_replicas
    )


def _model(spec: DataSpec = SMALL_IMAGE, **settings: Any) -> VAE:
    config = _resolve(dataclasses.replace(TINY, **settings), spec)
    return build.build_model(config, spec, num_examples=7 * 128)


@pytest.mark.parametrize(
    "spec", [SMALL_IMAGE, LARGE_IMAGE, BINARY_IMAGE, VECTOR]
)
def test_no_auto_is_left(spec: DataSpec) -> None:
    resolved = dataclasses.asdict(_resolve(Config(), spec))
    assert "auto" not in resolved.values()
    assert _resolve(Config(**resolved), spec) == Config(**resolved)


@pytest.mark.parametrize(
    ("event_shape", "architecture"),
    [
        ((16, 16, 1), "conv"), ((15, 16, 1), "mlp"), ((16, 15, 1), "mlp"),
        ((17, 40, 3), "conv"), ((8, 8, 1), "mlp"), ((400,), "mlp"),
    ],
)  # fmt: skip
def test_auto_architecture_is_conv_from_16_pixels(
    event_shape: tuple[int, ...], architecture: str
) -> None:
    spec = DataSpec(event_shape, None, "unit")
    assert _resolve(Config(), spec).architecture == architecture


@pytest.mark.parametrize("architecture", ["mlp", "conv"])
def test_named_architecture_stays(architecture: str) -> None:
    for spec in (SMALL_IMAGE, LARGE_IMAGE):
        config = Config(architecture=architecture)
        assert _resolve(config, spec).architecture == architecture


@pytest.mark.parametrize(
    ("support", "settings", "likelihood", "C"),
    [
        ("unit", {}, "gaussian", "optimal"),
        ("real", {}, "gaussian", "optimal"),
        ("binary", {}, "bernoulli", 1.0),
        ("unit", {"likelihood": "bernoulli"}, "bernoulli", 1.0),
        ("binary", {"likelihood": "gaussian"}, "gaussian", "optimal"),
        ("real", {"C": "learned"}, "gaussian", "learned"),
        ("real", {"C": 0.5}, "gaussian", 0.5),
        ("binary", {"C": 2.5}, "bernoulli", 2.5),
        ("binary", {"beta": 4.0}, "bernoulli", 0.25),
    ],
)
def test_likelihood_and_C_follow_the_data(
    support: str, settings: dict[str, Any], likelihood: str, C: str | float
) -> None:
    config = _resolve(Config(**settings), DataSpec((6,), None, support))
    assert (config.likelihood, config.C) == (likelihood, C)
    assert config.beta == "none"  # C says it now


@pytest.mark.parametrize(
    ("settings", "spec", "num_examples", "num_replicas", "jit_compile"),
    [
        ({"epochs": 400}, SMALL_IMAGE, 1000, 1, "on"),
        ({"epochs": 399}, SMALL_IMAGE, 1000, 1, "off"),  # too short a run
        ({"epochs": 400}, LARGE_IMAGE, 1000, 1, "off"),  # convolutions
        ({"epochs": 400}, SMALL_IMAGE, 1000, 2, "off"),  # XLA: one replica
        ({"epochs": 400, "precision": "bfloat16"}, SMALL_IMAGE, 1000, 1, "off"),
        ({"jit_compile": "on"}, LARGE_IMAGE, 10, 1, "on"),
        ({"jit_compile": "off", "epochs": 400}, SMALL_IMAGE, 1000, 1, "off"),
    ],
)
def test_auto_jit_compile_is_on_where_it_pays(
    settings: dict[str, Any],
    spec: DataSpec,
    num_examples: int,
    num_replicas: int,
    jit_compile: str,
) -> None:
    config = _resolve(
        Config(**settings),
        spec,
        num_examples=num_examples,
        num_replicas=num_replicas,
    )
    assert config.jit_compile == jit_compile


@pytest.mark.parametrize(
    ("setting", "num_examples", "expected"),
    [("auto", 1000, 10), ("auto", 10_000, 50), (7, 1000, 7), (70, 1000, 70)],
)
def test_steps_per_execution(
    setting: str | int, num_examples: int, expected: int
) -> None:
    config = Config(batch_size=100, steps_per_execution=setting)
    resolved = _resolve(config, num_examples=num_examples)
    assert resolved.steps_per_execution == expected


@pytest.mark.parametrize(
    ("num_examples", "steps"), [(1, 1), (128, 1), (129, 2), (256, 2), (1000, 8)]
)
def test_short_last_batch_is_a_step(num_examples: int, steps: int) -> None:
    assert resolve.steps_per_epoch(Config(), num_examples) == steps


@pytest.mark.parametrize(
    ("settings", "spec", "num_replicas", "message"),
    [
        ({"batch_size": 3}, SMALL_IMAGE, 4,
         "`batch_size` is global and must be at least the number of replicas, "
         "4; got 3."),
        ({"jit_compile": "on"}, SMALL_IMAGE, 2,
         "`jit_compile`=on works on one replica only, XLA cannot sum over 2; "
         "use off."),
        ({"architecture": "conv", "dataset": "ring"}, VECTOR, 1,
         "`architecture`=conv needs images; `dataset` ring holds vectors of "
         "6; use mlp."),
        ({"likelihood": "bernoulli", "dataset": "ring"}, VECTOR, 1,
         "`likelihood`=bernoulli needs data in [0, 1]; `dataset` ring is "
         "real-valued; use gaussian."),
        ({"beta": 4.0}, SMALL_IMAGE, 1,
         "`beta` is of no use to `likelihood`=gaussian, whose C is the noise "
         "variance, C = 1 / (2 c); give C."),
        ({"architecture": "conv", "filters": ()}, LARGE_IMAGE, 1,
         "`filters` must hold at least one number for `architecture`=conv; got "
         "none."),
        ({"C": "learned"}, BINARY_IMAGE, 1,
         "`C`=learned is not for `likelihood`=bernoulli; give a number."),
        ({"C": "learned", "likelihood": "laplace"}, SMALL_IMAGE, 1,
         "`C`=learned is not for `likelihood`=laplace; give a number."),
        ({"likelihood": "categorical"}, SMALL_IMAGE, 1,
         "`likelihood`=categorical needs data on whole levels, such as 8-bit "
         "images; `dataset` digits has none; use gaussian."),
        ({"likelihood": "categorical"},
         DataSpec((8, 8, 1), None, "unit", levels=65536), 1,
         "`likelihood`=categorical takes at most 256 levels; `dataset` digits "
         "has 65536; use discretized_logistic."),
        ({"model": "ae", "objective": "iwae"}, SMALL_IMAGE, 1,
         "`objective` is of no use to `model`=ae, which has neither noise nor "
         "prior; leave it out."),
        ({"prior": "realnvp", "latent_dim": 1}, SMALL_IMAGE, 1,
         "`prior`=realnvp needs a `latent_dim` of at least 2; got 1."),
        ({"objective": "beta_tc", "num_samples": 2}, SMALL_IMAGE, 1,
         "`num_samples` must be 1 for `objective`=beta_tc; got 2."),
        ({"objective": "miwae", "num_samples": 6}, SMALL_IMAGE, 1,
         "`num_samples` must be a multiple of `num_groups`, 4; got 6."),
        ({"objective": "beta_tc", "posterior": "tril"}, SMALL_IMAGE, 1,
         "`objective`=beta_tc needs `posterior`=diag; got tril."),
        ({"objective": "dip", "posterior": "iaf"}, SMALL_IMAGE, 1,
         "`objective`=dip needs `posterior`=diag or tril; got iaf."),
        ({"objective": "iwae", "free_bits": 0.5}, SMALL_IMAGE, 1,
         "`free_bits` is not for `objective`=iwae, which has no KL term of its "
         "own; leave it out."),
        ({"objective": "mmd", "steps_per_execution": 5}, SMALL_IMAGE, 2,
         "`steps_per_execution` must be 1 for `objective`=mmd on 2 replicas; "
         "got 5."),
        ({"capacity": "5", "free_bits": 0.5}, SMALL_IMAGE, 1,
         "`free_bits` and `capacity` exclude each other."),
        ({"free_bits": 0.5, "prior": "vamp"}, SMALL_IMAGE, 1,
         "`free_bits` needs the KL of each dimension, which only "
         "`posterior`=diag with `prior`=standard_normal has."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    settings: dict[str, Any], spec: DataSpec, num_replicas: int, message: str
) -> None:
    with pytest.raises(InputError) as refused:
        _resolve(Config(**settings), spec, num_replicas=num_replicas)
    assert str(refused.value) == message


def test_as_many_examples_as_replicas_will_do() -> None:
    assert _resolve(Config(batch_size=4), num_replicas=4).batch_size == 4


@pytest.mark.parametrize(
    ("settings", "spec", "expected"),
    [
        # encoder 64-5-4, two heads 4-2; decoder 2-4-5-64
        ({}, SMALL_IMAGE,
         64 * 5 + 5 + 5 * 4 + 4 + 2 * (4 * 2 + 2)
         + 2 * 4 + 4 + 4 * 5 + 5 + 5 * 64 + 64),
        ({"C": "learned"}, DataSpec((6,), None, "real"),
         6 * 5 + 5 + 5 * 4 + 4 + 2 * (4 * 2 + 2)
         + 2 * 4 + 4 + 4 * 5 + 5 + 5 * 6 + 6 + 1),
        # no hidden layer: linear both ways
        ({"hidden_units": ()}, VECTOR, 2 * (6 * 2 + 2) + 2 * 6 + 6),
        # 16x17x3 - 8x9x2 - 4x5x3 - 5 - 4, two heads 4-2; 2-4-5-60 - 8x9 by
        # 3-3 - 16x17 by 3-2, head 2-3 without bias, offset of every pixel
        ({}, LARGE_IMAGE,
         9 * 3 * 2 + 2 + 9 * 2 * 3 + 3 + 60 * 5 + 5 + 5 * 4 + 4
         + 2 * (4 * 2 + 2) + 2 * 4 + 4 + 4 * 5 + 5 + 5 * 60 + 60
         + 9 * 3 * 3 + 3 + 9 * 3 * 2 + 2 + 9 * 2 * 3 + 16 * 17 * 3),
    ],
    ids=["mlp", "learned_C", "linear", "conv"],
)  # fmt: skip
def test_number_of_parameters_by_hand(
    settings: dict[str, Any], spec: DataSpec, expected: int
) -> None:
    assert build.num_parameters(_model(spec, **settings)) == expected


def test_initial_weights_depend_on_the_seed_alone() -> None:
    def weights(**settings: Any) -> list[bytes]:
        model = _model(**settings)
        return [v.numpy().tobytes() for v in model.trainable_variables]

    first = weights()
    np.random.default_rng(3).random(5)
    tf.random.normal([3])
    assert weights() == first
    others = {"epochs": 9, "batch_size": 5, "learning_rate": 0.5,
              "optimizer": "sgd", "C": 2.0, "activation": "tanh",
              "precision": "bfloat16", "binarize": "dynamic"}  # fmt: skip
    assert weights(**others) == first
    assert weights(seed=1) != first
    with replicas(2).scope():
        assert weights() == first


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adam", optimizers.Adam),
        ("rmsprop", tf_keras.optimizers.RMSprop),
        ("sgd", tf_keras.optimizers.SGD),
    ],
)
def test_optimizer_is_the_named_one(name: str, kind: type) -> None:
    assert type(_model(optimizer=name).optimizer) is kind


def test_float16_scales_the_loss() -> None:
    optimizer = _model(precision="float16").optimizer
    assert isinstance(optimizer, tf_keras.mixed_precision.LossScaleOptimizer)
    assert not isinstance(
        _model(precision="bfloat16").optimizer,
        tf_keras.mixed_precision.LossScaleOptimizer,
    )


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("float32", "float32"), ("bfloat16", "bfloat16"), ("float16", "float16")],
)
def test_precision_is_of_the_hidden_layers_alone(
    precision: str, dtype: str
) -> None:
    model = _model(precision=precision)
    trunk = model.encoder.layers[1]
    assert trunk.layers[-1].compute_dtype == dtype
    assert trunk.layers[-1].variable_dtype == "float32"
    qz = model.encode(tf.ones([3, 8, 8, 1]))
    assert qz.mean().dtype == tf.float32
    assert model.decode(tf.ones([3, 2])).mean().dtype == tf.float32


@pytest.mark.parametrize(
    ("schedule", "step", "weight"),
    [
        ("off", 0, 1.0), ("linear:2", 0, 0.0), ("linear:2", 7, 0.5),
        ("linear:2", 14, 1.0), ("cyclical:2", 7, 1.0), ("cyclical:4", 7, 0.5),
        ("cyclical:4", 35, 0.5),
    ],
)  # fmt: skip
def test_kl_schedule_counts_epochs(
    schedule: str, step: int, weight: float
) -> None:
    model = _model(kl_schedule=schedule)  # 7 steps an epoch
    value = model.objective.penalty.schedule(tf.constant(step, tf.int64))
    assert float(value) == pytest.approx(weight, rel=1e-6)


@pytest.mark.parametrize(
    ("schedule", "rate"),
    [("constant", 0.01), ("cosine", 0.01 * (1 + math.cos(math.pi / 14)) / 2)],
)
def test_learning_rate_is_of_the_step_just_done(
    schedule: str, rate: float
) -> None:
    model = _model(
        learning_rate=0.01, learning_rate_schedule=schedule, epochs=2
    )
    assert build.learning_rate(model) == pytest.approx(0.01)
    zeros = [tf.zeros(v.shape) for v in model.trainable_variables]
    for _ in range(2):  # the second step is step 1 of 14
        model.optimizer.apply_gradients(
            zip(zeros, model.trainable_variables, strict=True)
        )
    assert build.learning_rate(model) == pytest.approx(rate, rel=1e-6)


@pytest.mark.parametrize(
    ("support", "inside"), [("unit", True), ("binary", True), ("real", False)]
)
def test_mean_lies_in_the_unit_interval_where_the_data_do(
    support: str, inside: bool
) -> None:
    model = _model(DataSpec((6,), None, support), likelihood="gaussian")
    means = model.decode(1e3 * tf.random.stateless_normal([5, 2], [0, 1]))
    x = means.mean().numpy()
    assert (((x >= 0) & (x <= 1)).all()) == inside


@pytest.mark.parametrize(
    ("settings", "spec", "expected"),
    [
        ({}, SMALL_IMAGE, (512, 512)),
        ({}, LARGE_IMAGE, (256,)),
        ({"hidden_units": ()}, LARGE_IMAGE, ()),
        ({"hidden_units": (3, 2)}, SMALL_IMAGE, (3, 2)),
    ],
)
def test_hidden_units_follow_the_architecture(
    settings: dict[str, Any], spec: DataSpec, expected: tuple[int, ...]
) -> None:
    assert _resolve(Config(**settings), spec).hidden_units == expected


@pytest.mark.parametrize(
    ("objective", "num_samples", "weight"),
    [
        ("elbo", 1, 0), ("iwae", 5, 0), ("miwae", 16, 0), ("piwae", 16, 0),
        ("ciwae", 5, 0.05), ("beta_tc", 1, 6), ("factor", 1, 10),
        ("dip", 1, 10), ("dip_ii", 1, 1), ("mmd", 1, 10),
    ],
)  # fmt: skip
def test_auto_draws_and_weight_are_what_help_says(
    objective: str, num_samples: int, weight: float
) -> None:
    resolved = _resolve(Config(objective=objective))
    assert resolved.num_samples == num_samples
    assert resolved.objective_weight == weight


def test_every_name_on_offer_has_an_entry_in_its_table() -> None:
    tables = {
        "likelihood": LIKELIHOODS,
        "posterior": POSTERIORS,
        "prior": PRIORS,
        "objective": OBJECTIVES,
    }
    for name, table in tables.items():
        words = settings_lib.rule_of(FIELDS[name]).words
        assert set(words) - {"auto"} == set(table)


@pytest.mark.parametrize(
    ("text", "step", "nats"),
    [("8:2", 0, 0.0), ("8:2", 7, 4.0), ("8:2", 99, 8.0), ("8", 105, 8.0),
     ("8", 42, 3.2)],
)  # fmt: skip
def test_capacity_rises_over_its_epochs(
    text: str, step: int, nats: float
) -> None:
    penalty = _model(capacity=text).objective.penalty  # 30 epochs of 7 steps
    value = penalty.capacity(tf.constant(step, tf.int64))
    assert float(value) == pytest.approx(nats, rel=1e-6)


def test_free_bits_reach_the_penalty() -> None:
    assert _model(free_bits=0.25).objective.penalty.free_bits == 0.25
    assert _model().objective.penalty.free_bits == 0


def test_autoencoder_is_built_by_its_name() -> None:
    model = _model(model="ae")
    assert isinstance(model, AutoEncoder)
    assert model.code(tf.ones([3, 8, 8, 1])).shape == [3, 2]


def test_as_autoencoder_drops_what_it_has_no_use_for() -> None:
    config = _resolve(Config(objective="iwae", prior="vamp", posterior="tril"))
    plain = resolve.as_autoencoder(config)
    resolved = _resolve(plain)
    assert (plain.model, resolved.objective) == ("ae", "elbo")
    assert plain.hidden_units == config.hidden_units
