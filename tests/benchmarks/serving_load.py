"""A server under load while a version is published and rolled back.

python -m tests.benchmarks.serving_load RUN OTHER_RUN FOLDER [--seconds=300]

RUN and OTHER_RUN are run folders of the same data and latent size and of no
condition. 16 clients, half over REST and half over gRPC, mix good and
malformed requests. After a third of the time OTHER_RUN is published and
promoted, after two thirds rolled back. An answer is right if it is the old or
the new version's, as the moment allows. Prints one line a check.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from typing import Any

import grpc
import httpx
import numpy as np

from export.client import Client, ClientError
from export.protos import predict_pb2, prediction_service_pb2_grpc
from export.tensors import to_proto
from tests.export.server_process import ServerProcess
from tfvae.run_dir import load_run

NUM_CLIENTS = 16
ROWS, NUM_INPUTS = 12, 200
PAGE = os.sysconf("SC_PAGE_SIZE")
# Bodies that a server must refuse, with the status that it gives.
MALFORMED = (
    (b'{"instances": [[0.5]]}', 400),
    (b'{"instances": [', 400),
    (b'{"instances": []}', 400),
    (b'{"signature_name": "nothing", "instances": [[0.5]]}', 400),
    (b'{"signature_name": "sample", "instances": [0.5]}', 400),
    (b"\xff" * 100, 400),
)
# A wrong width is refused by the operation that meets it, or, where others
# wait, before it is joined with them.
REFUSED = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
)


class Load:
    """What the clients share.

    Args:
      server: under test.
      models: the runs' models, old and new.
    """

    def __init__(self, server: ServerProcess, models: list[Any]) -> None:
        self.server, self.stop = server, threading.Event()
        rng = np.random.default_rng(0)
        dim = models[0].latent_dim
        self.z = rng.normal(size=[NUM_INPUTS, ROWS, dim]).astype(np.float32)
        self.expected = [
            np.stack([model.decode(z).mean() for z in self.z])
            for model in models
        ]
        self.allowed = {0}
        self.counts: collections.Counter[str] = collections.Counter()
        self.lock = threading.Lock()

    def note(self, what: str) -> None:
        """Counts a kind of answer."""
        with self.lock:
            self.counts[what] += 1

    def client(self, index: int) -> None:
        """Sends requests until it is told to stop."""
        rng = np.random.default_rng(index)
        address = self.server.grpc_address
        url = f"grpc://{address}" if index % 2 else self.server.url
        with (
            Client(url) as asked,
            httpx.Client() as raw,
            grpc.insecure_channel(address) as channel,
        ):
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            while not self.stop.is_set():
                if rng.random() < 0.2:
                    self._malformed(rng, raw, stub)
                else:
                    self._good(rng, asked)

    def _good(self, rng: np.random.Generator, asked: Client) -> None:
        i, num = int(rng.integers(NUM_INPUTS)), int(rng.integers(1, ROWS + 1))
        before = set(self.allowed)
        try:
            x = asked.decode(self.z[i, :num])
        except ClientError as error:
            self.note(f"fault: {type(error).__name__}: {error}")
            return
        near = {
            version
            for version, expected in enumerate(self.expected)
            if np.abs(x - expected[i, :num]).max() < 1e-5
        }
        right = near & (before | self.allowed)
        self.note(f"good, version {min(right)}" if right else "fault: wrong x")

    def _malformed(
        self,
        rng: np.random.Generator,
        raw: httpx.Client,
        stub: prediction_service_pb2_grpc.PredictionServiceStub,
    ) -> None:
        body, status = MALFORMED[int(rng.integers(len(MALFORMED)))]
        answer = raw.post(
            f"{self.server.url}/v1/models/decoder:predict", content=body
        )
        right = answer.status_code == status and "error" in json.loads(
            answer.content
        )
        self.note("malformed, refused" if right else f"fault: {answer}")
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "decoder"
        request.inputs["z"].CopyFrom(to_proto(np.zeros([3, 1], np.float32)))
        try:
            stub.Predict(request, timeout=30)
        except grpc.RpcError as error:
            right = error.code() in REFUSED
            self.note("malformed, refused" if right else f"fault: {error}")
        else:
            self.note("fault: malformed, answered")


def main(
    run: str, other: str, folder: str, seconds: str = "--seconds=300"
) -> None:
    """Runs the load and prints what came of it."""
    length = float(seconds.removeprefix("--seconds="))
    models = [load_run(path).model for path in (run, other)]
    _program("export.saved_model", f"--run_dir={run}", f"--export_dir={folder}")
    with ServerProcess(f"--export_dir={folder}") as server:
        server.ready()
        load = Load(server, models)
        clients = [
            threading.Thread(target=load.client, args=[i], daemon=True)
            for i in range(NUM_CLIENTS)
        ]
        memory = _Memory(server.process.pid)
        start = time.monotonic()
        for thread in (*clients, memory):
            thread.start()
        _sleep_until(start + length / 3)
        _program(
            "export.saved_model", f"--run_dir={other}", f"--export_dir={folder}"
        )
        load.allowed = {0, 1}
        _rollout("promote", folder, server)
        load.allowed = {1}
        _sleep_until(start + 2 * length / 3)
        load.allowed = {0, 1}
        _rollout("rollback", folder, server)
        load.allowed = {0}
        _sleep_until(start + length)
        load.stop.set()
        for thread in clients:
            thread.join(60)
        memory.stop.set()
        memory.join()
        status = server.stop()
    for what, count in sorted(load.counts.items()):
        print(f"{count:8,}  {what}")
    faults = sum(n for what, n in load.counts.items() if "fault" in what)
    total = sum(load.counts.values())
    print(f"{total:,} answers in {length:.0f} s, {faults} faults")
    print(f"server's exit status: {status}")
    print(memory.report())


class _Memory(threading.Thread):
    """Looks at a process's resident memory once a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.path = pathlib.Path(f"/proc/{pid}/statm")
        self.stop, self.seen = threading.Event(), []

    def run(self) -> None:
        while not self.stop.wait(1):
            pages = int(self.path.read_text().split()[1])
            self.seen.append(pages * PAGE / 2**20)

    def report(self) -> str:
        tenths = np.array_split(self.seen, 10)
        told = " ".join(f"{part.max():.0f}" for part in tenths)
        return f"resident memory, MiB, largest of each tenth: {told}"


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _rollout(action: str, folder: str, server: ServerProcess) -> None:
    _program(
        "export.rollout",
        action,
        f"--export_dir={folder}",
        f"--url={server.url}",
    )


def _program(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
