"""keras-tuner's four oracles, made robust.

The space must be declared up front: no trial adds a setting to it.
"""

import warnings
from typing import Any

import keras_tuner
import numpy as np
import sklearn.exceptions
import threadpoolctl
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.src.tuners.gridsearch import LinkedList
from scipy import stats

from tuning.robust import Robust

BELOW_ONE = 1 - 1e-9


class RandomSearchOracle(Robust, keras_tuner.oracles.RandomSearchOracle):
    """Values drawn at random."""


class BayesianOptimizationOracle(
    Robust, keras_tuner.oracles.BayesianOptimizationOracle
):
    """Values that a Gaussian process expects to be good.

    What it proposes depends on the seed and the trials so far alone, so that a
    restart changes nothing; and it proposes nothing twice.

    Args:
      *args: of the oracle.
      beta: of the upper confidence bound; keras-tuner's 2.6 spends half of 20
        trials on corners of the space (BUILD_NOTES).
      **kwargs: of the oracle.
    """

    def __init__(self, *args: Any, beta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, beta=beta, **kwargs)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """See `Oracle.populate_space`."""
        self._random_state = np.random.RandomState(self.seed + len(self.trials))
        # Threads cost more than they bring for matrices as small as these.
        one_thread = threadpoolctl.threadpool_limits(1, user_api="blas")
        with one_thread, warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", sklearn.exceptions.ConvergenceWarning
            )
            response = super().populate_space(trial_id)
        values = response["values"]
        if values is not None and self._duplicate(values):
            return self._random_populate_space()
        return response

    def _vectorize_trials(self) -> tuple[np.ndarray, np.ndarray]:
        """See the base; scores are replaced by the normal scores of their rank.

        The nll of a bad C is thousands of times that of a good one; on scores
        as they are, the process would not see good ones apart. What ongoing
        trials are predicted to have comes from all that are done; the base
        takes an earlier fit, or none at all.
        """
        x, y = self._vectors_of(TrialStatus.COMPLETED)
        y = normal_scores(y)
        if not self.ongoing_trials:
            return x, y
        self.gpr.fit(x, y)
        x_ongoing, y_ongoing = self._vectors_of(TrialStatus.RUNNING)
        return np.concatenate([x, x_ongoing]), np.concatenate([y, y_ongoing])

    def _vectors_of(self, status: str) -> tuple[np.ndarray, np.ndarray]:
        trials = self.trials
        self.trials = {
            trial_id: trial
            for trial_id, trial in trials.items()
            if trial.status == status
        }
        try:
            return super()._vectorize_trials()
        finally:
            self.trials = trials

    def _vector_to_values(self, vector: np.ndarray) -> dict[str, Any]:
        """See the base, which makes an Int of 1 that is above its maximum."""
        return super()._vector_to_values(np.clip(vector, 0, BELOW_ONE))


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Returns the standard normal quantiles of the values' ranks: [n].

    score = Phi^-1((rank - 1/2) / n); equal values share a rank.
    """
    return stats.norm.ppf((stats.rankdata(values) - 0.5) / len(values))


class HyperbandOracle(Robust, keras_tuner.oracles.HyperbandOracle):
    """Many short trials, of which the best go on.

    Args:
      *args: of the oracle.
      max_trials: the most trials; None: as many as the algorithm asks for.
      **kwargs: of the oracle.
    """

    def __init__(
        self, *args: Any, max_trials: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.max_trials = max_trials

    def num_trials(self) -> int:
        """Returns how many trials all rungs of all brackets have."""
        return int(self.hyperband_iterations) * sum(
            self._get_size(bracket, rung)
            for bracket in range(self._get_num_brackets())
            for rung in range(self._get_num_rounds(bracket))
        )


class GridSearchOracle(Robust, keras_tuner.oracles.GridSearchOracle):
    """Every combination of the values.

    keras-tuner waits for a trial's end before it goes on to the next
    combination, in case the trial adds settings: here the space is declared up
    front, nobody waits, and combinations begin in their order.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """See `Oracle.populate_space`."""
        self._populate_next = self.start_order[-1:]
        return super().populate_space(trial_id)

    def set_state(self, state: dict[str, Any]) -> None:
        """See `Oracle.set_state`."""
        super().set_state(state)
        self._ordered_ids = LinkedList()
        for trial_id in self.start_order:
            self._ordered_ids.insert(trial_id)
