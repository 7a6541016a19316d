"""Config + DataSpec -> compiled model: settings become objects here."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import networks, trunks
from tfvae.baselines import AutoEncoder, make_code_encoder
from tfvae.condition import Condition, Label, Mask
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.distributions.likelihoods import LIKELIHOODS
from tfvae.distributions.priors import PRIORS, Prior
from tfvae.learner import Learner
from tfvae.objectives import schedules
from tfvae.objectives.draws import Objective
from tfvae.objectives.penalty import KLPenalty
from tfvae.objectives.table import OBJECTIVES, Setting
from tfvae.optimizers import Adam
from tfvae.vae import VAE

OPTIMIZERS = {
    "adam": Adam,
    "rmsprop": tf_keras.optimizers.RMSprop,
    "sgd": tf_keras.optimizers.SGD,
}
POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


def build_model(
    config: Config,
    spec: DataSpec,
    *,
    num_examples: int = 1,
    examples: Callable[[int], np.ndarray] | None = None,
    mean: np.ndarray | None = None,
) -> Learner:
    """Builds and compiles the model of a resolved config.

    Call it within a strategy's scope to train under that strategy. Initial
    weights depend on `config.seed`, `mean` and `examples` alone.

    Args:
      config: as `resolve` returns it.
      spec: of the data.
      num_examples: of the training data, for schedules and estimates.
      examples: gives [num, *event_shape] of the training data, where learned
        pseudo-inputs begin.
      mean: of the training data, [*event_shape]; see `make_decoder`.
    """
    tf_keras.utils.set_random_seed(config.seed)
    encoder_trunk, decoder_trunk = _make_trunks(config, spec)
    condition = CONDITIONS[config.condition](config, spec)
    likelihood = LIKELIHOODS[config.likelihood].for_data(
        config.C, support=spec.support, levels=spec.levels
    )
    decoder = networks.make_decoder(
        decoder_trunk, config.latent_dim, spec.event_shape, likelihood,
        mean=mean, condition=condition,
    )  # fmt: skip
    make = {"vae": _make_vae, "ae": _make_autoencoder}[config.model]
    model = make(
        config, spec, encoder_trunk, decoder, condition, num_examples, examples
    )
    steps = -(-num_examples // config.batch_size)
    model.compile(
        optimizer=_make_optimizer(config, steps),
        jit_compile=config.jit_compile == "on",
        steps_per_execution=config.steps_per_execution,
    )
    model.optimizer.build(model.learning_variables())
    return model


def num_parameters(model: Learner) -> int:
    """Returns how many numbers of the model training moves."""
    return sum(
        math.prod(variable.shape)
        for network in model.networks.values()
        for variable in network.trainable_variables
    )


def learning_rate(model: Learner) -> float:
    """Returns the step size of the step just done."""
    return float(tf.convert_to_tensor(model.optimizer.learning_rate))


def _make_autoencoder(
    config: Config,
    spec: DataSpec,
    trunk: tf_keras.layers.Layer,
    decoder: tf_keras.Model,
    condition: Condition,
    *_: Any,
) -> AutoEncoder:
    encoder = make_code_encoder(
        trunk, spec.event_shape, config.latent_dim, condition=condition
    )
    return AutoEncoder(encoder, decoder, seed=config.seed, condition=condition)


def _make_vae(
    config: Config,
    spec: DataSpec,
    trunk: tf_keras.layers.Layer,
    decoder: tf_keras.Model,
    condition: Condition,
    num_examples: int,
    examples: Callable[[int], np.ndarray] | None,
) -> VAE:
    kind = PRIORS[config.prior]
    prior = kind.for_model(
        config.latent_dim,
        num_components=config.num_components,
        event_shape=spec.event_shape,
        initial=examples(config.num_components)
        if examples and kind.takes_examples
        else None,
        unit_interval=spec.support != "real",
    )
    encoder = networks.make_encoder(
        trunk, spec.event_shape, config.latent_dim,
        posterior=config.posterior, prior=prior, condition=condition,
    )  # fmt: skip
    return VAE(
        encoder,
        decoder,
        objective=_make_objective(config, prior, num_examples),
        num_samples=int(config.num_samples),
        seed=config.seed,
        condition=condition,
    )


def _make_trunks(
    config: Config, spec: DataSpec
) -> tuple[tf_keras.layers.Layer, tf_keras.layers.Layer]:
    return trunks.TRUNKS[config.architecture](
        spec.event_shape,
        config.filters,
        config.hidden_units,
        activation=config.activation,
        dtype=tf_keras.mixed_precision.Policy(POLICIES[config.precision]),
    )


def _make_label(config: Config, spec: DataSpec) -> Label:
    del config
    assert spec.num_classes is not None
    return Label(spec.event_shape, spec.num_classes)


def _make_mask(config: Config, spec: DataSpec) -> Mask:
    # The seen part is read by a trunk like the encoder's.
    return Mask(spec.event_shape, _make_trunks(config, spec)[0])


CONDITIONS: dict[str, Callable[[Config, DataSpec], Condition]] = {
    "none": lambda config, spec: Condition(),
    "label": _make_label,
    "mask": _make_mask,
}


def _make_objective(
    config: Config, prior: Prior, num_examples: int
) -> Objective:
    steps = -(-num_examples // config.batch_size)
    penalty = KLPenalty(
        schedule=_make_kl_schedule(config.kl_schedule, steps),
        free_bits=0.0 if config.free_bits == "off" else float(config.free_bits),
        capacity=_make_capacity(config.capacity, steps),
    )
    setting = Setting(
        penalty=penalty,
        weight=float(config.objective_weight),
        num_groups=config.num_groups,
        info_alpha=config.info_alpha,
        latent_dim=config.latent_dim,
        num_examples=num_examples,
        sample_prior=lambda num, seed: prior.distribution().sample(
            num,
            seed=tf.cast(seed, tf.int32),  # TFP takes no other
        ),
    )
    return OBJECTIVES[config.objective].make(setting)


def _make_kl_schedule(text: str, steps_per_epoch: int) -> schedules.Schedule:
    if text == "off":
        return schedules.Constant()
    name, _, epochs = text.partition(":")
    return schedules.SCHEDULES[name](int(epochs) * steps_per_epoch)


def _make_capacity(
    text: str, steps_per_epoch: int
) -> schedules.Schedule | None:
    if text == "off":
        return None
    nats, _, epochs = text.partition(":")
    return schedules.Ramp(float(nats), int(epochs) * steps_per_epoch)


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
