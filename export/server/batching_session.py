"""Joins requests that arrive together into one run, as the server does."""

import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from export.batching import BatchingParameters
from export.c_api import TensorFlowError
from export.codes import Code
from export.protos import meta_graph_pb2
from export.server import batch_arrays
from export.server.batch_queue import Batch, BatchQueue
from export.server.errors import ServingError
from export.server.metrics import Metrics
from export.server.servable import Runner

# Names of the input and of the output tensors, each sorted.
_Tensors = tuple[tuple[str, ...], tuple[str, ...]]


class BatchingSession:
    """A session whose concurrent runs of the same tensors are joined.

    Requests that share a batch share its fate: one that TensorFlow refuses
    fails its neighbours.

    Args:
      session: runs the batches; closed with this one.
      parameters: that have been checked.
      signatures: whose tensors are joined; runs of other tensors go to
        `session` as they are. None: all runs are joined.
      metrics: take waiting times and padding.
    """

    def __init__(
        self,
        session: Runner,
        parameters: BatchingParameters,
        *,
        signatures: Iterable[meta_graph_pb2.SignatureDef] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._session, self._parameters = session, parameters
        self._metrics = metrics or Metrics()
        self._joined = None
        if signatures is not None:
            self._joined = {_tensors(signature) for signature in signatures}
        self._queues: dict[_Tensors, BatchQueue] = {}
        self._changed = threading.Condition()
        self._closed = False
        count = parameters.num_batch_threads or len(os.sched_getaffinity(0))
        self._threads = [
            threading.Thread(target=self._work, name="batch", daemon=True)
            for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]
    ) -> list[np.ndarray]:
        """Returns the values of tensors, computed together with other runs'.

        Args:
          feeds: {tensor's name: [rows, ...]}.
          fetches: names of tensors.

        Returns:
          values: [rows, ...] each.

        Raises:
          ServingError: the run cannot be joined with others, there is no room
            in the queue, or the session is closed.
          TensorFlowError: the batch failed.
        """
        tensors = (tuple(sorted(feeds)), tuple(sorted(set(fetches))))
        if self._joined is not None and tensors not in self._joined:
            return self._session.run(feeds, fetches)
        rows = batch_arrays.count_rows(feeds)
        with self._changed:
            if self._closed:
                raise ServingError(Code.UNAVAILABLE, "The model was unloaded")
            if tensors not in self._queues:
                self._queues[tensors] = BatchQueue(self._parameters)
            queue = self._queues[tensors]
            tasks = queue.add(feeds, rows=rows, now=time.monotonic())
            self._changed.notify(len(tasks))
        parts = [task.outputs.result() for task in tasks]
        return [np.concatenate([part[k] for part in parts]) for k in fetches]

    def close(self) -> None:
        """Runs what waits, then closes the session."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._session.close()

    def _work(self) -> None:
        while (due := self._wait()) is not None:
            self._process(*due)

    def _wait(self) -> tuple[_Tensors, Batch] | None:
        """Returns the next batch; None: there will be no more."""
        with self._changed:
            while True:
                times = {
                    tensors: due
                    for tensors, queue in self._queues.items()
                    if (due := queue.due()) is not None
                }
                first = min(times, key=times.__getitem__, default=None)
                if first is None and self._closed:
                    return None
                left = None
                if first is not None:
                    left = times[first] - time.monotonic()
                    if left <= 0 or self._closed:
                        return first, self._queues[first].take()
                self._changed.wait(left)

    def _process(self, tensors: _Tensors, batch: Batch) -> None:
        """Runs a batch and gives each task its outputs, or the error."""
        now = time.monotonic()
        for task in batch.tasks:
            self._metrics.queuing(thread_pool_name="", seconds=now - task.start)
        try:
            outputs = self._run(tensors[1], batch)
        except (ServingError, TensorFlowError, MemoryError) as error:
            for task in batch.tasks:
                task.outputs.set_exception(error)
        else:
            for task, own in zip(batch.tasks, outputs, strict=True):
                task.outputs.set_result(own)

    def _run(
        self, fetches: Sequence[str], batch: Batch
    ) -> list[dict[str, np.ndarray]]:
        rows = batch.rows
        size = batch_arrays.padded_size(
            rows, allowed=self._parameters.allowed_batch_sizes
        )
        self._metrics.padding(rows=size - rows, batch_size=size)
        inputs = batch_arrays.join(
            batch.tasks,
            size=size,
            pad_shapes=self._parameters.pad_variable_length_inputs,
        )
        values = self._session.run(inputs, fetches)
        return batch_arrays.cut(
            dict(zip(fetches, values, strict=True)),
            tasks=batch.tasks,
            size=size,
        )


def _tensors(signature: meta_graph_pb2.SignatureDef) -> _Tensors:
    """Returns the tensors of a signature."""
    inputs = {info.name for info in signature.inputs.values()}
    outputs = {info.name for info in signature.outputs.values()}
    return tuple(sorted(inputs)), tuple(sorted(outputs))
