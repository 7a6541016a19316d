"""What the workers of a job tell each other between steps.

Each process runs the same program. What only one of them knows, a signal or
the content of the run folder, must reach all before any acts on it: else one
would wait in a collective operation that the others never enter.
"""

import numpy as np
import tensorflow as tf


class Workers:
    """The processes of a strategy; of most strategies just this one.

    All workers must call the same methods in the same order.

    Args:
      strategy: that they train under.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        resolver = strategy.cluster_resolver
        spec = resolver.cluster_spec().as_dict() if resolver else {}
        self.num_workers = len(spec.get("worker", [None]))
        self.index = (resolver.task_id or 0) if resolver else 0

    @property
    def is_chief(self) -> bool:
        """Whether this one reads and writes the run folder."""
        return self.index == 0

    def largest(self, value: int) -> int:
        """Returns the largest of the values that the workers give.

        Args:
          value: from -2^31 to 2^31 - 1.
        """
        if self.num_workers == 1:
            return value
        return int(tf.reduce_max(self._gathered(tf.constant([value]))))

    def wait(self) -> None:
        """Returns once all workers have called this."""
        self.largest(0)

    def share(self, content: bytes) -> bytes:
        """Returns the content that the chief gives.

        Args:
          content: of the chief; what others give is not looked at.
        """
        if self.num_workers == 1:
            return content
        size = self.largest(len(content) if self.is_chief else 0)
        own = content if self.is_chief else b""
        # Whole numbers, and one at least: TensorFlow crashes on none.
        own += b"\0" * ((size // 4 + 1) * 4 - len(own))
        told = self._of_first_replica(tf.constant(np.frombuffer(own, np.int32)))
        return told.numpy().tobytes()[:size]

    @tf.function(reduce_retracing=True)
    def _gathered(self, values: tf.Tensor) -> tf.Tensor:
        def gather() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            return context.all_gather(tf.identity(values), axis=0)

        return self._own(self._strategy.run(gather))

    @tf.function(reduce_retracing=True)
    def _of_first_replica(self, values: tf.Tensor) -> tf.Tensor:
        """Returns what the first replica of all has; that of others is 0."""

        def add() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group == 0
            own = tf.where(first, values, tf.zeros_like(values))
            return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

        return self._own(self._strategy.run(add))

    def _own(self, results: tf.Tensor) -> tf.Tensor:
        return self._strategy.experimental_local_results(results)[0]
