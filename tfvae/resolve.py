"""Settings made to fit the data, and each other: no "auto" is left."""

import dataclasses
from typing import Any

from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.distributions.likelihoods import LIKELIHOODS
from tfvae.errors import InputError
from tfvae.objectives.table import OBJECTIVES, Kind

SMALLEST_CONV_IMAGE = 16
HIDDEN_UNITS = {"mlp": (512, 512), "conv": (256,)}
STEPS_PER_EXECUTION = 50  # the host's share is below 1% there (BUILD_NOTES)
# On a CPU XLA makes dense layers in float32 a fifth faster, but nothing else,
# and compiling costs seconds, which a short run never earns back (BUILD_NOTES).
FASTER_COMPILED = (("mlp", "float32"),)
FEWEST_COMPILED_EXAMPLES = 400_000
# What an autoencoder has no use for, and must be left at its default.
ONLY_OF_VAE = (
    "kl_schedule", "free_bits", "capacity", "posterior", "prior", "objective",
    "num_samples", "beta",
)  # fmt: skip
RESOLVED_UNUSED = {"num_samples": (1,)}


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
      InputError: settings that do not fit the data, the replicas or each other.
    """
    _check_replicas(config, num_replicas)
    _check_model(config)
    _check_condition(config, spec)
    architecture = _architecture(config, spec)
    likelihood = _likelihood(config, spec)
    hidden_units = config.hidden_units
    if hidden_units == "auto":
        hidden_units = HIDDEN_UNITS[architecture]
    return dataclasses.replace(
        config,
        architecture=architecture,
        hidden_units=hidden_units,
        likelihood=likelihood,
        C=_C(config, likelihood),
        beta="none",
        capacity=_capacity(config),
        jit_compile=_jit_compile(
            config, architecture, num_examples, num_replicas
        ),
        steps_per_execution=_steps_per_execution(
            config, num_examples, num_replicas
        ),
        **_objective(config, OBJECTIVES[config.objective]),
    )


def as_autoencoder(config: Config) -> Config:
    """Returns the config of the same networks as a plain autoencoder."""
    plain = {name: getattr(Config, name) for name in ONLY_OF_VAE}
    return dataclasses.replace(config, model="ae", **plain)


def view(config: Config) -> dict[str, Any]:
    """Returns what of a config says how a model sees its data, by name."""
    return {
        "binarize": config.binarize,
        "dequantize": config.dequantize,
        "condition": config.condition,
        "mask": config.mask,
    }


def steps_per_epoch(config: Config, num_examples: int) -> int:
    """Returns the number of batches in one pass, a short last one included."""
    return -(-num_examples // config.batch_size)


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


def _check_model(config: Config) -> None:
    if config.model == "ae":
        for name in ONLY_OF_VAE:
            unused = (getattr(Config, name), *RESOLVED_UNUSED.get(name, ()))
            if getattr(config, name) not in unused:
                raise InputError(
                    f"`{name}` is of no use to `model`=ae, which has neither "
                    "noise nor prior; leave it out."
                )
    if config.prior == "realnvp" and config.latent_dim < 2:
        raise InputError(
            "`prior`=realnvp needs a `latent_dim` of at least 2; got "
            f"{config.latent_dim}."
        )


def _check_condition(config: Config, spec: DataSpec) -> None:
    if config.condition == "label" and spec.num_classes is None:
        raise InputError(
            f"`condition`=label needs labels; `dataset` {config.dataset} has "
            "none; leave it out."
        )
    if config.condition == "mask" and not spec.is_image:
        raise InputError(
            f"`condition`=mask needs images; `dataset` {config.dataset} holds "
            f"vectors of {spec.num_dims}; leave it out."
        )
    if config.condition != "mask" and config.mask != Config.mask:
        raise InputError(
            f"`mask` is of no use without `condition`=mask; got {config.mask}."
        )
    if config.condition != "none" and config.prior == "vamp":
        raise InputError(
            "`prior`=vamp encodes pseudo-inputs, which have no `condition`; "
            "take another prior."
        )


def _architecture(config: Config, spec: DataSpec) -> str:
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
    return architecture


def _likelihood(config: Config, spec: DataSpec) -> str:
    name = config.likelihood
    if name == "auto":
        name = "bernoulli" if spec.support == "binary" else "gaussian"
    kind = LIKELIHOODS[name]
    if spec.support not in kind.supports:
        raise InputError(
            f"`likelihood`={name} needs data in [0, 1]; `dataset` "
            f"{config.dataset} is real-valued; use gaussian."
        )
    if kind.needs_levels and spec.levels is None:
        raise InputError(
            f"`likelihood`={name} needs data on whole levels, such as 8-bit "
            f"images; `dataset` {config.dataset} has none; use gaussian."
        )
    if name == "categorical" and (spec.levels or 0) > 256:
        raise InputError(
            "`likelihood`=categorical takes at most 256 levels; `dataset` "
            f"{config.dataset} has {spec.levels}; use discretized_logistic."
        )
    return name


def _C(config: Config, likelihood: str) -> str | float:
    kind = LIKELIHOODS[likelihood]
    if config.beta != "none":
        if kind.C_is_noise:
            raise InputError(
                f"`beta` is of no use to `likelihood`={likelihood}, whose C is "
                "the noise variance, C = 1 / (2 c); give C."
            )
        return 1 / float(config.beta)
    if config.C == "auto":
        return kind.auto_C
    if isinstance(config.C, str) and config.C not in kind.C_words:
        raise InputError(
            f"`C`={config.C} is not for `likelihood`={likelihood}; give "
            + " or ".join([*kind.C_words, "a number"])
            + "."
        )
    return config.C


def _capacity(config: Config) -> str:
    """Returns "off" or NATS:EPOCHS."""
    if config.capacity == "off" or ":" in config.capacity:
        return config.capacity
    return f"{config.capacity}:{-(-config.epochs // 2)}"


def _objective(config: Config, kind: Kind) -> dict[str, Any]:
    """Returns the settings of the objective, checked."""
    name = config.objective
    num_samples = config.num_samples
    if num_samples == "auto":
        num_samples = kind.num_samples
    assert isinstance(num_samples, int)
    if num_samples > 1 and not kind.takes_draws:
        raise InputError(
            f"`num_samples` must be 1 for `objective`={name}; got "
            f"{num_samples}."
        )
    if kind.has_groups and num_samples % config.num_groups:
        raise InputError(
            f"`num_samples` must be a multiple of `num_groups`, "
            f"{config.num_groups}; got {num_samples}."
        )
    weight = config.objective_weight
    if weight == "auto":
        weight = kind.weight
    if kind.posteriors and config.posterior not in kind.posteriors:
        raise InputError(
            f"`objective`={name} needs `posterior`="
            f"{' or '.join(kind.posteriors)}; got {config.posterior}."
        )
    _check_penalty(config, kind)
    return {"num_samples": num_samples, "objective_weight": weight}


def _check_penalty(config: Config, kind: Kind) -> None:
    for name in ("free_bits", "capacity"):
        if getattr(config, name) != "off" and not kind.takes_penalty:
            raise InputError(
                f"`{name}` is not for `objective`={config.objective}, which "
                "has no KL term of its own; leave it out."
            )
    if config.free_bits != "off" and config.capacity != "off":
        raise InputError("`free_bits` and `capacity` exclude each other.")
    exact = config.posterior == "diag" and config.prior == "standard_normal"
    if config.free_bits != "off" and not exact:
        raise InputError(
            "`free_bits` needs the KL of each dimension, which only "
            "`posterior`=diag with `prior`=standard_normal has."
        )


def _steps_per_execution(
    config: Config, num_examples: int, num_replicas: int
) -> int:
    asked = config.steps_per_execution
    # Within one execution TensorFlow can gather tensors of one shape only, and
    # the last batch of an epoch is shorter.
    if OBJECTIVES[config.objective].gathers and num_replicas > 1:
        if asked not in ("auto", 1):
            raise InputError(
                f"`steps_per_execution` must be 1 for `objective`="
                f"{config.objective} on {num_replicas} replicas; got {asked}."
            )
        return 1
    if asked == "auto":
        steps = steps_per_epoch(config, num_examples)
        return min(STEPS_PER_EXECUTION, steps)
    return int(asked)


def _jit_compile(
    config: Config, architecture: str, num_examples: int, num_replicas: int
) -> str:
    if config.jit_compile != "auto":
        return config.jit_compile
    kind = (architecture, config.precision)
    seen = config.epochs * num_examples
    worth_it = kind in FASTER_COMPILED and seen >= FEWEST_COMPILED_EXAMPLES
    plain = (
        config.posterior != "iaf"
        and config.prior == "standard_normal"
        and not OBJECTIVES[config.objective].draws_more
    )
    return "on" if worth_it and plain and num_replicas == 1 else "off"
