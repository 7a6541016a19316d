"""All scores of codes for images whose factors are known."""

from collections.abc import Callable

import numpy as np

from tfvae.data.factors import FactorSpace
from tfvae.metrics import disentanglement, factor_vae

NUM_CODES = 10_000  # as in disentanglement_lib
NUM_BOOSTED = 2_000  # of them for DCI, whose classifiers take a minute


def scores(
    code_fn: Callable[[np.ndarray], np.ndarray],
    space: FactorSpace,
    *,
    seed: int,
    num_codes: int = NUM_CODES,
) -> dict[str, float]:
    """Draws factors, encodes their images, and scores the codes.

    Args:
      code_fn: from images [n, ...], as the space renders them, to mean codes
        [n, latent_dim].
      space: images as a function of factors.
      seed: of the draws.
      num_codes: examples; DCI sees the first 2,000 of them.

    Returns:
      mig, sap, dci_disentanglement, dci_completeness, dci_informativeness and
      factor_vae, each in [0, 1], higher is better; their functions say more.
    """
    factors = space.sample(np.random.default_rng(seed), num_codes)
    codes = code_fn(space.render(factors))
    dci = disentanglement.dci(
        codes[:NUM_BOOSTED], factors[:NUM_BOOSTED], seed=seed
    )
    return {
        "mig": disentanglement.mig(codes, factors),
        "sap": disentanglement.sap(codes, factors, seed=seed),
        "dci_disentanglement": dci.disentanglement,
        "dci_completeness": dci.completeness,
        "dci_informativeness": dci.informativeness,
        "factor_vae": factor_vae.factor_vae_score(
            factor_vae.codes_from_arrays(codes, factors),
            len(space.sizes),
            seed=seed,
        ),
    }
