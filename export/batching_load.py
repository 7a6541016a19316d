"""Puts a saved model under load: clients that ask for one row after another.

python -m export.batching_load FOLDER takes an `Order` as JSON on standard
input and writes one line of JSON for each measurement; `run` starts it.
The process is the server's kind: no TensorFlow in Python, XLA off.
"""

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO

import numpy as np

from export import batching, c_api
from export.protos import meta_graph_pb2
from export.server.batching_session import BatchingSession
from export.server.errors import ServingError
from export.server.servable import Runner
from tfvae.errors import FailedError

SIGNATURE = "serving_default"
WARM_UP = 0.2  # of the seconds that are measured
FAILED = 3


@dataclasses.dataclass(frozen=True)
class Order:
    """What to measure.

    Attributes:
      settings: texts of BatchingParameters.
      clients: how many at a time, of each load.
      seconds: of each load.
      rounds: through all settings, so that what else the machine does for a
        while does not fall on one of them.
    """

    settings: tuple[str, ...]
    clients: tuple[int, ...]
    seconds: float
    rounds: int


@dataclasses.dataclass(frozen=True)
class Load:
    """What was measured under a load.

    Attributes:
      clients: that ask at the same time, each for one row after another.
      rows_per_second: that they got together.
      p50_ms: median time of a request, milliseconds.
      p99_ms: its 99th percentile.
    """

    clients: int
    rows_per_second: float
    p50_ms: float
    p99_ms: float


def run(folder: str, order: Order) -> Iterator[list[Load]]:
    """Yields the loads of each setting, round by round, of a fresh process.

    Args:
      folder: of a SavedModel.
      order: what to measure.

    Raises:
      FailedError: the model could not be loaded, or a request failed; in
        TensorFlow's words.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "export.batching_load", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    with process:
        try:
            json.dump(dataclasses.asdict(order), process.stdin)
            process.stdin.close()
            for line in process.stdout:
                yield [Load(**load) for load in json.loads(line)]
            last = process.stderr.read().strip().splitlines()[-1:]
            status = process.wait()
        finally:
            process.kill()  # who asks for no more leaves it at work
    if status:
        raise FailedError(
            "the saved model fails under load: "
            f"{' '.join(last) or f'status {status}'}; it was not published."
        )


def measure(
    session: Runner,
    signature: meta_graph_pb2.SignatureDef,
    *,
    clients: int,
    seconds: float,
) -> Load:
    """Returns what a number of clients get.

    Args:
      session: that they ask.
      signature: what they ask for.
      clients: how many.
      seconds: for how long; each asks at least once.
    """
    feeds = _one_row(signature)
    fetches = [info.name for info in signature.outputs.values()]
    start = time.perf_counter()

    def ask(_: int) -> list[float]:
        times = [time.perf_counter()]
        while len(times) == 1 or times[-1] < start + seconds:
            session.run(feeds, fetches)
            times.append(time.perf_counter())
        return times

    with ThreadPoolExecutor(clients) as pool:
        times = list(pool.map(ask, range(clients)))
    took = max(own[-1] for own in times) - start
    waits = np.concatenate([np.diff(own) for own in times])
    p50_ms, p99_ms = 1e3 * np.percentile(waits, [50, 99])
    return Load(clients, len(waits) / took, float(p50_ms), float(p99_ms))


def _one_row(
    signature: meta_graph_pb2.SignatureDef,
) -> dict[str, np.ndarray]:
    """Returns {tensor: [1, ...]}: halves, and zeros for whole numbers."""
    return {
        info.name: np.full(
            [1, *(dim.size for dim in info.tensor_shape.dim[1:])],
            0.5,
        ).astype(c_api.DTYPES[info.dtype])
        for info in signature.inputs.values()
    }


def main(folder: str, stdin: TextIO, stdout: TextIO) -> int:
    """Reads an order, measures, writes; returns the status."""
    order = Order(**json.load(stdin))
    c_api.disable_xla()
    try:
        for loads in _measured(folder, order):
            print(json.dumps(loads), file=stdout, flush=True)
    except (ServingError, c_api.TensorFlowError) as error:
        words = " ".join(error.message.split())
        print(f"{error.code.name}: {words}", file=sys.stderr)
        return FAILED
    return 0


def _measured(folder: str, order: Order) -> Iterator[list[dict[str, float]]]:
    model = c_api.Session(folder)
    graph = meta_graph_pb2.MetaGraphDef.FromString(model.meta_graph)
    signature = graph.signature_def[SIGNATURE]
    sessions = [
        BatchingSession(model, batching.read(text)) for text in order.settings
    ]
    for _ in range(order.rounds):
        for session in sessions:
            loads = []
            for clients in order.clients:
                for seconds in (WARM_UP * order.seconds, order.seconds):
                    load = measure(
                        session, signature, clients=clients, seconds=seconds
                    )
                loads.append(dataclasses.asdict(load))
            yield loads


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.stdin, sys.stdout))
