"""Traces a function again without the operations that its outputs do not need.

Left out are dead operations and control dependencies, constants' arithmetic,
what is computed twice, and what changes neither a value nor a shape. Weights
stay variables.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

Tensors: TypeAlias = list[tf.Tensor]

PASSES = 2  # what the first leaves without a use the second leaves out
# Folded, a larger constant takes more of the file than what computes it.
LARGEST_CONSTANT = 256
FORWARDING = {"Identity", "IdentityN", "StopGradient", "PreventGradient"}
RESHAPING = {"Reshape", "BroadcastTo"}
# {operation: the value of an operand that changes nothing, and which operand}
NEUTRAL = {
    "AddV2": (0, (0, 1)),
    "Sub": (0, (1,)),
    "Mul": (1, (0, 1)),
    "RealDiv": (1, (1,)),
}


def trace(
    function: Callable[..., dict[str, tf.Tensor]],
    specs: Sequence[tf.TensorSpec],
) -> Any:
    """Returns a concrete function with as few operations as do its work.

    Unknown dimensions are taken for the batch's: two that meet are equal.

    Args:
      function: from tensors to named tensors, without side effects.
      specs: of its inputs.
    """
    for _ in range(1 + PASSES):
        concrete = _traced(function, specs)
        function = _copied(concrete)
    return concrete


def _traced(function: Callable[..., Any], specs: Sequence[Any]) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(*specs)


def _copied(concrete: Any) -> Callable[..., dict[str, tf.Tensor]]:
    """Returns a function that does with less what a concrete one does."""
    graph, outputs = concrete.graph, concrete.structured_outputs

    def function(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        copies = _Copies()
        given = (*inputs, *concrete.captured_inputs)
        for old, new in zip(graph.inputs, given, strict=True):
            copies[old] = new
        for operation in _needed(graph, outputs.values()):
            if operation.type != "Placeholder":
                copies.add(operation)
        return {name: copies[old] for name, old in outputs.items()}

    return function


def _needed(graph: Any, outputs: Any) -> Iterator[tf.Operation]:
    """Yields the operations on which outputs depend, in their order."""
    found, left = set(), [tensor.op for tensor in outputs]
    while left:
        operation = left.pop()
        if operation not in found:
            found.add(operation)
            left += [tensor.op for tensor in operation.inputs]
    return (op for op in graph.get_operations() if op in found)


class _Copies:
    """The tensors of a graph, and what stands for each in a new one."""

    def __init__(self) -> None:
        self._new: dict[Any, tf.Tensor] = {}
        self._made: dict[Any, Tensors] = {}

    def __getitem__(self, old: tf.Tensor) -> tf.Tensor:
        return self._new[old.ref()]

    def __setitem__(self, old: tf.Tensor, new: tf.Tensor) -> None:
        self._new[old.ref()] = new

    def add(self, operation: tf.Operation) -> None:
        """Finds what stands for an operation's outputs."""
        inputs = [self[tensor] for tensor in operation.inputs]
        key = _key(operation, inputs)
        if key not in self._made:
            self._made[key] = _made(operation, inputs)
        for old, new in zip(operation.outputs, self._made[key], strict=True):
            self[old] = new


def _key(operation: tf.Operation, inputs: Tensors) -> Any:
    """Returns what is equal for operations that compute the same."""
    node = operation.node_def
    node.ClearField("name")
    node.ClearField("input")
    attributes = node.SerializeToString(deterministic=True)
    return attributes, *(tensor.ref() for tensor in inputs)


def _made(operation: tf.Operation, inputs: Tensors) -> Tensors:
    """Returns the outputs of an operation, or less that equals them."""
    if operation.type in FORWARDING:
        return inputs
    if len(operation.outputs) == 1:
        (old,) = operation.outputs
        for rule in (_constant, _neutral, _reshaped):
            new = rule(operation, inputs, old)
            if new is not None:
                return [new]
    return _created(operation, inputs)


def _constant(
    operation: tf.Operation, inputs: Tensors, old: tf.Tensor
) -> tf.Tensor | None:
    """Returns an output that depends on constants or known shapes alone."""
    value = tf.get_static_value(old)
    if value is None and inputs and not operation.op_def.is_stateful:
        values = [tf.get_static_value(tensor) for tensor in inputs]
        if all(value is not None for value in values):
            value = _evaluated(operation, values)
    if value is None:
        return None
    value = np.asarray(value)
    if value.size > 1 and np.all(value == value.flat[0]):
        # One number stands for all of them in the file.
        return tf.constant(value.flat[0], old.dtype, value.shape)
    if operation.type != "Const" and value.size > LARGEST_CONSTANT:
        return None
    return tf.constant(value, old.dtype)


def _evaluated(operation: tf.Operation, values: list[np.ndarray]) -> np.ndarray:
    def function() -> tf.Tensor:
        inputs = [
            tf.constant(value, tensor.dtype)
            for value, tensor in zip(values, operation.inputs, strict=True)
        ]
        return _created(operation, inputs)[0]

    with tf.init_scope():
        return tf.function(function, autograph=False)().numpy()


def _neutral(
    operation: tf.Operation, inputs: Tensors, old: tf.Tensor
) -> tf.Tensor | None:
    """Returns an operand that the other one leaves as it is."""
    neutral, places = NEUTRAL.get(operation.type, (0, ()))
    for place in places:
        value = tf.get_static_value(inputs[place])
        other = inputs[1 - place]
        if (
            value is not None
            and np.all(value == neutral)
            and _same_shape(other, old)
        ):
            return other
    return None


def _reshaped(
    operation: tf.Operation, inputs: Tensors, old: tf.Tensor
) -> tf.Tensor | None:
    """Returns a tensor in a shape that is known but for one dimension."""
    if operation.type not in RESHAPING:
        return None
    if _same_shape(inputs[0], old):
        return inputs[0]
    is_known = tf.get_static_value(inputs[1]) is not None
    if operation.type != "Reshape" or is_known or old.shape.rank is None:
        return None
    dims = [-1 if dim is None else dim for dim in old.shape]
    return tf.reshape(inputs[0], dims) if dims.count(-1) <= 1 else None


def _same_shape(one: tf.Tensor, other: tf.Tensor) -> bool:
    if one.shape.rank is None or other.shape.rank is None:
        return False
    return one.shape.as_list() == other.shape.as_list()


def _created(operation: tf.Operation, inputs: Tensors) -> Tensors:
    """Returns the outputs of a copy of an operation."""
    graph = tf.compat.v1.get_default_graph()
    attributes = {
        name: value
        for name, value in operation.node_def.attr.items()
        if not name.startswith("_")
    }
    for value in attributes.values():
        if value.HasField("func"):
            called = operation.graph._functions[value.func.name]
            graph._add_function_recursive(called)
    new = graph.create_op(
        operation.type,
        inputs,
        [tensor.dtype for tensor in operation.outputs],
        attrs=attributes,
    )
    for copy, old in zip(new.outputs, operation.outputs, strict=True):
        copy.set_shape(old.shape)
    return list(new.outputs)
