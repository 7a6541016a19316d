"""Scores of codes that are perfect, useless, duplicated, or done by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from tfvae.metrics import disentanglement, factor_vae

RNG = np.random.default_rng(0)
NUM_EXAMPLES = 3000
FACTORS = RNG.integers([2, 3, 4], size=[NUM_EXAMPLES, 3])
PERFECT = np.concatenate([FACTORS, np.zeros([NUM_EXAMPLES, 1])], axis=1)
NOISE = RNG.normal(size=[NUM_EXAMPLES, 4])
CONSTANT = np.full([NUM_EXAMPLES, 4], 0.3)
DUPLICATED = np.concatenate([FACTORS, FACTORS], axis=1)
SEVERAL = 400  # rows of the above for the slower scores

CROSSED = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def _few(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return codes[:SEVERAL], FACTORS[:SEVERAL]


def _votes(codes: np.ndarray, **kwargs: float) -> float:
    codes_fn = factor_vae.codes_from_arrays(codes, FACTORS)
    return factor_vae.factor_vae_score(
        codes_fn, 3, num_train=300, num_eval=300, num_variance=1000, **kwargs
    )


def test_mig_of_perfect_codes_is_one_but_for_chance() -> None:
    # The second code is the constant one: no information, no chance.
    assert disentanglement.mig(PERFECT, FACTORS) >= 0.99
    # Crossed factors are independent exactly.
    assert disentanglement.mig(CROSSED, CROSSED) == pytest.approx(1)


def test_mig_of_useless_codes_is_small() -> None:
    assert disentanglement.mig(CONSTANT, FACTORS) == 0
    # Expected information of noise: (20 - 1) (values - 1) / (2 n) = 0.0095
    # nats for 4 values, of log 4; the gap is a part of that.
    assert 0 < disentanglement.mig(NOISE, FACTORS) < 0.01


def test_mig_of_duplicated_codes_is_zero() -> None:
    assert disentanglement.mig(DUPLICATED, FACTORS) == pytest.approx(0)


def test_mig_by_hand() -> None:
    # v: two fair bits. z_0 = v_0, z_1 = [v_0 and v_1], z_2 = 2 v_0 + v_1.
    codes = np.stack([CROSSED[:, 0], CROSSED.prod(axis=1)], axis=1)
    conjunction = (np.log(4) - 0.75 * np.log(3)) - 0.5 * np.log(2)
    first = (np.log(2) - conjunction) / np.log(2)  # z_0, then z_1
    second = conjunction / np.log(2)  # z_1, then z_0
    assert disentanglement.mig(codes, CROSSED) == pytest.approx(
        (first + second) / 2
    )
    # A factor of three values in place of v_1, told by a code of two.
    factors = np.array([[v, w] for v in (0, 1) for w in (0, 1, 2)])
    codes = np.stack([factors[:, 0], factors[:, 1] > 0], axis=1)
    told = np.log(3) - 2 / 3 * np.log(2)
    assert disentanglement.mig(codes, factors) == pytest.approx(
        (1 + told / np.log(3)) / 2
    )


def test_mig_takes_bins_of_equal_width() -> None:
    codes = np.array([[0.0, 5], [0.1, 5], [0.9, 5], [1.0, 5]])
    factors = np.array([[0, 0], [1, 0], [2, 1], [3, 1]])
    # Two bins: log 2 of log 4 nats, and log 2 of log 2.
    two = disentanglement.mig(codes, factors, num_bins=2)
    assert two == pytest.approx(0.75)
    assert disentanglement.mig(codes, factors) == pytest.approx(1)


def test_sap_of_perfect_codes_is_one_minus_chance() -> None:
    fair = RNG.integers(2, size=[NUM_EXAMPLES, 3])
    # Accuracy 1, and 1/2 for the better of two other codes: 1,000 examples,
    # standard error 0.016.
    assert disentanglement.sap(fair, fair) == pytest.approx(0.5, abs=0.08)


def test_sap_of_useless_and_of_duplicated_codes_is_small() -> None:
    assert disentanglement.sap(*_few(CONSTANT)) == 0
    assert disentanglement.sap(*_few(DUPLICATED)) == 0
    # Best of four accuracies with standard error up to 0.016.
    assert disentanglement.sap(NOISE, FACTORS) < 0.08


def test_dci_of_perfect_codes_is_one() -> None:
    scores = disentanglement.dci(*_few(PERFECT))
    assert scores.disentanglement >= 0.99
    assert scores.completeness >= 0.99
    assert scores.informativeness == 1


def test_dci_of_duplicated_codes_is_disentangled_but_not_complete() -> None:
    scores = disentanglement.dci(*_few(DUPLICATED))
    assert scores.disentanglement >= 0.99
    # Even shares of two among six codes: 1 - log 2 / log 6 = 0.61.
    assert scores.completeness == pytest.approx(0.61, abs=0.1)
    assert scores.informativeness == 1


def test_dci_of_useless_codes_is_small() -> None:
    scores = disentanglement.dci(*_few(NOISE))
    assert scores.disentanglement < 0.1
    assert scores.completeness < 0.1
    # Chance is (1/2 + 1/3 + 1/4) / 3 = 0.36; 133 examples three times.
    assert scores.informativeness == pytest.approx(0.36, abs=0.12)
    constant = disentanglement.dci(*_few(CONSTANT))
    assert constant.disentanglement == constant.completeness == 0


class _Stub:
    """A classifier of given importances and accuracy."""

    columns = (
        (np.array([0.75, 0.25, 0.0]), 0.5),
        (np.array([0.25, 0.25, 0.5]), 0.7),
    )

    def __init__(self, seed: int) -> None:
        assert seed == 4

    def fit(self, codes: np.ndarray, factor: np.ndarray) -> None:
        assert codes.shape == (20, 3)
        column = self.columns[int(factor.max() > 1)]
        self.feature_importances_, self.accuracy = column

    def score(self, codes: np.ndarray, factor: np.ndarray) -> float:
        assert codes.shape == (10, 3)
        return self.accuracy


def test_dci_by_hand() -> None:
    codes = np.zeros([30, 3])
    factors = np.stack([np.arange(30) % 2, np.arange(30) % 3], axis=1)
    scores = disentanglement.dci(codes, factors, seed=4, make_classifier=_Stub)
    rows = np.array([[0.75, 0.25], [0.25, 0.25], [0.0, 0.5]])
    each_code = 1 - stats.entropy(rows, base=2, axis=1)
    each_factor = 1 - stats.entropy(rows, base=3, axis=0)
    assert scores.disentanglement == pytest.approx(
        np.average(each_code, weights=[1.0, 0.5, 0.5])
    )
    assert scores.completeness == pytest.approx(np.mean(each_factor))
    assert scores.informativeness == pytest.approx(0.6)


def test_factor_vae_score_of_perfect_codes_is_one() -> None:
    assert _votes(PERFECT) == 1  # its constant code draws no votes
    assert _votes(DUPLICATED) == 1


def test_factor_vae_score_takes_variance_relative_to_all_data() -> None:
    codes = (PERFECT + 0.05 * NOISE) * [1, 100, 0.01, 0]
    assert _votes(codes, min_scale=1e-3) == 1


def test_factor_vae_score_of_useless_codes_is_chance_or_nothing() -> None:
    assert _votes(CONSTANT) == 0
    # Chance 1/3, 300 votes: standard error 0.027.
    assert _votes(NOISE) == pytest.approx(1 / 3, abs=0.136)


def test_factor_vae_score_leaves_out_codes_below_the_scale() -> None:
    # Votes go to codes of factors 0 and 1 only: a third cannot be right.
    score = _votes(PERFECT * [1, 1, 0.01, 1])
    assert score == pytest.approx(2 / 3, abs=0.136)


def test_drawn_codes_agree_in_the_factor_that_is_held() -> None:
    codes_fn = factor_vae.codes_from_arrays(FACTORS, FACTORS)
    rng = np.random.default_rng(1)
    for factor in range(3):
        values = set()
        for _ in range(40):
            codes = codes_fn(factor, 50, rng)
            assert codes.shape == (50, 3)
            spread = np.ptp(codes, axis=0)
            assert list(spread > 0) == [k != factor for k in range(3)]
            values.add(codes[0, factor])
        assert values == set(range(factor + 2))
    assert np.all(np.ptp(codes_fn(None, 50, rng), axis=0) > 0)


@pytest.mark.parametrize(
    "score",
    [
        lambda seed: disentanglement.sap(*_few(NOISE), seed=seed),
        lambda seed: disentanglement.dci(NOISE[:60], FACTORS[:60], seed=seed),
        lambda seed: _votes(NOISE, seed=seed),
    ],
)
def test_score_depends_on_its_seed_alone(score: Callable) -> None:
    assert score(1) == score(1)
    assert score(1) != score(2)


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (np.zeros([4, 1]), CROSSED, r"`codes` must have .* got \[4, 1\]"),
        (np.eye(4), np.arange(4), r"`factors` must have .* got \[4\]"),
        (np.eye(3), CROSSED, "of the same examples; got 3 and 4"),
        (np.full([4, 2], np.nan), CROSSED, "`codes` must be finite"),
        (np.eye(4), CROSSED * [1, 0], "must vary; .* single value in column 1"),
    ],
)
def test_wrong_arrays_are_refused(
    codes: np.ndarray, factors: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        disentanglement.mig(codes, factors)


def test_too_few_examples_to_fit_are_refused() -> None:
    factors = np.array([[0, 0], [1, 1]])
    with pytest.raises(ValueError, match="a single value among 1; give more"):
        disentanglement.sap(np.eye(2), factors)
