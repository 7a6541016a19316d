"""Which requests go into which batch, and when a batch may run."""

import collections
import dataclasses
from collections.abc import Mapping
from concurrent.futures import Future

import numpy as np

from export.batching import (
    BATCH_TIMEOUT_MICROS,
    MAX_BATCH_SIZE,
    MAX_ENQUEUED_BATCHES,
    BatchingParameters,
)
from export.codes import Code
from export.server.errors import ServingError


@dataclasses.dataclass
class Task:
    """A request, or a part of one.

    Attributes:
      inputs: {tensor's name: [rows, ...]}.
      rows: at least 1.
      start: when it came, in seconds.
      outputs: {tensor's name: [rows, ...]}, once its batch has run.
    """

    inputs: Mapping[str, np.ndarray]
    rows: int
    start: float
    outputs: "Future[dict[str, np.ndarray]]" = dataclasses.field(
        default_factory=Future
    )


class Batch:
    """Tasks that run together."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    @property
    def rows(self) -> int:
        """The rows of all its tasks."""
        return sum(task.rows for task in self.tasks)

    @property
    def start(self) -> float:
        """When its first task came, in seconds."""
        return self.tasks[0].start


class BatchQueue:
    """Batches that wait for a thread; only the last one takes more tasks.

    A batch may run once it is full, or has waited for the time-out. Not safe
    among threads.
    """

    def __init__(self, parameters: BatchingParameters) -> None:
        self._limit = _or(parameters.max_batch_size, MAX_BATCH_SIZE)
        self._splitting = bool(parameters.enable_large_batch_splitting)
        self._most_rows = self._limit
        if self._splitting:
            self._most_rows = _or(
                parameters.max_execution_batch_size, self._limit
            )
        self._most_batches = _or(
            parameters.max_enqueued_batches, MAX_ENQUEUED_BATCHES
        )
        micros = _or(parameters.batch_timeout_micros, BATCH_TIMEOUT_MICROS)
        self._timeout = 1e-6 * micros
        self._batches = collections.deque([Batch()])

    def add(
        self, inputs: Mapping[str, np.ndarray], *, rows: int, now: float
    ) -> list[Task]:
        """Puts a request into the open batch, or begins a new one.

        Args:
          inputs: {tensor's name: [rows, ...]}.
          rows: at least 1.
          now: seconds.

        Returns:
          tasks: of the request; several where it is cut, which happens only
            with `enable_large_batch_splitting`.

        Raises:
          ServingError: the request is too large, or the queue is full.
        """
        self._check(rows)
        sizes = self._cut(rows)
        stops = np.cumsum(sizes)
        tasks = []
        for size, stop in zip(sizes, stops, strict=True):
            part = {k: v[stop - size : stop] for k, v in inputs.items()}
            task = Task(part, rows=size, start=now)
            if self._open.rows + size > self._most_rows:
                self._batches.append(Batch())
            self._open.tasks.append(task)
            tasks.append(task)
        return tasks

    def due(self) -> float | None:
        """Returns when the first batch may run, in seconds; None: no batch.

        That of a full batch lies in the past.
        """
        first = self._batches[0]
        if not first.tasks:
            return None
        full = len(self._batches) > 1 or first.rows >= self._most_rows
        return first.start + (0.0 if full else self._timeout)

    def take(self) -> Batch:
        """Returns the first batch, which takes no more tasks."""
        batch = self._batches.popleft()
        if not self._batches:
            self._batches.append(Batch())
        return batch

    @property
    def _open(self) -> Batch:
        return self._batches[-1]

    def _check(self, rows: int) -> None:
        if rows > self._limit:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Task size {rows} is larger than maximum input batch size "
                f"{self._limit}",
            )
        full = "The batch scheduling queue to which this task was submitted is "
        waiting, left = len(self._batches), self._most_rows - self._open.rows
        capacity = (self._most_batches - waiting) * self._most_rows + left
        if self._splitting and rows > capacity:
            raise ServingError(
                Code.UNAVAILABLE,
                f"{full}full; task size is {rows} but scheduling capacity is "
                f"only {capacity} (num_enqueued_batches={waiting}, "
                f"max_enqueued_batches={self._most_batches}, "
                f"open_batch_size={self._open.rows}, "
                f"max_execution_batch_size={self._most_rows})",
            )
        if rows > left and waiting >= self._most_batches:
            raise ServingError(
                Code.UNAVAILABLE,
                f"{full}full; currently {waiting} batches enqueued and "
                f"max_enqueued_batches is {self._most_batches}",
            )

    def _cut(self, rows: int) -> list[int]:
        """Returns the rows of a request's parts."""
        left = self._most_rows - self._open.rows
        if not self._splitting or rows <= left:
            return [rows]
        sizes = [left] if left else []
        for start in range(left, rows, self._most_rows):
            sizes.append(min(self._most_rows, rows - start))
        return sizes


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
