"""How a server joins requests into batches: the file of its parameters."""

import dataclasses
import json
from typing import Any

from export import text_messages

FILE = "batching_params.pbtxt"  # in a version's folder
# What the server takes where the file is silent.
MAX_BATCH_SIZE = 1000
MAX_ENQUEUED_BATCHES, BATCH_TIMEOUT_MICROS = 10, 0


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """Parameters of batching; None: the server's default.

    Attributes:
      max_batch_size: rows, of one request and of a batch; default 1000.
      batch_timeout_micros: a batch that is not full waits so long; default 0.
      max_enqueued_batches: waiting for a thread; more are refused; default 10.
      num_batch_threads: that run batches; default: one a processor.
      thread_pool_name: of these threads.
      allowed_batch_sizes: rows to which a batch is padded, rising, the last
        one max_batch_size; none: it is not padded.
      pad_variable_length_inputs: whether inputs of unequal shapes are padded
        to the largest.
      enable_large_batch_splitting: whether a request above
        max_execution_batch_size is cut in parts.
      max_execution_batch_size: rows of a batch, where large ones are split;
        default max_batch_size.
    """

    max_batch_size: int | None = None
    batch_timeout_micros: int | None = None
    max_enqueued_batches: int | None = None
    num_batch_threads: int | None = None
    thread_pool_name: str | None = None
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    enable_large_batch_splitting: bool | None = None
    max_execution_batch_size: int | None = None

    def text(self) -> str:
        """Returns the file's content."""
        lines = []
        for field in dataclasses.fields(self):
            name, value = field.name, getattr(self, field.name)
            if isinstance(value, tuple):
                lines += [f"{name}: {size}" for size in value]
            elif name == "pad_variable_length_inputs":
                lines += [f"{name}: true"] * value
            elif value is not None:
                lines.append(f"{name} {{ value: {json.dumps(value)} }}")
        return "".join(f"{line}\n" for line in lines)

    def check(self) -> None:
        """Applies the rules that the server applies when it loads a version.

        Raises:
          ValueError: a version with these parameters would not be loaded; in
            the server's words.
        """
        limit = _or(self.max_batch_size, MAX_BATCH_SIZE)
        if self.allowed_batch_sizes and self.allowed_batch_sizes[-1] != limit:
            raise ValueError(
                "Last entry in allowed_batch_sizes must match max_batch_size; "
                f"last entry was {self.allowed_batch_sizes[-1]}; expected "
                f"{limit}"
            )
        if limit == 0:
            raise ValueError("input_batch_size_limit must be positive; was 0")
        timeout = _or(self.batch_timeout_micros, BATCH_TIMEOUT_MICROS)
        if timeout < 0:
            raise ValueError(
                f"batch_timeout_micros must be non-negative; was {timeout}"
            )
        if self.num_batch_threads is not None and self.num_batch_threads < 1:
            raise ValueError(
                "num_batch_threads must be positive; was "
                f"{self.num_batch_threads}"
            )
        if self.enable_large_batch_splitting:
            self._check_splitting(limit)

    def _check_splitting(self, limit: int) -> None:
        if self.max_enqueued_batches == 0:
            raise ValueError("max_enqueued_batches must be positive; was 0")
        rows = _or(self.max_execution_batch_size, limit)
        if limit < rows:
            # The server's words end in its three numbers, run together.
            raise ValueError(
                "When enable_large_batch_splitting is true, "
                "input_batch_size_limit must be greater than or equal to "
                f"max_execution_batch_size.1{limit}{rows}"
            )


def read(text: str) -> BatchingParameters:
    """Returns the parameters that a file holds; whether they go is not checked.

    Args:
      text: of the file.

    Raises:
      ValueError: it is not the text of BatchingParameters.
    """
    message = text_messages.read("BatchingParameters", text)
    values: dict[str, Any] = {
        field.name: value.value if hasattr(value, "value") else value
        for field, value in message.ListFields()
    }
    if "allowed_batch_sizes" in values:
        values["allowed_batch_sizes"] = tuple(values["allowed_batch_sizes"])
    return BatchingParameters(**values)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
