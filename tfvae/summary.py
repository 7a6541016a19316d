"""What a run is about, in words, before it begins."""

from tfvae import build, resolve
from tfvae.config import Config
from tfvae.data.split import Splits
from tfvae.distributions.likelihoods import LIKELIHOODS
from tfvae.learner import Learner

GREY_BERNOULLI = (
    "warning: the data are not binary, so the Bernoulli figures are "
    "cross-entropies, not densities; --binarize makes them binary"
)
UNBOUNDED = (
    "warning: the data lie on {levels} levels, where a density is unbounded; "
    "--dequantize, or a likelihood of levels (quantized_gaussian), gives bits "
    "per dimension that compare with papers"
)


def sizes(splits: Splits) -> dict[str, int]:
    """Returns {part: number of examples}."""
    return {
        part: getattr(splits, part).num_examples
        for part in ("train", "validation", "test")
    }


def of_run(
    config: Config, model: Learner, splits: Splits, num_replicas: int
) -> str:
    """Returns data, model, batch and objective, a line each, and warnings."""
    spec = splits.spec
    shape = "x".join(map(str, spec.event_shape))
    steps = resolve.steps_per_epoch(config, splits.train.num_examples)
    lines = [
        f"data: {config.dataset}, {shape}, {spec.support}; "
        + ", ".join(f"{size:,} {part}" for part, size in sizes(splits).items()),
        f"model: {config.model}, {config.architecture}, latent_dim "
        f"{config.latent_dim}, {build.num_parameters(model):,} parameters; "
        f"{config.precision}, XLA {config.jit_compile}",
        f"batch: {config.batch_size} over {num_replicas} replica(s), {steps} "
        f"steps an epoch, {config.epochs} epochs",
        _objective(config, model),
    ]
    kind = LIKELIHOODS[config.likelihood]
    if config.likelihood == "bernoulli" and spec.support != "binary":
        lines.append(GREY_BERNOULLI)
    elif kind.is_density and spec.levels == 256:
        lines.append(UNBOUNDED.format(levels=spec.levels))
    return "\n".join(lines)


def _objective(config: Config, model: Learner) -> str:
    kind = LIKELIHOODS[config.likelihood]
    weight = model.likelihood.current_C()
    held = "fixed" if not isinstance(config.C, str) else f"{config.C}, at first"
    noise = f"c = {1 / (2 * weight):g}, " if kind.C_is_noise else ""
    line = (
        f"{config.likelihood}, C = {weight:g} ({held}), {noise}effective beta "
        f"= 1 / C = {1 / weight:g}"
    )
    if config.model == "ae":
        return f"objective: reconstruction alone; {line}"
    return (
        f"objective: {config.objective}, {config.num_samples} draw(s); "
        f"{config.posterior} posterior, {config.prior} prior; {line}"
    )
