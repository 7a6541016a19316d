"""Warm-up requests: a server runs them when it loads a version.

One that fails keeps the version from being served, so they are a test at the
real server, too. All values of a request are equal, so it takes a few bytes
whatever its size.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

import tensorflow as tf

from export.protos import predict_pb2, prediction_log_pb2, tensor_pb2
from export.server.warm_up import FILE, MOST_RECORDS

__all__ = ["FILE", "MOST_RECORDS", "requests", "write"]

# {input: the value of all its numbers}; 0 elsewhere
VALUES = {"x": 0.5, "image": 0.5}


def requests(
    inputs: Mapping[str, Mapping[str, tf.TensorSpec]],
    *,
    model: str,
    batch_sizes: Sequence[int],
) -> Iterator[predict_pb2.PredictRequest]:
    """Yields a request for each signature and each batch size.

    Args:
      inputs: {signature: {name of an input: its shape and dtype}}.
      model: the servable's name.
      batch_sizes: rows of a request.
    """
    for signature, specs in inputs.items():
        for size in batch_sizes:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model
            request.model_spec.signature_name = signature
            for name, spec in specs.items():
                value = VALUES.get(name, 0)
                request.inputs[name].CopyFrom(_equal(spec, size, value))
            yield request


def write(path: str, records: Sequence[predict_pb2.PredictRequest]) -> None:
    """Writes a warm-up file.

    Args:
      path: of the file; its folder is made where there is none.
      records: at most 1,000 requests.

    Raises:
      ValueError: more of them.
    """
    if len(records) > MOST_RECORDS:
        raise ValueError(
            f"`records` must be at most {MOST_RECORDS:,}, or the server "
            f"refuses the version; got {len(records):,}."
        )
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tf.io.TFRecordWriter(path) as writer:
        for request in records:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())


def _equal(
    spec: tf.TensorSpec, size: int, value: float
) -> tensor_pb2.TensorProto:
    """Returns a tensor of `size` rows whose numbers are all `value`."""
    # One number stands for all: what a TensorProto leaves out repeats the last.
    proto = tensor_pb2.TensorProto.FromString(
        tf.make_tensor_proto(value, spec.dtype, [1]).SerializeToString()
    )
    del proto.tensor_shape.dim[:]
    for length in (size, *spec.shape[1:]):
        proto.tensor_shape.dim.add(size=length)
    return proto
