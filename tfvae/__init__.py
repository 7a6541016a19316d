"""tfvae: variational autoencoders on TensorFlow, from formula to served model.

Public names are resolved on first use (PEP 562), so that importing the package
loads no TensorFlow.
"""

import importlib
from typing import Any

_HOMES = {
    "AutoEncoder": "tfvae.baselines",
    "Bernoulli": "tfvae.distributions.likelihoods",
    "Config": "tfvae.config",
    "DataSpec": "tfvae.data.spec",
    "Gaussian": "tfvae.distributions.likelihoods",
    "InputError": "tfvae.errors",
    "KLRegularizer": "tfvae.distributions.posteriors",
    "Label": "tfvae.condition",
    "Mask": "tfvae.condition",
    "MultivariateNormalDiag": "tfvae.distributions.posteriors",
    "VAE": "tfvae.vae",
    "build_model": "tfvae.build",
    "load_data": "tfvae.data.load",
    "load_run": "tfvae.run_dir",
    "make_decoder": "tfvae.networks",
    "make_encoder": "tfvae.networks",
}

__all__ = sorted(_HOMES)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tfvae' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
