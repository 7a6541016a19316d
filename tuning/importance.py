"""How much each setting matters for the objective, by what a forest learns."""

from collections.abc import Collection, Sequence

import numpy as np
from scipy import stats
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.model_selection import RepeatedKFold

from tuning.columns import columns
from tuning.results import COMPLETED, Result

FEWEST_TRIALS = 8
NUM_TREES, NUM_FOLDS, NUM_REPEATS, NUM_SHUFFLES = 30, 5, 5, 5


def importance(
    results: Sequence[Result], *, log: Collection[str]
) -> dict[str, tuple[float, float]]:
    """Shares of the settings in what tells good trials from bad ones.

    A forest learns the rank of the objective from the settings, and predicts
    the trials that it was not shown. A setting matters as much as the squared
    error grows when its values are shuffled among those trials. Ranks, as one
    bad trial may lie 10,000 times further off than all others. Of trials with
    the same settings those of most epochs count: hyperband goes on with some.

    Args:
      results: of any status; completed ones count.
      log: names of the settings whose logarithm is learned from.

    Returns:
      shares: {name: (share, standard deviation)}, the largest first; shares
        are at least 0 and sum to 1, deviations are over repeats with other
        folds. Settings that never vary are left out. Empty where nothing can
        be said: fewer than 8 trials, no setting that varies, or a forest that
        predicts no better than the mean does.

    References:
      Breiman, 2001. Random Forests. Machine Learning 45, section 10.
    """
    trials = _longest(results)
    varied = {n: v for n, v in columns(trials).items() if len(set(v)) > 1}
    if len(trials) < FEWEST_TRIALS or not varied:
        return {}
    x = np.stack([_codes(v, log=n in log) for n, v in varied.items()], axis=1)
    ranks = stats.rankdata([trial.objective for trial in trials])
    error, growth = _growth(x, ranks)
    growth = np.maximum(growth, 0)
    # R^2 = 1 - error / variance
    if error >= ranks.var() or not growth.any(axis=1).all():
        return {}
    shares = growth / growth.sum(axis=1, keepdims=True)
    mean, deviation = shares.mean(axis=0), shares.std(axis=0)
    names = list(varied)
    return {
        names[i]: (float(mean[i]), float(deviation[i]))
        for i in np.argsort(-mean, kind="stable")
    }


def _longest(results: Sequence[Result]) -> list[Result]:
    """Returns the completed trials that none of the same settings outlasts."""
    trials = [result for result in results if result.status == COMPLETED]
    most: dict[str, int] = {}
    for trial in trials:
        epochs = trial.figures["epochs"]
        most[_key(trial)] = max(most.get(_key(trial), 0), epochs)
    return [t for t in trials if t.figures["epochs"] == most[_key(t)]]


def _key(trial: Result) -> str:
    return repr(sorted(trial.values.items()))


def _codes(values: list[float] | list[str], *, log: bool) -> np.ndarray:
    """Returns numbers, their logarithms, or the places of words, [n]."""
    if isinstance(values[0], str):
        return np.unique(values, return_inverse=True)[1].astype(float)
    return np.log(values) if log else np.asarray(values, float)


def _growth(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Squared error on trials not shown, and how far each shuffle raises it.

    Args:
      x: [n, k], settings.
      y: [n], ranks.

    Returns:
      error: mean over trials and repeats.
      growth: [NUM_REPEATS, k], means over trials.
    """
    folds = RepeatedKFold(
        n_splits=NUM_FOLDS, n_repeats=NUM_REPEATS, random_state=0
    )
    errors, growths = [], []
    for shown, hidden in folds.split(x):
        forest = RandomForestRegressor(NUM_TREES, random_state=0)
        forest.fit(x[shown], y[shown])
        errors.append(np.mean((forest.predict(x[hidden]) - y[hidden]) ** 2))
        shuffled = permutation_importance(
            forest, x[hidden], y[hidden], random_state=0,
            scoring="neg_mean_squared_error", n_repeats=NUM_SHUFFLES,
        )  # fmt: skip
        growths.append(shuffled.importances_mean)
    growth = np.reshape(growths, [NUM_REPEATS, NUM_FOLDS, -1]).mean(axis=1)
    return float(np.mean(errors)), growth
