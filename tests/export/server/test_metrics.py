"""Prometheus's text of what was counted."""

import json
import pathlib
import re
import threading

import pytest

from export.codes import Code
from export.server.metrics import Metrics

RECORDED = pathlib.Path(__file__).parents[1] / "recorded" / "conformance.jsonl"


def _value(text: str, line: str) -> str:
    """Returns the value of the one line that begins so."""
    (found,) = [
        each.rpartition(" ")[2]
        for each in text.splitlines()
        if each.startswith(f"{line} ")
    ]
    return found


def test_text_matches_what_was_recorded() -> None:
    metrics = Metrics()
    metrics.load(model_path="/models/decoder/2", success=True, seconds=0.5)
    metrics.request(
        model_name="decoder", entrypoint="REST", code=Code.OK, seconds=0.1
    )
    cases = map(json.loads, RECORDED.read_text().splitlines())
    patterns = {
        pattern
        for case in cases
        for pattern in case["expect"].get("patterns", ())
        if case["kind"] == "monitoring"
    }
    assert len(patterns) == 6
    for pattern in patterns:
        assert re.search(pattern, metrics.text(), re.MULTILINE), pattern


def test_every_metric_is_declared_before_anything_is_counted() -> None:
    lines = Metrics().text().splitlines()
    assert all(re.fullmatch("# TYPE :[a-z:_0-9]+ [a-z]+", x) for x in lines)
    assert "# TYPE :tensorflow:cc:saved_model:load_latency counter" in lines
    assert (
        "# TYPE :tensorflow:serving:batching_session:queuing_latency histogram"
        in lines
    )
    assert lines == sorted(lines)
    assert len(lines) == 8


def test_requests_are_counted_by_status_and_good_ones_timed() -> None:
    metrics = Metrics()
    for code, seconds in ((Code.OK, 0.5), (Code.NOT_FOUND, 9), (Code.OK, 1.5)):
        metrics.request(
            model_name="vae", entrypoint="GRPC", code=code, seconds=seconds
        )
    metrics.request(
        model_name="vae", entrypoint="REST", code=Code.OK, seconds=1, api="X"
    )
    text, name = metrics.text(), ":tensorflow:serving:request"
    assert _value(text, f'{name}_count{{model_name="vae",status="OK"}}') == "3"
    bad = f'{name}_count{{model_name="vae",status="NOT_FOUND"}}'
    assert _value(text, bad) == "1"
    labels = 'model_name="vae",API="Predict",entrypoint="GRPC"'
    assert _value(text, f"{name}_latency_count{{{labels}}}") == "2"
    assert _value(text, f"{name}_latency_sum{{{labels}}}") == "2e+06"
    other = 'model_name="vae",API="X",entrypoint="REST"'
    assert _value(text, f"{name}_latency_count{{{other}}}") == "1"


def test_buckets_grow_by_1_8_and_are_cumulative() -> None:
    metrics = Metrics()
    # 18 is a limit: what equals it lies above.
    for micros in (1, 10, 17, 18, 33, 1e12):
        metrics.runtime(model_name="vae", seconds=micros / 1e6)
    name = ":tensorflow:serving:runtime_latency_bucket"
    labels = 'model_name="vae",API="Predict",runtime="TF1"'
    lines = [x for x in metrics.text().splitlines() if x.startswith(name)]
    assert len(lines) == 34
    for line, limit, count in zip(
        lines,
        ("10", "18", "32.4", "58.32", "104.976", "188.957", "340.122"),
        (1, 3, 4, 5, 5, 5, 5),
        strict=False,
    ):
        assert line == f'{name}{{{labels},le="{limit}"}} {count}'
    assert lines[-2] == f'{name}{{{labels},le="{10 * 1.8**32:g}"}} 5'
    assert lines[-1] == f'{name}{{{labels},le="+Inf"}} 6'


def test_loads_are_counted_and_good_ones_timed() -> None:
    metrics = Metrics()
    for success, seconds in ((True, 0.25), (False, 7.0), (True, 0.5)):
        metrics.load(model_path="/m/1", success=success, seconds=seconds)
    text, name = metrics.text(), ":tensorflow:cc:saved_model:load"
    for status, count in (("success", "2"), ("fail", "1")):
        labels = f'model_path="/m/1",status="{status}"'
        assert _value(text, f"{name}_attempt_count{{{labels}}}") == count
    assert _value(text, f'{name}_latency{{model_path="/m/1"}}') == "750000"


def test_warm_up_and_batches_are_measured() -> None:
    metrics = Metrics()
    metrics.warmup(model_path="/m/1", status="OK", seconds=0.25)
    metrics.queuing(thread_pool_name="pool", seconds=0.000125)
    for rows in (0, 3):
        metrics.padding(rows=rows, batch_size=4)
    text, name = metrics.text(), ":tensorflow:serving"
    warmup = f'{name}:model_warmup_latency_sum{{model_path="/m/1",status="OK"}}'
    assert _value(text, warmup) == "250000"
    queuing = f"{name}:batching_session:queuing_latency_bucket"
    pool = 'thread_pool_name="pool"'
    assert _value(text, f'{queuing}{{{pool},le="120"}}') == "0"
    assert _value(text, f'{queuing}{{{pool},le="144"}}') == "1"
    padding = f"{name}:batching:padding_size_v2_bucket"
    labels = 'model_name="",execution_batch_size="4",op_name=""'
    assert _value(text, f'{padding}{{{labels},le="-0.666667"}}') == "0"
    assert _value(text, f'{padding}{{{labels},le="0.666667"}}') == "1"
    assert _value(text, f'{padding}{{{labels},le="2.66667"}}') == "1"
    assert _value(text, f'{padding}{{{labels},le="5.33333"}}') == "2"


@pytest.mark.parametrize(
    ("name", "escaped"),
    [('a"b', r"a\"b"), ("a\\b", r"a\\b"), ("a\nb", r"a\nb"), ("é", "é")],
)
def test_labels_are_escaped(name: str, escaped: str) -> None:
    metrics = Metrics()
    metrics.request(
        model_name=name, entrypoint="REST", code=Code.NOT_FOUND, seconds=0
    )
    line = f'request_count{{model_name="{escaped}",status="NOT_FOUND"}} 1\n'
    assert line in metrics.text()


def test_threads_lose_no_count() -> None:
    metrics = Metrics()

    def count() -> None:
        for _ in range(500):
            metrics.request(
                model_name="a", entrypoint="REST", code=Code.OK, seconds=1
            )

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 'request_count{model_name="a",status="OK"} 2000\n' in metrics.text()
