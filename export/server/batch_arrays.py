"""Joins the inputs of a batch's tasks, and cuts its outputs apart again."""

from collections.abc import Mapping, Sequence

import numpy as np

from export.codes import Code
from export.server.batch_queue import Task
from export.server.errors import ServingError

MOST_PADDED_DIMS = 6


def count_rows(inputs: Mapping[str, np.ndarray]) -> int:
    """Returns how many rows a request has, at least 1.

    Raises:
      ServingError: its inputs cannot be joined with others'.
    """
    if not inputs:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Batching Run() must have at least one input tensor",
        )
    if any(array.ndim == 0 for array in inputs.values()):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Batching Run() input tensors must have at least one dimension",
        )
    sizes = {len(array) for array in inputs.values()}
    if len(sizes) > 1:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Batching Run() input tensors must have equal 0th-dimension size",
        )
    (rows,) = sizes
    if rows == 0:
        # The real server was never seen to answer such a request.
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Batching Run() input tensors must have at least one row",
        )
    return rows


def padded_size(rows: int, *, allowed: Sequence[int]) -> int:
    """Returns the first allowed size that holds `rows`; none: `rows`."""
    return next((size for size in allowed if size >= rows), rows)


def join(
    tasks: Sequence[Task], *, size: int, pad_shapes: bool
) -> dict[str, np.ndarray]:
    """Returns the tasks' inputs one after another.

    What is missing to `size` is the last task's first row, again and again.

    Args:
      tasks: of a batch, with equal names of inputs.
      size: rows of the whole.
      pad_shapes: whether rows of unequal shapes are made equal.

    Returns:
      inputs: {tensor's name: [size, ...]}.

    Raises:
      ServingError: the tasks' shapes or types differ.
    """
    inputs = {}
    for name in sorted(tasks[0].inputs):
        arrays = [task.inputs[name] for task in tasks]
        if pad_shapes:
            arrays = _pad(arrays)  # [rows, ...] each
        elif len({array.shape[1:] for array in arrays}) > 1:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"Tensors with name '{name}' from different tasks have "
                "different shapes and padding is turned off.Set "
                "pad_variable_length_inputs to true, or ensure that all "
                "tensors with the same namehave equal dimensions starting "
                "with the first dim.",
            )
        if len({array.dtype for array in arrays}) > 1:
            raise ServingError(
                Code.INTERNAL,
                "Tensor concat operation failed: INVALID_ARGUMENT: Cannot "
                "concatenate tensors that have different data types.",
            )
        missing = size - sum(task.rows for task in tasks)
        arrays += [arrays[-1][:1]] * missing
        inputs[name] = np.concatenate(arrays)
    return inputs


def cut(
    outputs: Mapping[str, np.ndarray], *, tasks: Sequence[Task], size: int
) -> list[dict[str, np.ndarray]]:
    """Returns each task's own rows of a batch's outputs.

    Args:
      outputs: {tensor's name: [size, ...]}.
      tasks: of the batch.
      size: rows that ran, padding included.

    Raises:
      ServingError: an output has not a row for each row of the inputs.
    """
    for array in outputs.values():
        if array.ndim == 0:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor has 0 dimensions",
            )
        if len(array) != size:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum "
                "of the 0th dimension sizes of the input tensors",
            )
    stops = np.cumsum([task.rows for task in tasks])
    return [
        {k: v[stop - task.rows : stop] for k, v in outputs.items()}
        for task, stop in zip(tasks, stops, strict=True)
    ]


def _pad(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Makes all rows as large as the largest in each dimension.

    An array is filled up with its own first element.
    """
    ranks = {array.ndim for array in arrays}
    if len(ranks) > 1 or max(ranks) > MOST_PADDED_DIMS:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Only tensors with rank from 1 to 6 can be padded.",
        )
    largest = np.max([array.shape[1:] for array in arrays], axis=0)
    padded = []
    for array in arrays:
        shape = (len(array), *map(int, largest))
        if array.size == 0 and 0 not in shape:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "Got empty tensor in batch of non-empty tensors.",
            )
        whole = np.empty(shape, array.dtype)
        if array.size:
            whole.fill(array.flat[0])
        whole[tuple(map(slice, array.shape))] = array
        padded.append(whole)
    return padded
