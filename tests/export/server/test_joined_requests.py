"""Many clients at once over gRPC, their requests joined into batches."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from export.batching import BatchingParameters
from export.protos import prediction_service_pb2_grpc
from export.server.batching_session import BatchingSession
from export.server.metrics import Metrics
from export.server.servable import Servable
from export.tensors import to_array
from tests.export.server import served_models
from tests.export.server.grpc_calls import predict_request, served

Stub = prediction_service_pb2_grpc.PredictionServiceStub
CLIENTS, REQUESTS, SEEDS = 8, 12, 30
PARAMETERS = BatchingParameters(
    max_batch_size=32,
    allowed_batch_sizes=(8, 32),
    batch_timeout_micros=2000,
    max_enqueued_batches=100,
    num_batch_threads=2,
)


class _Kept:
    """A session that stays open, as others use it too."""

    def __init__(self, session: object) -> None:
        self._session = session

    def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
        return self._session.run(feeds, fetches)

    def close(self) -> None:
        pass


def _batched(servable: Servable) -> Servable:
    session = BatchingSession(
        _Kept(servable.session),
        PARAMETERS,
        signatures=servable.signatures.values(),
        metrics=Metrics(),
    )
    return dataclasses.replace(servable, session=session)


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    names = ("decoder", "conditional")
    models = [_batched(served_models.load(name)) for name in names]
    with served(served_models.HeldModels(*models)) as channel:
        yield Stub(channel)
    for model in models:
        model.session.close()


@pytest.mark.parametrize(
    ("model", "signature_name", "output"),
    [
        ("decoder", "sample", "z"),
        ("decoder", "sample_png", "png_bytes"),
        ("conditional", "sample", "z"),
    ],
)
def test_rows_are_the_same_alone_in_a_request_and_joined(
    stub: Stub, model: str, signature_name: str, output: str
) -> None:
    seeds = np.arange(SEEDS) * 7919
    every = {"seed": seeds}
    if model == "conditional":
        every["label"] = seeds % 5

    def ask(rows: np.ndarray) -> np.ndarray:
        inputs = {name: values[rows] for name, values in every.items()}
        request = predict_request(model, signature_name, **inputs)
        return to_array(stub.Predict(request, timeout=30).outputs[output])

    alone = np.concatenate([ask(np.array([i])) for i in range(SEEDS)])
    np.testing.assert_array_equal(ask(np.arange(SEEDS)), alone, strict=True)

    def check(client: int) -> None:
        random = np.random.RandomState(client)
        for _ in range(REQUESTS):
            rows = random.randint(0, SEEDS, random.randint(1, 6))
            np.testing.assert_array_equal(ask(rows), alone[rows], strict=True)

    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(check, client) for client in range(CLIENTS)]:
            done.result(60)
