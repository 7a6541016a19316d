"""The front: trials that no other one beats in both figures."""

import numpy as np

from tuning.pareto import pareto_front


def test_front_is_what_pairwise_comparison_leaves() -> None:
    draw = np.random.default_rng(0)
    # Whole numbers, so that many are equal in one figure or in both.
    rate = draw.integers(0, 20, size=60).astype(float)
    distortion = (20 - rate + draw.integers(0, 9, size=60)).clip(0, 12)
    trials = list(zip(rate, distortion, strict=True))
    left = [
        i
        for i, (r, d) in enumerate(trials)
        if not any(
            r2 <= r and d2 <= d and (r2, d2) != (r, d) for r2, d2 in trials
        )
    ]
    ids = pareto_front(rate, distortion)
    assert sorted(ids) == left
    assert 3 < len(left) < 50


def test_front_goes_from_the_smallest_rate_to_the_smallest_distortion() -> None:
    # In the order of the arrays: 0 and 3 lie on it, 1 has the distortion of 0
    # but more rate, 2 the rate of 3 but more distortion, 4 is far off.
    rate = np.array([20.0, 30.0, 3.0, 3.0, 50.0])
    distortion = np.array([-40.0, -40.0, 90.0, 70.0, 80.0])
    assert pareto_front(rate, distortion).tolist() == [3, 0]


def test_equal_trials_are_all_on_the_front() -> None:
    rate = np.array([2.0, 5.0, 2.0])
    distortion = np.array([4.0, 9.0, 4.0])
    assert pareto_front(rate, distortion).tolist() == [0, 2]


def test_one_trial_is_its_own_front() -> None:
    assert pareto_front(np.array([7.0]), np.array([1.0])).tolist() == [0]
