"""Which answer a request gets: addresses, methods, errors, recorded cases."""

import contextlib
import json
from collections.abc import Iterator

import pytest

from export.codes import Code
from export.protos import meta_graph_pb2
from export.server.errors import ServingError
from export.server.front import HTTP_STATUS, Answer, Front, Request
from export.server.metrics import Metrics
from export.server.servable import Servable, VersionStatus
from tests.export import recorded_cases
from tests.export.server import served_models

METRICS = "/monitoring/prometheus/metrics"
CORS = "access-control-allow-origin"
NOT_FOUND = Code.NOT_FOUND


class Models:
    """The recorded models, the newest of each, as a manager has them."""

    def __init__(self) -> None:
        self.fails: Exception | None = None

    @contextlib.contextmanager
    def use(
        self, name: str, *, version: int | None = None, label: str | None = None
    ) -> Iterator[Servable]:
        """Lends a model."""
        if self.fails is not None:
            raise self.fails
        if label is not None:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Unrecognized servable version label: {label}",
            )
        newest = {"decoder": 2, "vae": 1, "conditional": 1, "types": 1}
        if name not in newest or version not in (None, newest[name]):
            which = f"Latest({name})"
            if version is not None:
                which = f"Specific({name}, {version})"
            raise ServingError(
                NOT_FOUND, f"Servable not found for request: {which}"
            )
        yield served_models.load(name, newest[name])

    def statuses(
        self, name: str, *, version: int | None = None, label: str | None = None
    ) -> list[VersionStatus]:
        """Tells that version 2 of the decoder is there."""
        assert label is None
        if name != "decoder":
            raise ServingError(
                NOT_FOUND, f"Could not find any versions of model {name}"
            )
        if version not in (None, 2):
            raise ServingError(
                NOT_FOUND, f"Could not find version {version} of model {name}"
            )
        return [VersionStatus(2, "AVAILABLE", Code.OK, "")]


def _front(
    models: Models | None = None,
    *,
    metrics: Metrics | None = None,
    metrics_path: str | None = None,
    cors: bool = False,
    timeout_seconds: float = 30,
) -> Front:
    return Front(
        manager=models or Models(),
        metrics=metrics or Metrics(),
        metrics_path=metrics_path,
        cors=cors,
        timeout_seconds=timeout_seconds,
        pages={"/explorer": ("text/html", b"a page")},
    )


def _predict(front: Front, body: bytes, name: str = "decoder") -> Answer:
    return front.answer(
        Request("POST", f"/v1/models/{name}:predict", body=body)
    )


# What HTTP does with a body and a HEAD is not the front's business; the C
# library's XLA cannot be switched off in the process that runs the tests.
CASES = [
    case
    for case in recorded_cases.of("plain")
    if case["kind"] != "gzip" and case["method"] != "HEAD"
]


@pytest.mark.parametrize("kind", sorted({case["kind"] for case in CASES}))
def test_recorded_cases(kind: str) -> None:
    front, wrong, count = _front(), [], 0
    for case in CASES:
        if case["kind"] != kind:
            continue
        answer = front.answer(
            Request(
                case["method"],
                case["path"],
                origin=case.get("headers", {}).get("Origin", ""),
                body=recorded_cases.body(case) or b"",
            )
        )
        headers = {"content-type": answer.content_type, **answer.headers}
        wrong += recorded_cases.wrong(case, answer.status, headers, answer.body)
        count += 1
    assert wrong == []
    assert count > 0


@pytest.mark.parametrize("code", [*Code][1:])
def test_http_status_of_a_code(code: Code) -> None:
    models = Models()
    models.fails = ServingError(code, "a\n\udcff")
    answer = _predict(_front(models), b'{"instances": [1]}')
    assert answer.status == HTTP_STATUS[code]
    assert answer.body == b'{\n    "error": "a\\n\xff"\n}'
    assert answer.content_type == "application/json"


def test_http_statuses_are_the_server_s() -> None:
    # google/rpc/code.proto tells the same but for 400, 404, 409 and 500.
    assert [HTTP_STATUS[code] for code in Code] == [
        200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500,
        503, 500, 401,
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "get", ""])
def test_unknown_methods(method: str) -> None:
    answer = _front().answer(Request(method, "/v1/models/decoder"))
    assert answer.status == 501
    assert answer.content_type == "text/html"
    assert answer.headers == {"connection": "close"}


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
        (b"[" * 5000 + b"]" * 5000, "JSON Parse error: lists or objects in "),
    ],
)  # fmt: skip
def test_wrong_bodies(body: bytes, message: str) -> None:
    answer = _predict(_front(), body)
    assert answer.status == 400
    assert json.loads(answer.body)["error"].startswith(message)


def test_empty_body_has_no_offset() -> None:
    answer = _predict(_front(), b"")
    assert json.loads(answer.body) == {
        "error": "JSON Parse error: The document is empty"
    }


def test_metadata_has_no_defaults() -> None:
    models, signature = Models(), meta_graph_pb2.SignatureDef()
    signature.defaults["scale"].float_val.append(1.0)
    graph = meta_graph_pb2.MetaGraphDef(signature_def={"s": signature})
    servable = Servable("m", 7, "", graph, None)
    models.use = lambda *_, **__: contextlib.nullcontext(servable)
    answer = _front(models).answer(Request("GET", "/v1/models/m/metadata"))
    table = json.loads(answer.body)["metadata"]["signature_def"]
    assert table["signature_def"]["s"]["defaults"] == {}
    assert signature.defaults.keys() == {"scale"}


def test_missing_default_signature_has_a_name() -> None:
    models = Models()
    servable = served_models.load("decoder", 2)
    kept = dict(servable.signatures)
    kept.pop("serving_default")

    class Without:
        name, signatures = "decoder", kept

    models.use = lambda *_, **__: contextlib.nullcontext(Without())
    answer = _predict(_front(models), b'{"inputs": 1}')
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
    answer = _front().answer(request)
    assert json.loads(answer.body)["error"].startswith(message)


def test_status_of_no_model() -> None:
    for path in ("/v1/models", "/v1/models/versions/3"):
        answer = _front().answer(Request("GET", path))
        assert answer.status == 400
        assert b"Missing model name in request." in answer.body


def test_metadata_is_laid_out_as_the_server_does() -> None:
    answer = _front().answer(Request("GET", "/v1/models/decoder/metadata"))
    text = answer.body.decode()
    assert text.startswith('{\n"model_spec":{\n "name": "decoder",\n')
    assert '}\n,\n"metadata": {"signature_def": {\n "signature_def": {' in text
    assert text.endswith("}\n}\n}\n")


def test_version_too_large_for_a_number() -> None:
    for version in (2**63 - 1, 2**63):
        path = f"/v1/models/decoder/versions/{version}"
        answer = _front(cors=True).answer(Request("GET", path))
        assert bool(answer.body) == (version < 2**63)
        assert answer.content_type == "application/json"
        assert CORS in answer.headers


def test_metrics_page() -> None:
    front = _front(metrics_path=METRICS)
    for method in ("GET", "POST", "OPTIONS"):
        answer = front.answer(Request(method, METRICS))
        assert (answer.status, answer.content_type) == (200, "text/plain")
        assert answer.body.startswith(b"# TYPE :tensorflow:")
    answer = front.answer(Request("GET", f"{METRICS}?a=b"))
    assert answer.status == 400
    assert answer.body == (
        f"Unexpected path: {METRICS}?a=b. Should be {METRICS}".encode()
    )


def test_requests_are_counted() -> None:
    metrics = Metrics()
    front = _front(metrics=metrics)
    _predict(front, b'{"instances": [[1, 2, 3]]}')
    _predict(front, b'{"instances": []}')
    _predict(front, b"{}", name="none")
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
    front = _front(metrics=metrics, timeout_seconds=1e-9)
    answer = _predict(front, b'{"instances": [[1, 2, 3]]}')
    assert answer.status == 504
    assert b"Timed out waiting for notification" in answer.body
    assert 'status="DEADLINE_EXCEEDED"} 1\n' in metrics.text()
    front = _front(timeout_seconds=0)
    assert _predict(front, b'{"instances": [[1, 2, 3]]}').status == 200


@pytest.mark.parametrize(
    ("cors", "origin", "status", "headers"),
    [
        (True, "http://a", 200, 3),
        (True, "", 400, 0),
        (False, "http://a", 400, 0),
    ],
)
def test_preflight(cors: bool, origin: str, status: int, headers: int) -> None:
    request = Request("OPTIONS", "/v1/models/none:predict", origin=origin)
    answer = _front(cors=cors).answer(request)
    assert (answer.status, len(answer.headers)) == (status, headers)
    assert answer.content_type == "text/html; charset=ISO-8859-1"
    assert answer.body == b""


def test_cors_headers_stand_on_every_answer_of_the_api() -> None:
    for cors in (True, False):
        front = _front(cors=cors)
        answers = [
            front.answer(Request("GET", "/v1/models/decoder")),
            front.answer(Request("GET", "/v1/models/none")),
            front.answer(Request("PUT", "/v1/models/decoder")),
        ]
        assert [CORS in a.headers for a in answers] == [cors] * 3
    assert CORS not in _front(cors=True).answer(Request("GET", "/x")).headers


def test_pages() -> None:
    front = _front()
    page = Answer(200, "text/html", b"a page")
    assert front.answer(Request("GET", "/explorer")) == page
    assert front.answer(Request("GET", "/explorer?z=1")) == page
    assert front.answer(Request("HEAD", "/explorer")) == page
    for method, path in (("POST", "/explorer"), ("GET", "/explorer/")):
        assert front.answer(Request(method, path)).status == 404
