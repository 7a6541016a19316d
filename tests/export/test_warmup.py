"""Warm-up files: a record for each signature and batch size, and small."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from export import warmup
from export.protos import predict_pb2, prediction_log_pb2

INPUTS = {
    "decode": {"z": tf.TensorSpec([None, 7], tf.float32)},
    "score": {
        "x": tf.TensorSpec([None, 4, 5, 1], tf.float32),
        "seed": tf.TensorSpec([None], tf.int64),
    },
}


def read(path: pathlib.Path) -> list[predict_pb2.PredictRequest]:
    return [
        prediction_log_pb2.PredictionLog.FromString(
            record.numpy()
        ).predict_log.request
        for record in tf.data.TFRecordDataset(str(path))
    ]


def written(folder: pathlib.Path) -> list[predict_pb2.PredictRequest]:
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    requests = warmup.requests(INPUTS, model="vae", batch_sizes=[1, 3, 64])
    warmup.write(str(path), list(requests))
    assert path.stat().st_size < 1500
    return read(path)


def test_a_record_for_each_signature_and_batch_size(
    tmp_path: pathlib.Path,
) -> None:
    requests = written(tmp_path)
    assert [request.model_spec.name for request in requests] == ["vae"] * 6
    names = [request.model_spec.signature_name for request in requests]
    assert names == ["decode"] * 3 + ["score"] * 3
    shapes = [
        {key: tf.make_ndarray(value).shape for key, value in r.inputs.items()}
        for r in requests
    ]
    assert shapes[:3] == [{"z": (n, 7)} for n in (1, 3, 64)]
    assert shapes[3:] == [{"x": (n, 4, 5, 1), "seed": (n,)} for n in (1, 3, 64)]


def test_values_are_valid_inputs(tmp_path: pathlib.Path) -> None:
    inputs = {
        key: tf.make_ndarray(value)
        for request in written(tmp_path)
        for key, value in request.inputs.items()
    }
    assert np.all(inputs["x"] == 0.5)
    assert not inputs["z"].any()
    assert inputs["seed"].dtype == np.int64


def test_more_records_than_a_server_takes_are_refused(
    tmp_path: pathlib.Path,
) -> None:
    records = [predict_pb2.PredictRequest()] * 1001
    warmup.write(str(tmp_path / "a" / "most"), records[:1000])
    assert len(read(tmp_path / "a" / "most")) == 1000
    with pytest.raises(ValueError, match=r"at most 1,000, .* got 1,001"):
        warmup.write(str(tmp_path / "a" / "more"), records)
