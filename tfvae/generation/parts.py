"""What makers make, part by part: arrays too large for memory."""

import numpy as np

from tfvae.generation.archive import Parts
from tfvae.generation.codes import prior_blocks
from tfvae.generation.generated import code, decode_blocks
from tfvae.learner import Given, Learner


def sample(
    model: Learner,
    num: int,
    *,
    seed: int,
    temperature: float = 1.0,
    condition: Given = None,
    shown: str = "mean",
) -> Parts:
    """The arrays of `makers.sample`: x, z and the condition.

    Args:
      model: trained.
      num: of draws.
      seed: of all that is drawn.
      temperature: by which the noise of N(0, I) is multiplied.
      condition: its values for each draw; None without a condition.
      shown: "mean" or "draw" of p(x|z).

    Raises:
      InputError: a model without a prior, or a temperature of a learned one.
    """
    # An archive takes one array after the other, so z is drawn twice.
    z, again = (
        prior_blocks(
            model, num, mode="sample", seed=seed, temperature=temperature
        )
        for _ in range(2)
    )
    x = decode_blocks(model, z, condition, shown=shown, seed=seed)
    return Parts(num, {"x": x, "z": again, **_whole(condition)})


def reconstruct(
    model: Learner,
    x: np.ndarray,
    *,
    condition: Given = None,
    shown: str = "mean",
    seed: int = 0,
) -> Parts:
    """The arrays of `makers.reconstruct`: x, z, the condition and the images.

    Args:
      model: trained.
      x: [n, *event_shape], the images.
      condition: its values for each x; None without a condition.
      shown: "mean" or "draw" of p(x|z).
      seed: of the draws.
    """
    z = code(model, x, condition)
    made = decode_blocks(model, [z], condition, shown=shown, seed=seed)
    return Parts(
        len(x), {"x": made, "z": [z], **_whole(condition), "image": [x]}
    )


def _whole(condition: Given) -> dict[str, list[np.ndarray]]:
    return {name: [value] for name, value in (condition or {}).items()}
