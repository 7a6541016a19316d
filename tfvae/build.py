"""Config + DataSpec -> compiled model: settings become objects here."""

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import networks, trunks
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.distributions.likelihoods import LIKELIHOODS, Gaussian, Likelihood
from tfvae.errors import InputError
from tfvae.objectives import schedules
from tfvae.vae import VAE

SMALLEST_CONV_IMAGE = 16
HIDDEN_UNITS = {"mlp": (512, 512), "conv": (256,)}
STEPS_PER_EXECUTION = 50  # the host's share is below 1% there (BUILD_NOTES)
# On a CPU XLA makes dense layers in float32 a fifth faster, but nothing else,
# and compiling costs seconds, which a short run never earns back (BUILD_NOTES).
FASTER_COMPILED = (("mlp", "float32"),)
FEWEST_COMPILED_EXAMPLES = 400_000

OPTIMIZERS = {
    "adam": tf_keras.optimizers.Adam,
    "rmsprop": tf_keras.optimizers.RMSprop,
    "sgd": tf_keras.optimizers.SGD,
}
POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


def resolve(
    config: Config, spec: DataSpec, *, num_examples: int, num_replicas: int
) -> Config:
    """Returns the config with no "auto" left.

    Args:
      config: of the run.
      spec: of its data.
      num_examples: of the training data.
      num_replicas: in sync.

    Raises:
      InputError: settings that do not fit the data or the replicas.
    """
    _check_replicas(config, num_replicas)
    architecture = config.architecture
    if architecture == "auto":
        large = (
            spec.is_image and min(spec.event_shape[:2]) >= SMALLEST_CONV_IMAGE
        )
        architecture = "conv" if large else "mlp"
    if architecture == "conv" and not spec.is_image:
        raise InputError(
            "`architecture`=conv needs images; `dataset` "
            f"{config.dataset} holds vectors of {spec.num_dims}; use mlp."
        )
    if architecture == "conv" and not config.filters:
        raise InputError(
            "`filters` must hold at least one number for `architecture`=conv; "
            "got none."
        )
    likelihood = config.likelihood
    if likelihood == "auto":
        likelihood = "bernoulli" if spec.support == "binary" else "gaussian"
    if spec.support not in LIKELIHOODS[likelihood].supports:
        raise InputError(
            f"`likelihood`={likelihood} needs data in [0, 1]; `dataset` "
            f"{config.dataset} is real-valued; use gaussian."
        )
    steps_per_execution = config.steps_per_execution
    if steps_per_execution == "auto":
        steps = steps_per_epoch(config, num_examples)
        steps_per_execution = min(STEPS_PER_EXECUTION, steps)
    hidden_units = config.hidden_units
    if hidden_units == "auto":
        hidden_units = HIDDEN_UNITS[architecture]
    return dataclasses.replace(
        config,
        architecture=architecture,
        hidden_units=hidden_units,
        likelihood=likelihood,
        C=_resolve_C(config, likelihood),
        beta="none",
        jit_compile=_resolve_jit_compile(
            config, architecture, num_examples, num_replicas
        ),
        steps_per_execution=steps_per_execution,
    )


def steps_per_epoch(config: Config, num_examples: int) -> int:
    """Returns the number of batches in one pass, a short last one included."""
    return -(-num_examples // config.batch_size)


def build_model(
    config: Config,
    spec: DataSpec,
    *,
    steps_per_epoch: int = 1,
    mean: np.ndarray | None = None,
) -> VAE:
    """Builds and compiles the model of a resolved config.

    Call it within a strategy's scope to train under that strategy. Initial
    weights depend on `config.seed` and `mean` alone.

    Args:
      config: as `resolve` returns it.
      spec: of the data.
      steps_per_epoch: global batches in one epoch, for the schedules.
      mean: of the training data, [*event_shape]; see `make_decoder`.
    """
    tf_keras.utils.set_random_seed(config.seed)
    encoder_trunk, decoder_trunk = trunks.TRUNKS[config.architecture](
        spec.event_shape,
        config.filters,
        config.hidden_units,
        activation=config.activation,
        dtype=tf_keras.mixed_precision.Policy(POLICIES[config.precision]),
    )
    model = VAE(
        networks.make_encoder(
            encoder_trunk, spec.event_shape, config.latent_dim
        ),
        networks.make_decoder(
            decoder_trunk,
            config.latent_dim,
            spec.event_shape,
            _make_likelihood(config, spec),
            mean=mean,
        ),
        kl_schedule=_make_kl_schedule(config.kl_schedule, steps_per_epoch),
        seed=config.seed,
    )
    model.compile(
        optimizer=_make_optimizer(config, steps_per_epoch),
        jit_compile=config.jit_compile == "on",
        steps_per_execution=config.steps_per_execution,
    )
    model.optimizer.build(model.trainable_variables)
    return model


def num_parameters(model: VAE) -> int:
    """Returns how many numbers training moves."""
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def _check_replicas(config: Config, num_replicas: int) -> None:
    if config.batch_size < num_replicas:
        raise InputError(
            f"`batch_size` is global and must be at least the number of "
            f"replicas, {num_replicas}; got {config.batch_size}."
        )
    if config.jit_compile == "on" and num_replicas > 1:
        raise InputError(
            "`jit_compile`=on works on one replica only, XLA cannot sum over "
            f"{num_replicas}; use off."
        )


def _resolve_jit_compile(
    config: Config, architecture: str, num_examples: int, num_replicas: int
) -> str:
    if config.jit_compile != "auto":
        return config.jit_compile
    kind = (architecture, config.precision)
    seen = config.epochs * num_examples
    worth_it = kind in FASTER_COMPILED and seen >= FEWEST_COMPILED_EXAMPLES
    return "on" if worth_it and num_replicas == 1 else "off"


def _resolve_C(config: Config, likelihood: str) -> str | float:
    is_gaussian = LIKELIHOODS[likelihood] is Gaussian
    if config.beta != "none":
        if is_gaussian:
            raise InputError(
                "`beta` is for likelihoods other than gaussian, whose C is "
                "the noise variance, C = 1 / (2 c); give C."
            )
        return 1 / float(config.beta)
    if config.C == "auto":
        return "optimal" if is_gaussian else 1.0
    if isinstance(config.C, str) and not is_gaussian:
        raise InputError(
            f"`C`={config.C} is for the gaussian likelihood; with "
            f"{likelihood} give a number."
        )
    return config.C


def _make_likelihood(config: Config, spec: DataSpec) -> Likelihood:
    kind = LIKELIHOODS[config.likelihood]
    settings: dict[str, Any] = {"C": config.C}
    if kind is Gaussian:
        settings["unit_interval"] = spec.support != "real"
    return kind(**settings)


def _make_kl_schedule(text: str, steps_per_epoch: int) -> Any:
    if text == "off":
        return schedules.Constant()
    name, _, epochs = text.partition(":")
    return schedules.SCHEDULES[name](int(epochs) * steps_per_epoch)


def _make_optimizer(
    config: Config, steps_per_epoch: int
) -> tf_keras.optimizers.Optimizer:
    rate: Any = config.learning_rate
    if config.learning_rate_schedule == "cosine":
        rate = tf_keras.optimizers.schedules.CosineDecay(
            rate, decay_steps=config.epochs * steps_per_epoch
        )
    optimizer = OPTIMIZERS[config.optimizer](rate)
    if config.precision == "float16":
        optimizer = tf_keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def learning_rate(model: VAE) -> float:
    """Returns the step size of the step just done."""
    return float(tf.convert_to_tensor(model.optimizer.learning_rate))
