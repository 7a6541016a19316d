"""What stops a step that is nobody's mistake in code, in one line."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from tfvae.errors import FailedError, InputError

READS = "IteratorGetNext"  # the operation that brings a streamed batch


@contextlib.contextmanager
def told_plainly() -> Iterator[None]:
    """Turns errors of reading and of memory into one line.

    Raises:
      InputError: an example that is streamed cannot be read.
      FailedError: there is too little memory.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise FailedError(
            f"out of memory ({_first_line(error)}); give a smaller "
            "--batch_size, or fewer --hidden_units or --filters."
        ) from error
    except tf.errors.OpError as error:
        if READS not in str(error):
            raise
        raise InputError(
            f"`dataset` holds an example that cannot be read: "
            f"{_first_line(error)}; mend or remove it."
        ) from error


def _first_line(error: tf.errors.OpError) -> str:
    return error.message.splitlines()[0][:200]
