"""The FactorVAE score: which code moves least while a factor is held?"""

from collections.abc import Callable

import numpy as np

from tfvae.metrics import disentanglement

CodesFn = Callable[[int | None, int, np.random.Generator], np.ndarray]


def factor_vae_score(
    codes_fn: CodesFn,
    num_factors: int,
    *,
    seed: int = 0,
    num_train: int = 10_000,
    num_eval: int = 5_000,
    batch_size: int = 64,
    num_variance: int = 10_000,
    min_scale: float = 0.05,
) -> float:
    """Accuracy of the majority vote from least varying code to held factor.

    For each vote, a factor is drawn and held at one value over a batch; the
    vote is for the code of least variance within the batch, relative to its
    variance over all data. Each code then stands for the factor that it got
    most votes for, and the score is the accuracy of this on other votes.

    The numbers are those of disentanglement_lib's study, `min_scale` too:
    with 0 a constant code would divide 0 by 0.

    Args:
      codes_fn: from (factor held, or None; number; generator) to mean codes
        [number, latent_dim] of random examples that agree in that factor;
        `codes_from_arrays` makes one.
      num_factors: of the data.
      seed: of the draws.
      num_train: votes that the majority is taken of.
      num_eval: votes that the score is taken of.
      batch_size: examples for each vote.
      num_variance: examples for the variance over all data.
      min_scale: standard deviation over all data from which on a code may be
        voted for.

    Returns:
      score: in [0, 1], higher is better; about 1 / num_factors for codes that
      tell nothing; 0 if no code reaches `min_scale`.

    References:
      Kim and Mnih, 2018. Disentangling by Factorising, section 4.
      https://arxiv.org/abs/1802.05983
    """
    rng = np.random.default_rng(seed)
    variance = np.var(codes_fn(None, num_variance, rng), axis=0, ddof=1)
    active = np.flatnonzero(np.sqrt(variance) >= max(min_scale, 1e-12))
    if not active.size:
        return 0.0

    def votes(num_votes: int) -> np.ndarray:
        counts = np.zeros([num_factors, active.size], np.int64)
        for factor in rng.integers(num_factors, size=num_votes):
            codes = codes_fn(int(factor), batch_size, rng)[:, active]
            spread = np.var(codes, axis=0, ddof=1) / variance[active]
            counts[factor, np.argmin(spread)] += 1
        return counts

    factor_of_code = np.argmax(votes(num_train), axis=0)
    held_out = votes(num_eval)
    right = held_out[factor_of_code, np.arange(active.size)]
    return float(right.sum() / held_out.sum())


def codes_from_arrays(codes: np.ndarray, factors: np.ndarray) -> CodesFn:
    """Returns the `codes_fn` that draws, with replacement, from examples.

    The value that a factor is held at is that of a random example.

    Args:
      codes: [n, latent_dim], means of q(z|x).
      factors: [n, num_factors], integers.

    Raises:
      ValueError: see `disentanglement.check`.
    """
    codes, factors = disentanglement.check(codes, factors)
    rows_of = [
        {value: np.flatnonzero(factor == value) for value in np.unique(factor)}
        for factor in factors.T
    ]

    def codes_fn(
        factor: int | None, num_examples: int, rng: np.random.Generator
    ) -> np.ndarray:
        if factor is None:
            return codes[rng.integers(len(codes), size=num_examples)]
        value = factors[rng.integers(len(codes)), factor]
        return codes[rng.choice(rows_of[factor][value], size=num_examples)]

    return codes_fn
