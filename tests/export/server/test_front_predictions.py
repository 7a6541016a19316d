"""Which answer a prediction gets: wrong bodies, errors, counts, deadlines."""

import contextlib
import json

import pytest

from export.codes import Code
from export.server.errors import ServingError
from export.server.front import HTTP_STATUS, Request
from export.server.metrics import Metrics
from tests.export.server import fronts, served_models


@pytest.mark.parametrize("code", [*Code][1:])
def test_http_status_of_a_code(code: Code) -> None:
    models = fronts.Models()
    models.fails = ServingError(code, "a\n\udcff")
    answer = fronts.predict(fronts.make(models), b'{"instances": [1]}')
    assert answer.status == HTTP_STATUS[code]
    assert answer.body == b'{\n    "error": "a\\n\xff"\n}'
    assert answer.content_type == "application/json"


def test_http_statuses_are_the_server_s() -> None:
    # google/rpc/code.proto tells the same but for 400, 404, 409 and 500.
    assert [HTTP_STATUS[code] for code in Code] == [
        200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500,
        503, 500, 401,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b" \n", "JSON Parse error: The document is empty. at offset: 2"),
        (b'"a\n"', "JSON Parse error: Invalid escape character in string. at"),
        (b'"a"', 'JSON Value: "a" Is not object'),
        (b"NaN", "JSON Value:  Is not object"),
        (b"{}", "Missing 'inputs' or 'instances' key"),
        (b'{"instances": {}}', 'JSON Value: {\n    "instances": {}\n} Expect'),
        (
            b'{"signature_name": "__saved_model_init_op", "inputs": 1}',
            "Failed to get input map for signature: __saved_model_init_op",
        ),
        (b'{"signature_name": "none"}', 'Serving signature name: "none" not'),
        (b'{"inputs": 1, "instances": 2}', 'JSON Value: {\n    "inputs": 1,'),
        (
            b'{"signature_name": 1, "x": [2, NaN]}',
            'JSON Value: {\n    "signature_name": 1,\n    "x": [2,  not form',
        ),
        (b"[" * 900 + b"]" * 900, "JSON Parse error: lists or objects in "),
        (b"[" * 5000 + b"]" * 5000, "JSON Parse error: More than 1000 lists"),
    ],
)  # fmt: skip
def test_wrong_bodies(body: bytes, message: str) -> None:
    answer = fronts.predict(fronts.make(), body)
    assert answer.status == 400
    assert json.loads(answer.body)["error"].startswith(message)


def test_empty_body_has_no_offset() -> None:
    answer = fronts.predict(fronts.make(), b"")
    assert json.loads(answer.body) == {
        "error": "JSON Parse error: The document is empty"
    }


def test_missing_default_signature_has_a_name() -> None:
    models = fronts.Models()
    servable = served_models.load("decoder", 2)
    kept = dict(servable.signatures)
    kept.pop("serving_default")

    class Without:
        name, signatures = "decoder", kept

    models.use = lambda *_, **__: contextlib.nullcontext(Without())
    answer = fronts.predict(fronts.make(models), b'{"inputs": 1}')
    assert json.loads(answer.body)["error"] == (
        'Serving signature name: "serving_default" not found in signature def'
    )


@pytest.mark.parametrize(
    ("action", "body", "message"),
    [
        ("classify", b"{", "JSON Parse error: Missing a name"),
        ("classify", b'{"context": 1}', "Example must be JSON object but got"),
        ("regress", b"{}", "JSON Value: {} When method is classify, key "),
        (
            "regress",
            b'{"examples": 1}',
            'JSON Value: {\n    "examples": 1\n} E',
        ),
        ("classify", b'{"examples": []}', 'JSON Value: {\n    "examples": []'),
        ("classify", b'{"examples": [1]}', "Example must be JSON object but"),
        (
            "classify",
            b'{"examples": [{"x": 1}]}',
            "No classification inputs fo",
        ),
        (
            "regress",
            b'{"signature_name": "x", "examples": [{"x": 1}]}',
            "No signature was found with the name: x",
        ),
    ],
)
def test_classify_and_regress(action: str, body: bytes, message: str) -> None:
    request = Request("POST", f"/v1/models/decoder:{action}", body=body)
    answer = fronts.make().answer(request)
    assert json.loads(answer.body)["error"].startswith(message)


def test_requests_are_counted() -> None:
    metrics = Metrics()
    front = fronts.make(metrics=metrics)
    fronts.predict(front, b'{"instances": [[1, 2, 3]]}')
    fronts.predict(front, b'{"instances": []}')
    fronts.predict(front, b"{}", name="none")
    front.answer(Request("POST", "/v1/models/decoder:regress", body=b"{}"))
    front.answer(Request("GET", "/v1/models/decoder"))
    text = metrics.text()
    count = ":tensorflow:serving:request_count"
    assert f'{count}{{model_name="decoder",status="OK"}} 1\n' in text
    decoder = f'{count}{{model_name="decoder",status="INVALID_ARGUMENT"}}'
    assert f"{decoder} 2\n" in text
    assert f'{count}{{model_name="none",status="NOT_FOUND"}} 1\n' in text
    latency = 'request_latency_count{model_name="decoder",API="Predict"'
    assert f'{latency},entrypoint="REST"}} 1\n' in text
    assert 'runtime_latency_count{model_name="decoder"' in text


def test_slow_prediction_has_failed() -> None:
    metrics = Metrics()
    front = fronts.make(metrics=metrics, timeout_seconds=1e-9)
    answer = fronts.predict(front, b'{"instances": [[1, 2, 3]]}')
    assert answer.status == 504
    assert b"Timed out waiting for notification" in answer.body
    assert 'status="DEADLINE_EXCEEDED"} 1\n' in metrics.text()
    front = fronts.make(timeout_seconds=0)
    assert fronts.predict(front, b'{"instances": [[1, 2, 3]]}').status == 200


def test_signature_name_that_is_no_utf8_is_repeated() -> None:
    answer = fronts.predict(fronts.make(), b'{"signature_name": "\xff"}')
    assert answer.status == 400
    assert b'Serving signature name: "\xff" not' in answer.body.replace(
        b"\\", b""
    )


def test_too_little_memory_is_said() -> None:
    models = fronts.Models()
    models.fails = MemoryError()
    answer = fronts.predict(fronts.make(models), b'{"instances": [1]}')
    assert answer.status == 429
    assert json.loads(answer.body) == {
        "error": "there is not enough memory for this request"
    }
