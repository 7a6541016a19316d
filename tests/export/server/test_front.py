"""Which answer a request gets: recorded cases, addresses, methods, pages."""

import contextlib
import json

import pytest

from export.protos import meta_graph_pb2
from export.server.front import Answer, Request
from export.server.servable import Servable
from tests.export import recorded_cases
from tests.export.server import fronts

METRICS = "/monitoring/prometheus/metrics"
CORS = "access-control-allow-origin"


# What HTTP does with a body and a HEAD is not the front's business; the C
# library's XLA cannot be switched off in the process that runs the tests.
CASES = [
    case
    for case in recorded_cases.of("plain")
    if case["kind"] != "gzip" and case["method"] != "HEAD"
]


@pytest.mark.parametrize("kind", sorted({case["kind"] for case in CASES}))
def test_recorded_cases(kind: str) -> None:
    front, wrong, count = fronts.make(), [], 0
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


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "get", ""])
def test_unknown_methods(method: str) -> None:
    answer = fronts.make().answer(Request(method, "/v1/models/decoder"))
    assert answer.status == 501
    assert answer.content_type == "text/html"
    assert answer.headers == {"connection": "close"}


def test_metadata_has_no_defaults() -> None:
    models, signature = fronts.Models(), meta_graph_pb2.SignatureDef()
    signature.defaults["scale"].float_val.append(1.0)
    graph = meta_graph_pb2.MetaGraphDef(signature_def={"s": signature})
    servable = Servable("m", 7, "", graph, None)
    models.use = lambda *_, **__: contextlib.nullcontext(servable)
    answer = fronts.make(models).answer(Request("GET", "/v1/models/m/metadata"))
    table = json.loads(answer.body)["metadata"]["signature_def"]
    assert table["signature_def"]["s"]["defaults"] == {}
    assert signature.defaults.keys() == {"scale"}


def test_status_of_no_model() -> None:
    for path in ("/v1/models", "/v1/models/versions/3"):
        answer = fronts.make().answer(Request("GET", path))
        assert answer.status == 400
        assert b"Missing model name in request." in answer.body


def test_metadata_is_laid_out_as_the_server_does() -> None:
    answer = fronts.make().answer(Request("GET", "/v1/models/decoder/metadata"))
    text = answer.body.decode()
    assert text.startswith('{\n"model_spec":{\n "name": "decoder",\n')
    assert '}\n,\n"metadata": {"signature_def": {\n "signature_def": {' in text
    assert text.endswith("}\n}\n}\n")


def test_version_too_large_for_a_number() -> None:
    for version in (2**63 - 1, 2**63):
        path = f"/v1/models/decoder/versions/{version}"
        answer = fronts.make(cors=True).answer(Request("GET", path))
        assert bool(answer.body) == (version < 2**63)
        assert answer.content_type == "application/json"
        assert CORS in answer.headers


def test_metrics_page() -> None:
    front = fronts.make(metrics_path=METRICS)
    for method in ("GET", "POST", "OPTIONS"):
        answer = front.answer(Request(method, METRICS))
        assert (answer.status, answer.content_type) == (200, "text/plain")
        assert answer.body.startswith(b"# TYPE :tensorflow:")
    answer = front.answer(Request("GET", f"{METRICS}?a=b"))
    assert answer.status == 400
    assert answer.body == (
        f"Unexpected path: {METRICS}?a=b. Should be {METRICS}".encode()
    )


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
    answer = fronts.make(cors=cors).answer(request)
    assert (answer.status, len(answer.headers)) == (status, headers)
    assert answer.content_type == "text/html; charset=ISO-8859-1"
    assert answer.body == b""


def test_cors_headers_stand_on_every_answer_of_the_api() -> None:
    for cors in (True, False):
        front = fronts.make(cors=cors)
        answers = [
            front.answer(Request("GET", "/v1/models/decoder")),
            front.answer(Request("GET", "/v1/models/none")),
            front.answer(Request("PUT", "/v1/models/decoder")),
        ]
        assert [CORS in a.headers for a in answers] == [cors] * 3
    assert (
        CORS not in fronts.make(cors=True).answer(Request("GET", "/x")).headers
    )


def test_pages() -> None:
    front = fronts.make()
    headers = {
        "cache-control": "no-store",
        "content-security-policy": "frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    page = Answer(200, "text/html", b"a page", headers)
    assert front.answer(Request("GET", "/explorer")) == page
    assert front.answer(Request("GET", "/explorer?z=1")) == page
    assert front.answer(Request("HEAD", "/explorer")) == page
    for method, path in (("POST", "/explorer"), ("GET", "/explorer/")):
        assert front.answer(Request(method, path)).status == 404
