"""Whatever is asked, the answer is one of those that a request can get."""

import json
import operator
from collections.abc import Iterator

import grpc
import pytest
from hypothesis import strategies as st

from export.protos import predict_pb2, tensor_pb2
from export.server.front import Answer, Front, Request
from tests.export.server import fronts
from tests.malformed_requests.answers import Ports
from tests.properties.given import holds

NUM_EXAMPLES = pytest.mark.parametrize(
    "num_examples", [25, pytest.param(200, marks=pytest.mark.slow)]
)
DECODER, GOOD = "/v1/models/decoder:predict", b'{"instances": [[1, 2, 3]]}'
PREDICT = "/tensorflow.serving.PredictionService/Predict"
STATUSES = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION",
            "INTERNAL"}  # fmt: skip
SIGNATURES = ["", "decode", "sample", "sample_png", "no", "\0", "\udcff"]

numbers = (
    st.integers()
    | st.floats()
    | st.sampled_from([10**400, -(2**63) - 1, 1e308, 5e-324])
)
texts = st.text(st.characters(codec=None), max_size=9) | st.sampled_from(
    ["b64", "instances", "inputs", "signature_name", "z", "seed", "AAA="]
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=20,
)
documents = values | st.fixed_dictionaries(
    {}, optional={"instances": st.lists(values), "inputs": values,
    "signature_name": st.sampled_from(SIGNATURES) | values},
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, start: bytes) -> bytes:
    """Returns bytes with some cut out, and others put in."""
    text = start
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(text)))
        gone = draw(st.integers(0, 5))
        new = draw(st.binary(max_size=5) | st.sampled_from(
            [b"[" * 99, b"9" * 99, b"NaN", b"-", b"\\ud800", b'"', b"\0"]
        ))  # fmt: skip
        text = text[:place] + new + text[place + gone :]
    return text


bodies = (
    documents.map(lambda value: json.dumps(value).encode())
    | documents.map(
        lambda value: json.dumps(value, ensure_ascii=False).encode(
            errors="surrogatepass"
        )
    )
    | st.binary()
    | mutated(GOOD)
    | mutated(b'{"signature_name": "sample", "inputs": {"seed": [1, 2]}}')
)
dims = st.sampled_from([0, 1, 2, 3, 3, -1, 2**31, 2**40, 2**62, 2**63 - 1])
tensors = st.builds(
    tensor_pb2.TensorProto,
    dtype=st.sampled_from([0, 1, 1, 1, 2, 3, 7, 9, 10, 19, 20, 23, 25, 99]),
    tensor_shape=st.builds(
        lambda sizes, unknown: {
            "dim": [{"size": size} for size in sizes], "unknown_rank": unknown,
        },
        st.lists(dims, max_size=4), st.sampled_from([False, False, True]),
    ),
    float_val=st.lists(st.floats(width=32), max_size=7),
    int64_val=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    string_val=st.lists(st.binary(max_size=9), max_size=3),
    tensor_content=st.just(b"") | st.binary(max_size=24),
)  # fmt: skip
requests = st.builds(
    predict_pb2.PredictRequest,
    model_spec=st.just({"name": "decoder"})
    | st.builds(
        lambda name, version: {"name": name, "version": {"value": version}},
        st.sampled_from(["decoder", "vae", "no", ""]), st.integers(-1, 3),
    ),
    inputs=st.dictionaries(st.sampled_from(["z", "z", "x", "seed", "\0"]),
                           tensors, max_size=2),
    output_filter=st.lists(st.sampled_from(["x", "y", "x"]), max_size=2),
).map(lambda request: request.SerializeToString())  # fmt: skip
messages = requests | requests.flatmap(mutated) | st.binary(max_size=99)


@pytest.fixture(scope="module")
def front() -> Front:
    """Before the recorded models."""
    return fronts.make()


def _check(answer: Answer) -> None:
    """Makes sure that an answer is one of a server."""
    assert answer.status in (200, 400, 404), answer
    if answer.status != 200 and answer.body:
        text = answer.body.decode("utf-8", "surrogateescape")
        (error,) = json.loads(text).values()
        assert error
        assert "Traceback" not in error


paths = st.sampled_from(
    [DECODER, "/v1/models/types:predict", "/v1/models/vae:classify"]
)


paths = st.sampled_from(
    [DECODER, "/v1/models/types:predict", "/v1/models/vae:classify"]
)


@NUM_EXAMPLES
def test_any_body(front: Front, num_examples: int) -> None:
    def claim(path: str, body: bytes) -> None:
        _check(front.answer(Request("POST", path, body=body)))

    holds(claim, num_examples, path=paths, body=bodies)


@NUM_EXAMPLES
def test_any_path(front: Front, num_examples: int) -> None:
    def claim(method: str, path: str) -> None:
        answer = front.answer(Request(method, path, body=GOOD))
        assert answer.status in (200, 400, 404)

    starts = st.sampled_from(["/v1/models/", "/v1/models/decoder", "/", ""])
    signs = st.characters(min_codepoint=33, max_codepoint=126)
    paths = st.builds(operator.add, starts, st.text(signs, max_size=30))
    methods = st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS"])
    holds(claim, num_examples, method=methods, path=paths)


@pytest.fixture(scope="module")
def channel(ports: Ports) -> Iterator[grpc.Channel]:
    """A connection that all requests share."""
    with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel:
        yield channel


@NUM_EXAMPLES
def test_any_message(channel: grpc.Channel, num_examples: int) -> None:
    def claim(message: bytes) -> None:
        call = channel.unary_unary(PREDICT).future(message, timeout=5)
        call.exception()
        assert call.code().name in STATUSES, (call.code(), call.details())
        assert "calling application" not in str(call.details())

    holds(claim, num_examples, message=messages)
