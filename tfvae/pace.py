"""How many steps run in one graph before Python looks at what goes on."""

import time
from collections.abc import Iterator

from tfvae.workers import Workers

# Between two looks: a signal is answered within seconds, whatever a step costs.
SHORT, LONG = 1.0, 2.5


class Pace:
    """Few steps at first, then as many as take about a second or two.

    Results do not depend on it.

    Args:
      most: steps in one graph.
      workers: of which all run the same steps.
    """

    def __init__(self, most: int, workers: Workers) -> None:
        self._most = most
        self._workers = workers
        self._num = 1

    def executions(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Yields (first step, number of steps) for steps [first, end).

        Args:
          first: step.
          end: the step after the last.
        """
        while first < end:
            num = min(self._num, end - first)
            began = time.perf_counter()
            yield first, num
            self._adapt(num, time.perf_counter() - began)
            first += num

    def _adapt(self, num: int, seconds: float) -> None:
        if seconds > LONG:
            wanted = max(1, num // 2)
        elif seconds < SHORT and num == self._num:
            wanted = min(2 * num, self._most)
        else:
            wanted = self._num
        self._num = -self._workers.largest(-wanted)
