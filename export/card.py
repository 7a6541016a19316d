"""What a servable says of itself: shapes, range, condition, order of latents.

A client asks for it through the `describe` signature, so it needs no file.
"""

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae import latents

if TYPE_CHECKING:  # the client reads cards without TensorFlow
    from tfvae.run_dir import Run

FORMAT_VERSION = 1


def make_card(
    run: "Run", *, kl_per_dim: np.ndarray | None, max_batch_size: int
) -> dict[str, Any]:
    """Returns the card of a run's servables; JSON holds all of it.

    Args:
      run: trained.
      kl_per_dim: [latent_dim], nats, means over examples; None: not known.
      max_batch_size: most rows that a request may have.

    Returns:
      format_version, name, dataset, event_shape, is_image, latent_dim,
      value_range (of x; None: real numbers), condition, num_classes (0: no
      label), prior, kl_per_dim, latent_order (by falling KL) and
      max_batch_size.
    """
    config, spec, model = run.config, run.spec, run.model
    order = range(config.latent_dim)
    if kl_per_dim is not None:
        order = latents.by_kl(kl_per_dim).tolist()
    return {
        "format_version": FORMAT_VERSION,
        "name": os.path.basename(os.path.abspath(run.run_dir.path)),
        "dataset": _without_folder(config.dataset),
        "event_shape": list(spec.event_shape),
        "is_image": spec.is_image,
        "latent_dim": config.latent_dim,
        "value_range": None if spec.support == "real" else [0.0, 1.0],
        "condition": config.condition,
        "num_classes": model.condition.num_classes,
        "prior": config.prior,
        "kl_per_dim": None if kl_per_dim is None else kl_per_dim.tolist(),
        "latent_order": list(order),
        "max_batch_size": max_batch_size,
    }


def to_text(card: dict[str, Any]) -> str:
    """Returns the JSON that `describe` answers with."""
    return json.dumps(card)


def _without_folder(dataset: str) -> str:
    """Returns "npz:x.npz" for "npz:/some/folder/x.npz"."""
    scheme, colon, path = dataset.partition(":")
    return f"{scheme}{colon}{os.path.basename(path)}"
