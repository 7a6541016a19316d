"""The arrays of a batch: joined, padded, cut apart."""

import numpy as np
import pytest

from export.codes import Code
from export.server import batch_arrays
from export.server.batch_queue import Task
from export.server.errors import ServingError


def _task(*arrays: np.ndarray) -> Task:
    inputs = {f"{name}:0": a for name, a in zip("xy", arrays, strict=False)}
    return Task(inputs, rows=len(arrays[0]), start=0.0)


def _ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "must have at least one input tensor"),
        ({"x": _ones()}, "input tensors must have at least one dimension"),
        (
            {"x": _ones(3), "y": _ones()},
            "input tensors must have at least one dimension",
        ),
        (
            {"x": _ones(3), "y": _ones(2, 3)},
            "input tensors must have equal 0th-dimension size",
        ),
        ({"x": _ones(0, 3)}, "input tensors must have at least one row"),
    ],
)
def test_what_cannot_be_joined(inputs: dict, message: str) -> None:
    with pytest.raises(ServingError) as caught:
        batch_arrays.count_rows(inputs)
    assert caught.value.code == Code.INVALID_ARGUMENT
    assert caught.value.message == f"Batching Run() {message}"


def test_rows_are_those_of_every_input() -> None:
    assert batch_arrays.count_rows({"x": _ones(3, 2), "y": _ones(3)}) == 3


@pytest.mark.parametrize(
    ("rows", "size"), [(1, 2), (2, 2), (3, 6), (6, 6), (7, 7)]
)
def test_a_batch_is_padded_to_the_next_allowed_size(
    rows: int, size: int
) -> None:
    assert batch_arrays.padded_size(rows, allowed=(2, 6)) == size
    assert batch_arrays.padded_size(rows, allowed=()) == rows


def test_tasks_follow_each_other_and_the_last_one_s_first_row_fills() -> None:
    x = np.arange(10.0).reshape(5, 2)
    y = np.arange(5)
    tasks = [_task(x[:2], y[:2]), _task(x[2:], y[2:])]
    joined = batch_arrays.join(tasks, size=8, pad_shapes=False)
    rows = [0, 1, 2, 3, 4, 2, 2, 2]
    np.testing.assert_array_equal(joined["x:0"], x[rows])
    np.testing.assert_array_equal(joined["y:0"], y[rows])


def test_each_task_gets_its_own_rows() -> None:
    tasks = [_task(_ones(3)), _task(_ones(1)), _task(_ones(2))]
    outputs = {"a": np.arange(16).reshape(8, 2), "b": np.arange(8)}
    for own, rows in zip(
        batch_arrays.cut(outputs, tasks=tasks, size=8),
        ([0, 1, 2], [3], [4, 5]),
        strict=True,
    ):
        for name, array in outputs.items():
            np.testing.assert_array_equal(own[name], array[rows])


UNEQUAL = (
    "Batched output tensor's 0th dimension does not equal the sum of the 0th "
    "dimension sizes of the input tensors"
)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (_ones(), "Batched output tensor has 0 dimensions"),
        (_ones(3, 8), UNEQUAL),
        (_ones(5), UNEQUAL),
    ],
)
def test_outputs_that_have_not_a_row_each(
    output: np.ndarray, message: str
) -> None:
    outputs = {"a": _ones(4, 2), "b": output}
    with pytest.raises(ServingError) as caught:
        batch_arrays.cut(outputs, tasks=[_task(_ones(3))], size=4)
    assert caught.value.code == Code.FAILED_PRECONDITION
    assert caught.value.message == message


def test_unequal_rows_are_not_joined() -> None:
    tasks = [_task(_ones(3, 2)), _task(_ones(4, 5))]
    with pytest.raises(ServingError) as caught:
        batch_arrays.join(tasks, size=7, pad_shapes=False)
    assert caught.value.code == Code.FAILED_PRECONDITION
    assert caught.value.message.startswith(
        "Tensors with name 'x:0' from different tasks have different shapes "
        "and padding is turned off.Set pad_variable_length_inputs to true"
    )


def test_unequal_types_are_not_joined() -> None:
    tasks = [_task(_ones(3)), _task(np.ones(2))]
    for pad_shapes in (False, True):
        with pytest.raises(ServingError, match="different data types") as e:
            batch_arrays.join(tasks, size=5, pad_shapes=pad_shapes)
        assert e.value.code == Code.INTERNAL


def test_unequal_rows_are_padded_with_a_task_s_first_value() -> None:
    x = np.array([[[5, 1]], [[2, 3]]])  # [2, 1, 2]
    y = np.array([[[7], [8], [9]]])  # [1, 3, 1]
    joined = batch_arrays.join([_task(x), _task(y)], size=4, pad_shapes=True)
    expected = [
        [[5, 1], [5, 5], [5, 5]],
        [[2, 3], [5, 5], [5, 5]],
        [[7, 7], [8, 7], [9, 7]],
        [[7, 7], [8, 7], [9, 7]],
    ]
    np.testing.assert_array_equal(joined["x:0"], expected)


def test_strings_are_padded_whole() -> None:
    x, y = (
        np.array([[b"a\x00", b"b"]], object),
        np.array([[b"c\x00"]], object),
    )
    joined = batch_arrays.join([_task(x), _task(y)], size=2, pad_shapes=True)
    assert joined["x:0"].tolist() == [[b"a\x00", b"b"], [b"c\x00", b"c\x00"]]


def test_equal_vectors_need_no_padding() -> None:
    tasks = [_task(np.arange(3)), _task(np.arange(2))]
    joined = batch_arrays.join(tasks, size=5, pad_shapes=True)
    assert joined["x:0"].tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            (_ones(1, 2), _ones(1, 2, 3)),
            "Only tensors with rank from 1 to 6 can be padded.",
        ),
        (
            (_ones(1, 1, 1, 1, 1, 1, 1), _ones(1, 1, 1, 1, 1, 1, 2)),
            "Only tensors with rank from 1 to 6 can be padded.",
        ),
        (
            (_ones(3, 2), _ones(3, 0)),
            "Got empty tensor in batch of non-empty tensors.",
        ),
    ],
)
def test_what_cannot_be_padded(arrays: tuple, message: str) -> None:
    with pytest.raises(ServingError) as caught:
        batch_arrays.join([*map(_task, arrays)], size=6, pad_shapes=True)
    assert caught.value.code == Code.INVALID_ARGUMENT
    assert caught.value.message == message
