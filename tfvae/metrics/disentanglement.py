"""Disentanglement: does each latent dimension tell of one factor of the data?

The definitions are those of disentanglement_lib (Locatello et al., 2019), on
mean codes [n, latent_dim] and integer factors [n, num_factors] of the same
examples. Scores by different code, or of sampled codes, are not comparable.

References:
  Locatello et al., 2019. Challenging Common Assumptions in the Unsupervised
  Learning of Disentangled Representations. https://arxiv.org/abs/1811.12359
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import mutual_info_score
from sklearn.svm import LinearSVC

TEST_SHARE = 1 / 3  # 10,000 to train and 5,000 to test, in the reference


@dataclasses.dataclass(frozen=True)
class DCI:
    """Scores in [0, 1], higher is better; see `dci`.

    Attributes:
      disentanglement: each code tells of one factor.
      completeness: each factor is told by one code.
      informativeness: accuracy on held-out examples, mean over factors.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def mig(codes: np.ndarray, factors: np.ndarray, *, num_bins: int = 20) -> float:
    """Mutual information gap.

    mig = mean_k (I(z_best; v_k) - I(z_second; v_k)) / H(v_k)

    Codes are put into bins of equal width between their least and greatest
    value; the information is that of the two discrete variables.

    Args:
      codes: [n, latent_dim], means of q(z|x).
      factors: [n, num_factors], integers.
      num_bins: of each code.

    Returns:
      mig: mean over factors, in [0, 1], higher is better.

    Raises:
      ValueError: see `check`.

    References:
      Chen et al., 2018. Isolating Sources of Disentanglement in Variational
      Autoencoders. https://arxiv.org/abs/1802.04942
    """
    codes, factors = check(codes, factors)
    binned = [
        np.digitize(code, np.histogram(code, num_bins)[1][:-1])
        for code in codes.T
    ]
    gaps = []
    for factor in factors.T:
        information = [mutual_info_score(factor, code) for code in binned]
        # H(v) = I(v; v)
        gaps.append(_gap(information) / mutual_info_score(factor, factor))
    return float(np.mean(gaps))


def sap(codes: np.ndarray, factors: np.ndarray, *, seed: int = 0) -> float:
    """Separated attribute predictability, for discrete factors.

    sap = mean_k (accuracy of the best single code - that of the second best)

    The accuracy is of a linear support vector machine from one code to the
    factor (C = 0.01, classes balanced), on the third of the examples that it
    is not fitted to.

    Args:
      codes: [n, latent_dim], means of q(z|x).
      factors: [n, num_factors], integers.
      seed: of the split and of the machine.

    Returns:
      sap: mean over factors, in [0, 1], higher is better.

    Raises:
      ValueError: see `check`.

    References:
      Kumar et al., 2018. Variational Inference of Disentangled Latent Concepts
      from Unlabeled Observations, section 3. https://arxiv.org/abs/1711.00848
    """
    codes, factors = check(codes, factors)
    train, test = _split(factors, seed)
    gaps = []
    for factor in factors.T:
        accuracy = []
        for code in codes.T[..., np.newaxis]:
            machine = LinearSVC(
                C=0.01, class_weight="balanced", random_state=seed
            )
            machine.fit(code[train], factor[train])
            accuracy.append(machine.score(code[test], factor[test]))
        gaps.append(_gap(accuracy))
    return float(np.mean(gaps))


def gradient_boosting(seed: int) -> GradientBoostingClassifier:
    """The classifier that disentanglement_lib uses, at its defaults.

    100 trees for each class: minutes for a factor of 40 values and 10,000
    examples.
    """
    return GradientBoostingClassifier(random_state=seed)


def dci(
    codes: np.ndarray,
    factors: np.ndarray,
    *,
    seed: int = 0,
    make_classifier: Callable[[int], Any] = gradient_boosting,
) -> DCI:
    """Disentanglement, completeness and informativeness.

    R[i, k] = importance of code i to the classifier of factor k
    disentanglement = sum_i share of row i (1 - entropy of row i, base K)
    completeness = sum_k share of column k (1 - entropy of column k, base D)

    The classifier is fitted to two thirds of the examples; informativeness is
    its accuracy on the others (where the paper reports the error).

    Args:
      codes: [n, latent_dim], means of q(z|x).
      factors: [n, num_factors], integers.
      seed: of the split and of the classifiers.
      make_classifier: from a seed to a scikit-learn classifier with
        `feature_importances_`. Another one than the default, a random forest
        say, is faster and gives other scores.

    Returns:
      The three scores; the first two are 0 where no code is of use.

    Raises:
      ValueError: see `check`.

    References:
      Eastwood and Williams, 2018. A Framework for the Quantitative Evaluation
      of Disentangled Representations, section 2.
      https://openreview.net/forum?id=By-7dz-AZ
    """
    codes, factors = check(codes, factors)
    train, test = _split(factors, seed)
    importance, accuracy = [], []
    for factor in factors.T:
        classifier = make_classifier(seed)
        classifier.fit(codes[train], factor[train])
        importance.append(classifier.feature_importances_)
        accuracy.append(classifier.score(codes[test], factor[test]))
    matrix = np.stack(importance, axis=1)  # [latent_dim, num_factors]
    return DCI(
        disentanglement=_concentration(matrix),
        completeness=_concentration(matrix.T),
        informativeness=float(np.mean(accuracy)),
    )


def check(
    codes: np.ndarray, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns codes as float64 and factors as int64, both with 2 axes.

    Raises:
      ValueError: numbers of examples differ; fewer than two codes or factors;
        codes that are not finite; a factor with a single value.
    """
    codes = np.asarray(codes, np.float64)
    factors = np.asarray(factors)
    for name, array in (("codes", codes), ("factors", factors)):
        if array.ndim != 2 or array.shape[1] < 2:
            raise ValueError(
                f"`{name}` must have shape [n, 2 or more]; got "
                f"{list(array.shape)}."
            )
    if len(codes) != len(factors):
        raise ValueError(
            "`codes` and `factors` must be of the same examples; got "
            f"{len(codes)} and {len(factors)}."
        )
    if not np.all(np.isfinite(codes)):
        raise ValueError("`codes` must be finite; got nan or infinity.")
    for index, factor in enumerate(factors.T):
        if np.all(factor == factor[0]):
            raise ValueError(
                f"`factors` must vary; got a single value in column {index}; "
                "leave it out."
            )
    return codes, factors.astype(np.int64)


def _split(factors: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices of a random two thirds, and of the rest."""
    order = np.random.default_rng(seed).permutation(len(factors))
    num_test = max(1, round(TEST_SHARE * len(factors)))
    train, test = order[num_test:], order[:num_test]
    if np.any(np.ptp(factors[train], axis=0) == 0):
        raise ValueError(
            "`factors` must vary among the examples that are fitted to; got "
            f"a single value among {len(train)}; give more examples."
        )
    return train, test


def _gap(values: list[float]) -> float:
    second, best = np.sort(values)[-2:]
    return best - second


def _concentration(importance: np.ndarray) -> float:
    """Returns 1 - entropy of each row, averaged by the rows' shares."""
    total = importance.sum(axis=1)
    if not np.any(total):
        return 0.0
    used = importance[total > 0]
    p = used / used.sum(axis=1, keepdims=True)
    log_p = np.log(p, out=np.zeros_like(p), where=p > 0)
    # H(p), base: the number of columns
    entropy = -np.sum(p * log_p, axis=1) / np.log(p.shape[1])
    return float(np.average(1 - entropy, weights=used.sum(axis=1)))
