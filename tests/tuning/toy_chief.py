"""A chief and workers within one process, over a toy search."""

import pathlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
import toy_search
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from tuning import chief, workers


class Chief:
    """A chief in a thread of this process, over a toy search."""

    def __init__(
        self,
        directory: pathlib.Path,
        algorithm: str = "random",
        **settings: Any,
    ) -> None:
        self.oracle = toy_search.make_oracle(algorithm, **settings)
        self.oracle.verbose = 0
        self.oracle._set_project_dir(str(directory), "search")
        if (directory / "search" / "oracle.json").exists():
            self.oracle.reload()
        self.lines: list[str] = []
        self.ended: list[int] = []
        self.watch = workers.Watch(str(directory / "search"), 0.6)
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        chief.serve(
            self.oracle,
            self.watch,
            on_change=lambda: self.ended.append(len(self.oracle.end_order)),
            report=self.lines.append,
            poll_seconds=0.05,
        )

    def start(self) -> "Chief":
        self.thread.start()
        return self

    def join(self) -> None:
        self.thread.join(timeout=20)
        assert not self.thread.is_alive()


def take_address(monkeypatch: pytest.MonkeyPatch) -> str:
    """Returns a HOST:PORT that is free, which the environment then names."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv(workers.ORACLE_IP, "127.0.0.1")
    monkeypatch.setenv(workers.ORACLE_PORT, str(port))
    monkeypatch.setenv(workers.TUNER_ID, "w0")
    return f"127.0.0.1:{port}"


def worker(
    directory: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    tuner_id: str,
    seconds: float = 0.0,
    **timeouts: Any,
) -> toy_search.ToyTuner:
    """Returns a worker's tuner, connected to the chief."""
    monkeypatch.setenv(workers.TUNER_ID, tuner_id)
    tuner = toy_search.ToyTuner(
        toy_search.make_oracle("random"), str(directory)
    )
    tuner.seconds = seconds
    chief.connect(tuner.oracle, **timeouts)
    return tuner


def search(tuner: toy_search.ToyTuner) -> None:
    """Runs a worker's trials, with its signs of life."""
    with workers.Heartbeat(tuner.project_dir, tuner.tuner_id, 0.05):
        tuner.search()


def check(oracle: Any, directory: pathlib.Path) -> None:
    """Asserts that every trial is complete, and none was tried twice."""
    assert sorted(oracle.end_order) == [str(i) for i in range(6)]
    assert {trial.status for trial in oracle.trials.values()} == {"COMPLETED"}
    values = toy_search.values_of(oracle)
    assert len({str(v) for v in values}) == 6
    # All digits survive the wire.
    assert [oracle.trials[str(i)].score for i in range(6)] == [
        toy_search.formula(v) for v in values
    ]
    assert {s for *_, s in toy_search.begun(directory)} == {"RUNNING"}


def start_server(directory: pathlib.Path) -> grpc.Server:
    """Starts a chief's server alone; nobody looks after its workers."""
    server = grpc.server(ThreadPoolExecutor(1), options=chief.OWN_PORT)
    protos.get_service_grpc().add_OracleServicer_to_server(
        OracleServicer(Chief(directory).oracle), server
    )
    chief._take_address(server)
    server.start()
    return server
