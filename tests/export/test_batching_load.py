"""What clients get is measured, and a model that fails under load is told."""

import pathlib
import threading
import time
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from export import batching_load
from export.batching import BatchingParameters
from export.batching_load import Order
from export.protos import meta_graph_pb2
from tfvae.errors import FailedError


def signature() -> meta_graph_pb2.SignatureDef:
    made = meta_graph_pb2.SignatureDef()
    for side, name, dtype, shape in (
        (made.inputs, "z", 1, [-1, 2]),
        (made.inputs, "label", 9, [-1]),
        (made.outputs, "x", 1, [-1, 5]),
    ):
        side[name].name, side[name].dtype = f"{name}:0", dtype
        for size in shape:
            side[name].tensor_shape.dim.add(size=size)
    return made


class Slow:
    """Answers after 20 ms, every twelfth time after 60 ms."""

    def __init__(self) -> None:
        self.asked: list[dict[str, np.ndarray]] = []
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
        assert fetches == ["x:0"]
        with self.lock:
            self.asked.append(feeds)
            self.now += 1
            self.most = max(self.most, self.now)
            late = len(self.asked) % 12 == 0
        time.sleep(0.06 if late else 0.02)
        with self.lock:
            self.now -= 1
        return [np.zeros([1, 5])]

    def close(self) -> None:
        """Nothing is held."""


def test_rows_and_waits_are_counted() -> None:
    session = Slow()
    load = batching_load.measure(session, signature(), clients=3, seconds=0.3)
    assert session.most == load.clients == 3
    most = 3 / ((11 * 0.02 + 0.06) / 12)
    assert 0.6 * most < load.rows_per_second < 1.1 * most
    assert 20 <= load.p50_ms < 50
    assert load.p99_ms >= 50
    z, label = session.asked[0]["z:0"], session.asked[0]["label:0"]
    np.testing.assert_array_equal(z, np.full([1, 2], 0.5, np.float32))
    assert z.dtype == np.float32
    np.testing.assert_array_equal(label, np.zeros([1], np.int64))
    assert label.dtype == np.int64


def test_every_client_asks_once_at_least() -> None:
    session = Slow()
    batching_load.measure(session, signature(), clients=5, seconds=0.0)
    assert len(session.asked) == 5


def save(folder: pathlib.Path, function: Any) -> None:
    traced = tf.function(function).get_concrete_function(
        tf.TensorSpec([None, 3], tf.float32, name="z")
    )
    tf.saved_model.save(
        tf.Module(), str(folder), signatures={"serving_default": traced}
    )


def order(*settings: BatchingParameters, rounds: int = 1) -> Order:
    texts = tuple(parameters.text() for parameters in settings)
    return Order(texts, clients=(1, 5), seconds=0.03, rounds=rounds)


@pytest.mark.slow
def test_every_setting_is_measured_in_each_round(
    tmp_path: pathlib.Path,
) -> None:
    save(tmp_path, lambda z: {"x": z + 1})
    patient = BatchingParameters(max_batch_size=8, batch_timeout_micros=20_000)
    settings = (BatchingParameters(max_batch_size=8), patient)
    rounds = list(batching_load.run(str(tmp_path), order(*settings, rounds=2)))
    assert len(rounds) == 2 * 2
    for loads in rounds:
        assert [load.clients for load in loads] == [1, 5]
    # Who waits for others to come waits 20 ms.
    waits = [loads[0].p50_ms for loads in rounds]
    assert min(waits[1], waits[3]) >= 20 > max(waits[0], waits[2])


@pytest.mark.slow
def test_a_model_that_fails_under_load_is_refused(
    tmp_path: pathlib.Path,
) -> None:
    save(tmp_path, lambda z: {"x": tf.reshape(z, [-1, 2])})
    measured = batching_load.run(str(tmp_path), order(BatchingParameters()))
    with pytest.raises(
        FailedError, match=r"fails under load: INVALID_ARGUMENT.*not published"
    ):
        list(measured)
