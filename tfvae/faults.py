"""Which quantity stopped being finite first, and at which step."""

from typing import Any

import tensorflow as tf

from tfvae.replicas import counter

QUANTITIES = ("log_likelihood", "kl", "loss", "gradient")
NONE = -1


class Faults(tf.Module):
    """Remembers the first step at which a quantity was NaN or infinite.

    It is kept in variables so that a step that runs inside a compiled loop,
    out of Python's sight, can be named afterwards.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first_step = counter("fault_step", NONE)
        self.quantity = counter("fault_quantity", NONE)

    def note(self, step: tf.Tensor, counts: tf.Tensor) -> None:
        """Looks at one step's values.

        Args:
          step: scalar integer.
          counts: of all replicas, as `num_broken` returns them.
        """
        is_first = (self.first_step == NONE) & tf.reduce_any(counts > 0)
        first = tf.argmax(counts > 0)
        self.first_step.assign(
            tf.where(is_first, tf.cast(step, tf.int64), self.first_step)
        )
        self.quantity.assign(tf.where(is_first, first, self.quantity))

    def found(self) -> tuple[str, int] | None:
        """Returns (quantity, step) of the first fault, or None."""
        step = int(self.first_step.numpy())
        return (
            None
            if step == NONE
            else (QUANTITIES[int(self.quantity.numpy())], step)
        )


def num_broken(**values: Any) -> tf.Tensor:
    """Returns how many tensors of each quantity hold a value not finite.

    Args:
      **values: tensors, or lists of them, for some or all of QUANTITIES, which
        stand in the order in which a fault spreads.

    Returns:
      counts: [len(QUANTITIES)] float32, of this replica.
    """
    return tf.stack([_num_broken(values.get(name, [])) for name in QUANTITIES])


def _num_broken(values: tf.Tensor | list[tf.Tensor]) -> tf.Tensor:
    """Returns how many tensors hold a value that is not finite."""
    tensors = values if isinstance(values, list) else [values]
    return tf.add_n([
        tf.cast(~tf.math.is_finite(tf.reduce_sum(tensor)), tf.float32)
        for tensor in tensors
    ] or [tf.zeros([])])  # fmt: skip
