"""Two bounds: a tight one for the decoder, a looser one for the encoder."""

import dataclasses

from tfvae.objectives import schedules
from tfvae.objectives.draws import Draws, Losses
from tfvae.objectives.iwae import iwae_bound, log_weights
from tfvae.objectives.miwae import miwae_bound


@dataclasses.dataclass(frozen=True)
class Piwae:
    """The model minimises -iwae_bound, the encoder -miwae_bound.

    The tighter the bound, the weaker the signal in the encoder's gradient;
    the decoder's does not suffer so.

    Attributes:
      num_groups: M of the encoder's bound, a divisor of the number of draws.
      schedule: from the step to the KL's weight.

    References:
      Rainforth et al., 2018. Tighter Variational Bounds are Not Necessarily
      Better. https://arxiv.org/abs/1802.04537
    """

    num_groups: int
    schedule: schedules.Schedule = dataclasses.field(
        default_factory=schedules.Constant
    )
    adversary = None

    def __call__(self, draws: Draws) -> Losses:
        """See `Objective.__call__`."""
        log_w = log_weights(draws, self.schedule(draws.step))
        return Losses(
            model=-iwae_bound(log_w),
            encoder=-miwae_bound(log_w, self.num_groups),
        )
