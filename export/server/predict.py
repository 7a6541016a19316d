"""What a signature answers to its inputs; REST and gRPC share it."""

import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from export.c_api import TensorFlowError
from export.codes import Code
from export.protos import meta_graph_pb2
from export.server.errors import ServingError
from export.server.metrics import Metrics
from export.server.servable import Servable
from export.tensors import to_array

DEFAULT_SIGNATURE = "serving_default"


def predict(
    servable: Servable,
    *,
    signature_name: str,
    inputs: Mapping[str, np.ndarray],
    output_filter: Sequence[str] = (),
    metrics: Metrics | None = None,
) -> dict[str, np.ndarray]:
    """Runs a signature.

    Shapes and types of the inputs are not compared with the signature's: what
    does not fit is refused by the operation that meets it.

    Args:
      servable: a loaded version.
      signature_name: "" is `serving_default`.
      inputs: {input's name: value}; the signature may have defaults for those
        left out.
      output_filter: names of the outputs to compute; none: all.
      metrics: take the time that TensorFlow ran.

    Returns:
      outputs: {output's name: value}.

    Raises:
      ServingError: no such signature, input or output, or TensorFlow failed.
    """
    signature_name = signature_name or DEFAULT_SIGNATURE
    if signature_name not in servable.signatures:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            f'Serving signature key "{signature_name}" not found.',
        )
    signature = servable.signatures[signature_name]
    feeds = _feeds(signature, inputs=inputs)
    outputs = _outputs(signature, output_filter=output_filter)
    start = time.perf_counter()
    try:
        values = servable.session.run(
            feeds, [signature.outputs[name].name for name in outputs]
        )
    except TensorFlowError as error:
        raise ServingError(error.code, error.message) from error
    if metrics is not None:
        metrics.runtime(
            model_name=servable.name, seconds=time.perf_counter() - start
        )
    return dict(zip(outputs, values, strict=True))


def _feeds(
    signature: meta_graph_pb2.SignatureDef, *, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns {name of a tensor: value}."""
    required = set(signature.inputs)
    if len(inputs) > len(required) or (
        len(inputs) < len(required) and not signature.defaults
    ):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"input size does not match signature: {len(inputs)}!="
            f"{len(required)} len({_set(inputs)}) != len({_set(required)}). "
            f"Sent extra: {_set(set(inputs) - required)}. "
            f"Missing but required: {_set(required - set(inputs))}.",
        )
    feeds = {}
    for alias in sorted(required):
        name = signature.inputs[alias].name
        if alias in inputs:
            feeds[name] = inputs[alias]
        elif alias in signature.defaults:
            feeds[name] = to_array(signature.defaults[alias])
        else:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Signature input alias: {alias}(feed name: {name}) not found "
                "in request and no default value provided. Inputs expected to "
                f"be in the request {_set(inputs)}, or default input alias "
                f"set: {_names(signature.defaults)}",
            )
    if unknown := set(inputs) - required:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Inputs contains invalid name. Used request inputs: "
            f"{_names(set(inputs) - unknown)}, request input: "
            f"{_names(inputs)}",
        )
    return feeds


def _outputs(
    signature: meta_graph_pb2.SignatureDef, *, output_filter: Sequence[str]
) -> list[str]:
    """Returns the names of the outputs to compute."""
    for place, alias in enumerate(output_filter):
        if alias not in signature.outputs:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"output tensor alias not found in signature: {alias} Outputs "
                f"expected to be in the set {_set(signature.outputs)}.",
            )
        if alias in output_filter[:place]:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"duplicate output tensor alias: {alias}",
            )
    return list(output_filter) or sorted(signature.outputs)


def _names(names: Iterable[str]) -> str:
    return ",".join(sorted(names))


def _set(names: Iterable[str]) -> str:
    return f"{{{_names(names)}}}"
