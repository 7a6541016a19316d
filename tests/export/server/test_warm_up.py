"""Warm-up files: every record is run, and what cannot be run is told."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from export.codes import Code
from export.protos import prediction_log_pb2
from export.server import warm_up
from export.server.errors import ServingError
from export.server.metrics import Metrics
from export.server.servable import Servable
from export.tensors import to_proto
from tests.export.server import served_models

Log = prediction_log_pb2.PredictionLog
Write = Callable[..., Servable]
METRIC = ":tensorflow:serving:model_warmup_latency_count"


class CountedSession:
    """Runs a session and counts how often."""

    def __init__(self, session: object) -> None:
        self.session, self.count = session, 0

    def run(self, *arguments: object) -> object:
        self.count += 1
        return self.session.run(*arguments)


@pytest.fixture
def write(tmp_path: pathlib.Path) -> Write:
    """Returns what gives the recorded decoder a warm-up file of records."""

    def write(*logs: Log | bytes, options: str = "") -> Servable:
        path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
        path.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(path), options) as writer:
            for log in logs:
                if isinstance(log, Log):
                    log = log.SerializeToString()
                writer.write(log)
        decoder = served_models.load("decoder")
        session = CountedSession(decoder.session)
        return dataclasses.replace(
            decoder, folder=str(tmp_path), session=session
        )

    return write


def _log(signature: str = "decode", *, width: int = 3, rows: int = 2) -> Log:
    """Returns a record for the recorded decoder; 3 latents is right."""
    log = Log()
    request = log.predict_log.request
    request.model_spec.name = "any"
    request.model_spec.signature_name = signature
    z = to_proto(np.ones([rows, width], np.float32))
    request.inputs["z"].CopyFrom(z)
    return log


def _run(servable: Servable, iterations: int = 1) -> Metrics:
    metrics = Metrics()
    warm_up.run(servable, iterations=iterations, metrics=metrics)
    return metrics


def _refusal(servable: Servable) -> tuple[Code, str]:
    with pytest.raises(ServingError) as error:
        _run(servable)
    return error.value.code, error.value.message


def test_every_record_is_run(write: Write) -> None:
    servable = write(_log(), _log("", rows=5), _log("decode_png"))
    metrics = _run(servable)
    assert servable.session.count == 3
    labels = f'model_path="{servable.folder}",status="OK"'
    assert f"{METRIC}{{{labels}}} 1" in metrics.text()


def test_records_are_run_as_often_as_asked(write: Write) -> None:
    servable = write(_log(), _log())
    _run(servable, iterations=4)
    assert servable.session.count == 8


def test_version_may_have_no_file(tmp_path: pathlib.Path) -> None:
    decoder = served_models.load("decoder")
    metrics = _run(dataclasses.replace(decoder, folder=str(tmp_path)))
    assert METRIC not in metrics.text()


def test_empty_file_and_empty_record_are_fine(write: Write) -> None:
    _run(write())
    servable = write(Log())
    _run(servable)
    assert servable.session.count == 0


def test_output_filter_is_heeded(write: Write) -> None:
    log = _log()
    log.predict_log.request.output_filter.append("colour")
    code, message = _refusal(write(log))
    assert code == Code.INVALID_ARGUMENT
    assert "alias not found in signature: colour" in message


def test_unknown_signature_fails(write: Write) -> None:
    assert _refusal(write(_log(), _log("nope"))) == (
        Code.FAILED_PRECONDITION,
        'Serving signature key "nope" not found.',
    )


def test_wrong_width_fails(write: Write) -> None:
    code, message = _refusal(write(_log(width=5)))
    assert code == Code.INVALID_ARGUMENT
    assert message.startswith("Matrix size-incompatible: In[0]: [2,5], In[1]")


def test_unreadable_tensor_fails(write: Write) -> None:
    log = _log()
    log.predict_log.request.inputs["z"].dtype = 0
    assert _refusal(write(log)) == (
        Code.INVALID_ARGUMENT,
        "tensor parsing error: z",
    )


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("session_run_log", "Unsupported log_type for warmup: 5"),
        ("predict_streamed_log", "Unsupported log_type for warmup: 7"),
    ],
)
def test_kinds_that_are_not_supported_fail(
    kind: str, message: str, write: Write
) -> None:
    log = Log()
    getattr(log, kind).SetInParent()
    assert _refusal(write(log)) == (Code.UNIMPLEMENTED, message)


@pytest.mark.parametrize(
    ("kind", "word"),
    [("classify_log", "classification"), ("regress_log", "regression")],
)
def test_examples_are_refused_as_in_a_request(
    kind: str, word: str, write: Write
) -> None:
    log = Log()
    spec = getattr(log, kind).request.model_spec
    spec.signature_name = "nope"
    code, message = _refusal(write(log))
    assert code == Code.INVALID_ARGUMENT
    assert message == "No signature was found with the name: nope"
    spec.signature_name = "decode"
    assert word in _refusal(write(log))[1].lower()


def test_multi_inference_is_refused_as_in_a_request(write: Write) -> None:
    log = Log()
    task = log.multi_inference_log.request.tasks.add()
    task.model_spec.name = "decoder"
    task.model_spec.signature_name = "nope"
    task.method_name = "tensorflow/serving/classify"
    assert _refusal(write(log))[0] == Code.INVALID_ARGUMENT


def test_file_that_holds_no_records_fails(
    write: Write, tmp_path: pathlib.Path
) -> None:
    servable = write()
    path = tmp_path / warm_up.FILE
    path.write_text("this is not a record file")
    assert _refusal(servable) == (
        Code.DATA_LOSS,
        "corrupted record at 0 (Is this even a TFRecord file?). Please verify "
        "your warmup data is in TFRecord format.",
    )
    path.unlink()
    path.mkdir()
    assert _refusal(servable) == (
        Code.FAILED_PRECONDITION,
        f"{path}; Is a directory",
    )


def test_compressed_file_fails(write: Write) -> None:
    assert _refusal(write(_log(), options="GZIP"))[0] == Code.DATA_LOSS


def test_record_that_is_no_log_fails(write: Write) -> None:
    servable = write(b"\x0fjunk")
    path = pathlib.Path(servable.folder) / warm_up.FILE
    assert _refusal(servable) == (
        Code.INVALID_ARGUMENT,
        f"Failed to parse warmup record: \x0fjunk from {path}",
    )


def test_loss_of_data_in_a_request_is_not_the_file_s(write: Write) -> None:
    class Lossy:
        def run(self, *_: object) -> None:
            raise ServingError(Code.DATA_LOSS, "bit rot")

    servable = dataclasses.replace(write(_log()), session=Lossy())
    assert _refusal(servable) == (Code.DATA_LOSS, "bit rot")


def test_a_thousand_records_are_the_most(write: Write) -> None:
    empty = Log()
    _run(write(*[empty] * 1000))
    servable = write(*[empty] * 1001)
    path = pathlib.Path(servable.folder) / warm_up.FILE
    assert _refusal(servable) == (
        Code.INVALID_ARGUMENT,
        f"Number of warmup records exceeds the maximum (1000) at {path}",
    )
