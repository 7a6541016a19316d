"""Objectives by name: how each is made, and what it asks of a run."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfvae.objectives.beta_tc import BetaTC
from tfvae.objectives.ciwae import Ciwae
from tfvae.objectives.dip import DipI, DipII
from tfvae.objectives.draws import Objective
from tfvae.objectives.elbo import Elbo
from tfvae.objectives.factor import Factor
from tfvae.objectives.iwae import Iwae
from tfvae.objectives.miwae import Miwae
from tfvae.objectives.mmd import Mmd
from tfvae.objectives.penalty import KLPenalty
from tfvae.objectives.piwae import Piwae


@dataclasses.dataclass(frozen=True)
class Setting:
    """What an objective can be made from.

    Attributes:
      penalty: for the KL; its schedule is the weight of the KL.
      weight: of the objective's own term.
      num_groups: of the draws.
      info_alpha: see `Mmd`.
      latent_dim: dimensions of z.
      num_examples: of the training data.
      sample_prior: from (num, seed) to draws [num, latent_dim] of p(z).
    """

    penalty: KLPenalty
    weight: float
    num_groups: int
    info_alpha: float
    latent_dim: int
    num_examples: int
    sample_prior: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Kind:
    """An objective.

    Attributes:
      make: makes it.
      weight: of its own term, by default; 0: it has none.
      num_samples: draws for each example, by default.
      has_groups: whether the draws fall into groups.
      takes_penalty: whether free bits and a capacity make sense.
      takes_draws: whether more than one draw does.
      posteriors: that it can score; empty: all.
      gathers: whether codes are gathered from all replicas.
      draws_more: whether it draws besides z, inside the compiled step.
    """

    make: Callable[[Setting], Objective]
    weight: float = 0.0
    num_samples: int = 1
    has_groups: bool = False
    takes_penalty: bool = True
    takes_draws: bool = True
    posteriors: tuple[str, ...] = ()
    gathers: bool = False
    draws_more: bool = False


OBJECTIVES: dict[str, Kind] = {
    "elbo": Kind(lambda s: Elbo(s.penalty)),
    "iwae": Kind(
        lambda s: Iwae(s.penalty.schedule), num_samples=5, takes_penalty=False
    ),
    "miwae": Kind(
        lambda s: Miwae(s.num_groups, s.penalty.schedule),
        num_samples=16, has_groups=True, takes_penalty=False,
    ),
    "piwae": Kind(
        lambda s: Piwae(s.num_groups, s.penalty.schedule),
        num_samples=16, has_groups=True, takes_penalty=False,
    ),
    "ciwae": Kind(
        lambda s: Ciwae(s.weight, s.penalty.schedule),
        weight=0.05, num_samples=5, takes_penalty=False,
    ),
    "beta_tc": Kind(
        lambda s: BetaTC(s.weight, s.num_examples, s.penalty),
        weight=6.0, takes_draws=False, gathers=True, posteriors=("diag",),
    ),
    "factor": Kind(
        lambda s: Factor(s.weight, s.latent_dim, s.penalty),
        weight=10.0, takes_draws=False, gathers=True, draws_more=True,
    ),
    "dip": Kind(
        lambda s: DipI(s.weight, s.penalty),
        weight=10.0, takes_draws=False, gathers=True,
        posteriors=("diag", "tril"),
    ),
    "dip_ii": Kind(
        lambda s: DipII(s.weight, s.penalty),
        weight=1.0, takes_draws=False, gathers=True,
        posteriors=("diag", "tril"),
    ),
    "mmd": Kind(
        lambda s: Mmd(s.weight, s.info_alpha, s.sample_prior, s.penalty),
        weight=10.0, takes_draws=False, gathers=True, draws_more=True,
    ),
}  # fmt: skip
