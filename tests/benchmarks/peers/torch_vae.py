"""The networks in PyTorch, for the loops by hand and for pythae."""

import torch
from torch import nn
from torch.nn import functional

from tests.benchmarks.peers import task as task_lib


def mlp(latent_dim: int) -> tuple[nn.Module, nn.Module]:
    """Returns encoder and decoder, between [batch, 1, 28, 28] and the code."""
    first, second = task_lib.HIDDEN_UNITS
    encoder = nn.Sequential(
        nn.Flatten(),
        nn.Linear(task_lib.NUM_PIXELS, first), nn.ReLU(),
        nn.Linear(first, second), nn.ReLU(),
        nn.Linear(second, 2 * latent_dim),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(latent_dim, second), nn.ReLU(),
        nn.Linear(second, first), nn.ReLU(),
        nn.Linear(first, task_lib.NUM_PIXELS),
        nn.Unflatten(1, (1, task_lib.SIDE, task_lib.SIDE)),
    )  # fmt: skip
    return encoder, decoder


def conv(latent_dim: int) -> tuple[nn.Module, nn.Module]:
    """Returns encoder and decoder, between [batch, 1, 28, 28] and the code."""
    first, second = task_lib.FILTERS
    halve, double = (
        {"kernel_size": 3, "stride": 2, "padding": 1, **more}
        for more in ({}, {"output_padding": 1})
    )
    side = task_lib.SMALLEST_SIDE
    encoder = nn.Sequential(
        nn.Conv2d(1, first, **halve), nn.ReLU(),
        nn.Conv2d(first, second, **halve), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(task_lib.NUM_FEATURES, task_lib.CODE_UNITS), nn.ReLU(),
        nn.Linear(task_lib.CODE_UNITS, 2 * latent_dim),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(latent_dim, task_lib.NUM_FEATURES), nn.ReLU(),
        nn.Unflatten(1, (second, side, side)),
        nn.ConvTranspose2d(second, second, **double), nn.ReLU(),
        nn.ConvTranspose2d(second, first, **double), nn.ReLU(),
        nn.ConvTranspose2d(first, 1, kernel_size=3, padding=1),
    )  # fmt: skip
    return encoder, decoder


NETWORKS = {"mlp": mlp, "conv": conv}


def networks(name: str, latent_dim: int) -> tuple[nn.Module, nn.Module]:
    """Returns encoder and decoder, initialised as those of all other peers.

    PyTorch's convolutions on a CPU are a sixth faster on channels_last.
    """
    pair = NETWORKS[name](latent_dim)
    for part in pair:
        part.to(memory_format=torch.channels_last)
        for parameter in part.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)
    return pair


class VAE(nn.Module):
    """From uint8 images to the loss."""

    def __init__(self, network: str, latent_dim: int) -> None:
        super().__init__()
        self.encoder, self.decoder = networks(network, latent_dim)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the mean -elbo of images [batch, 1, 28, 28]."""
        x = images.float() / 255
        loc, log_scale = self.encoder(x).chunk(2, dim=-1)
        scale = log_scale.exp()
        z = loc + scale * torch.randn_like(scale)
        logits = self.decoder(z)
        cross_entropy = functional.binary_cross_entropy_with_logits(
            logits, x, reduction="sum"
        )
        kl = 0.5 * (loc.square() + scale.square() - 1) - log_scale
        return (cross_entropy + kl.sum()) / len(x)
