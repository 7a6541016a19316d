"""One chief and its workers: everything is run once, whoever dies."""

import collections
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import toy_search
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from tfvae.errors import InputError, TrainingError
from tuning import chief, workers

ROOT = pathlib.Path(__file__).parents[2]


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


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> str:
    """HOST:PORT that is free; the environment names it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv(workers.ORACLE_IP, "127.0.0.1")
    monkeypatch.setenv(workers.ORACLE_PORT, str(port))
    monkeypatch.setenv(workers.TUNER_ID, "w0")
    return f"127.0.0.1:{port}"


def _worker(
    directory: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    tuner_id: str,
    seconds: float = 0.0,
    **timeouts: Any,
) -> toy_search.ToyTuner:
    monkeypatch.setenv(workers.TUNER_ID, tuner_id)
    tuner = toy_search.ToyTuner(
        toy_search.make_oracle("random"), str(directory)
    )
    tuner.seconds = seconds
    chief.connect(tuner.oracle, **timeouts)
    return tuner


def _search(tuner: toy_search.ToyTuner) -> None:
    with workers.Heartbeat(tuner.project_dir, tuner.tuner_id, 0.05):
        tuner.search()


def _check(oracle: Any, directory: pathlib.Path) -> None:
    assert sorted(oracle.end_order) == [str(i) for i in range(6)]
    assert {trial.status for trial in oracle.trials.values()} == {"COMPLETED"}
    values = toy_search.values_of(oracle)
    assert len({str(v) for v in values}) == 6
    # All digits survive the wire.
    assert [oracle.trials[str(i)].score for i in range(6)] == [
        toy_search.formula(v) for v in values
    ]
    assert {s for *_, s in toy_search.begun(directory)} == {"RUNNING"}


def test_two_workers_share_a_search(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = Chief(tmp_path).start()
    tuners = [
        _worker(tmp_path, monkeypatch, name, seconds=0.05) for name in "ab"
    ]
    threads = [threading.Thread(target=_search, args=[t]) for t in tuners]
    for thread in threads:
        thread.start()
    served.join()
    for thread in threads:
        thread.join(timeout=5)
        assert not thread.is_alive()
    _check(served.oracle, tmp_path)
    begun = toy_search.begun(tmp_path)
    assert sorted(trial_id for trial_id, *_ in begun) == list("012345")
    assert {tuner_id for _, tuner_id, _ in begun} == {"a", "b"}
    assert served.ended[0] == 0
    assert served.ended[-1] == 6
    assert served.ended == sorted(served.ended)
    assert served.lines[0] == f"waiting for workers at {address}"


def test_finished_search_needs_no_worker(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = Chief(tmp_path).start()
    _search(_worker(tmp_path, monkeypatch, "a"))
    served.join()
    again = Chief(tmp_path).start()
    again.join()
    _check(again.oracle, tmp_path)


def test_space_that_is_exhausted_ends_the_search(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = Chief(tmp_path, "grid").start()
    _search(_worker(tmp_path, monkeypatch, "a"))
    served.join()
    assert len(served.oracle.end_order) == 6


def test_chief_stays_for_a_worker_that_has_not_asked_yet(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = Chief(tmp_path).start()
    late = _worker(tmp_path, monkeypatch, "late")
    with workers.Heartbeat(late.project_dir, "late", 0.05):
        _search(_worker(tmp_path, monkeypatch, "a"))
        time.sleep(0.3)
        assert served.thread.is_alive()
        assert late.oracle.create_trial("late").status == "STOPPED"
    served.join()


def test_lost_worker_s_trial_is_run_by_another_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = Chief(tmp_path).start()
    ghost = _worker(tmp_path, monkeypatch, "ghost")
    assert ghost.oracle.create_trial("ghost").trial_id == "0"
    path = tmp_path / "search" / "workers" / "ghost"
    path.parent.mkdir()
    path.write_text("7")  # and never another number
    _search(_worker(tmp_path, monkeypatch, "a"))
    served.join()
    assert not path.exists()
    _check(served.oracle, tmp_path)
    assert served.lines[-1] == (
        "worker ghost is lost; its trial 0 goes to another one"
    )
    assert toy_search.begun(tmp_path)[-1][:2] == ["0", "a"]


def test_trial_that_kills_its_workers_fails(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = Chief(tmp_path, max_trials=2)
    for name in "xy":
        served.oracle.create_trial(name)
        served.oracle.release(name)
    served.start()
    ghost = _worker(tmp_path, monkeypatch, "ghost")
    assert ghost.oracle.create_trial("ghost").trial_id == "0"
    _search(_worker(tmp_path, monkeypatch, "a"))
    served.join()
    assert served.oracle.trials["0"].status == "FAILED"
    assert served.oracle.trials["1"].status == "COMPLETED"
    assert served.lines[-1] == (
        "worker ghost is lost; its trial 0 has failed: lost its worker 3 times"
    )


def test_all_workers_are_told_that_the_search_is_given_up(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = Chief(tmp_path, max_consecutive_failed_trials=2).start()
    clients = {
        name: _worker(tmp_path, monkeypatch, name).oracle for name in "abc"
    }
    trials = {name: c.create_trial(name) for name, c in clients.items()}
    for name in "ab":
        trials[name].status = "FAILED"
        clients[name].end_trial(trials[name])
    assert clients["a"].create_trial("a").status == "STOPPED"
    assert clients["b"].create_trial("b").status == "STOPPED"
    time.sleep(0.2)
    assert served.thread.is_alive()  # c is still busy
    clients["c"].update_trial("2", {"nll": 1.0})
    trials["c"].status = "COMPLETED"
    clients["c"].end_trial(trials["c"])
    assert clients["c"].create_trial("c").status == "STOPPED"
    served.join()
    assert served.oracle.given_up.startswith("2 trials in a row failed")


def test_second_chief_is_refused(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    served = Chief(tmp_path).start()
    time.sleep(0.3)
    assert served.ended == [0]  # no change, no call
    with pytest.raises(InputError, match=rf"{address} is taken, or is not of"):
        Chief(tmp_path)._serve()
    assert capfd.readouterr().err == ""
    _search(_worker(tmp_path, monkeypatch, "a"))
    served.join()


def test_two_chiefs_that_start_at_once_do_not_share_the_port(
    tmp_path: pathlib.Path, address: str
) -> None:
    server = _start_server(tmp_path)
    other = grpc.server(ThreadPoolExecutor(1), options=chief.OWN_PORT)
    with pytest.raises(RuntimeError, match="Failed to bind"):
        other.add_insecure_port(address)
    server.stop(0).wait()


def test_address_of_another_host_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(workers.ORACLE_IP, "192.0.2.1")  # for documents only
    with pytest.raises(InputError, match=r"192\.0\.2\.1:\d+ is taken, or is n"):
        Chief(tmp_path)._serve()


def test_worker_waits_for_its_chief_and_says_so(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(chief, "PATIENCE_SECONDS", 0.1)
    lines: list[str] = []
    with pytest.raises(TrainingError, match=rf"no chief answers at {address}"):
        _worker(
            tmp_path, monkeypatch, "a",
            chief_timeout_seconds=0.3, report=lines.append,
        )  # fmt: skip
    expected = f"waiting for the chief at {address}, for at most 0.3 seconds"
    assert lines == [expected]
    served = Chief(tmp_path)
    timer = threading.Timer(0.5, served.start)
    timer.start()
    lines.clear()
    _search(_worker(tmp_path, monkeypatch, "a", report=lines.append))
    served.join()
    assert len(lines) == 1
    _check(served.oracle, tmp_path)


def test_worker_notices_that_the_chief_is_gone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    server = _start_server(tmp_path)
    tuner = _worker(tmp_path, monkeypatch, "a", silence_seconds=0.5)
    trial = tuner.oracle.create_trial("a")
    server.stop(0).wait()
    before = time.monotonic()
    with pytest.raises(
        TrainingError, match=rf"chief at {address} has not answered for 0.5 s"
    ):
        tuner.oracle.update_trial(trial.trial_id, {"nll": 1.0})
    assert 0.4 < time.monotonic() - before < 5


def test_worker_s_search_ends_where_the_chief_is_gone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    server = _start_server(tmp_path)
    tuner = _worker(tmp_path, monkeypatch, "a", silence_seconds=0.3)
    tuner.on_trial_begin = lambda trial: server.stop(0).wait()
    tuner.on_trial_end = lambda trial: pytest.fail("the trial did not end")
    with pytest.raises(chief.ChiefLostError, match=r"has not answered"):
        tuner.search()


def _start_server(directory: pathlib.Path) -> grpc.Server:
    """Starts a chief's server alone; nobody looks after its workers."""
    server = grpc.server(ThreadPoolExecutor(1), options=chief.OWN_PORT)
    protos.get_service_grpc().add_OracleServicer_to_server(
        OracleServicer(Chief(directory).oracle), server
    )
    chief._take_address(server)
    server.start()
    return server


class Broken(grpc.RpcError):
    """As a call that was under way when the connection broke."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__()
        self.code = lambda: code


@pytest.mark.parametrize("name", ["UNAVAILABLE", "CANCELLED"])
def test_call_that_broke_is_made_again(name: str, address: str) -> None:
    code, calls = grpc.StatusCode[name], []

    def answer_the_third(request: str, **options: Any) -> str:
        calls.append(options)
        if len(calls) < 3:
            raise Broken(code)
        return request + "!"

    def break_always(request: str, **options: Any) -> str:
        raise Broken(code)

    stub = chief._ImpatientStub(
        SimpleNamespace(EndTrial=answer_the_third, GetTrial=break_always),
        silence_seconds=0.5,
    )
    assert stub.EndTrial("end", wait_for_ready=True, timeout=3600) == "end!"
    assert [options["wait_for_ready"] for options in calls] == [True] * 3
    assert 0.5 >= calls[0]["timeout"] > calls[1]["timeout"] > 0
    with pytest.raises(TrainingError, match=r"has not answered for 0\.5 sec"):
        stub.GetTrial("get")


def test_worker_goes_on_with_a_chief_that_was_started_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    server = _start_server(tmp_path)
    tuner = _worker(tmp_path, monkeypatch, "a", silence_seconds=20)
    other = _worker(tmp_path, monkeypatch, "b")
    again: list[Chief] = []

    def restart(trial: Any) -> None:
        if not again:
            server.stop(0).wait()
            again.append(Chief(tmp_path))
            timer = threading.Timer(0.3, again[0].start)
            timer.start()

    tuner.on_trial_begin = restart
    thread = threading.Thread(target=_search, args=[tuner])
    thread.start()
    while not again:
        time.sleep(0.01)
    _search(other)
    thread.join(timeout=20)
    again[0].join()
    _check(again[0].oracle, tmp_path)
    times = collections.Counter(i for i, *_ in toy_search.begun(tmp_path))
    assert set(times.values()) == {1}  # b was not given what a was busy with


def test_error_of_the_chief_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    server = _start_server(tmp_path)
    tuner = _worker(tmp_path, monkeypatch, "a")
    with pytest.raises(TrainingError, match=r"failed: Exception calling .*'x'"):
        tuner.oracle.update_trial("x", {"nll": 1.0})
    assert tuner.oracle.create_trial("a").trial_id == "0"  # nobody is locked
    server.stop(0).wait()


def _process(
    directory: pathlib.Path, address: str, role: str, name: str, seconds: float
) -> subprocess.Popen:
    arguments = [role, address, name, str(directory), str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for variable in (workers.TUNER_ID, workers.ORACLE_IP, workers.ORACLE_PORT):
        environment.pop(variable, None)
    return subprocess.Popen(
        [sys.executable, toy_search.__file__, *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def _begin(name: str, directory: pathlib.Path) -> None:
    """Lets a worker begin, and waits until it is busy with a trial."""
    (directory / name).touch()
    path, deadline = directory / "begun.jsonl", time.monotonic() + 60
    while not path.exists() or f'"{name}"' not in path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_worker_killed_in_mid_trial_loses_only_that_trial(
    tmp_path: pathlib.Path, address: str
) -> None:
    served = Chief(tmp_path).start()
    victim = _process(tmp_path, address, "worker", "victim", 600)
    worker = _process(tmp_path, address, "worker", "good", 0)
    _begin("victim", tmp_path)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    _begin("good", tmp_path)
    said, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0, said
    served.join()
    _check(served.oracle, tmp_path)
    times = collections.Counter(i for i, *_ in toy_search.begun(tmp_path))
    assert sorted(times.values()) == [1, 1, 1, 1, 1, 2]
    assert served.watch.present() == set()


@pytest.mark.slow
def test_chief_and_a_worker_killed(
    tmp_path: pathlib.Path, address: str
) -> None:
    first = _process(tmp_path, address, "chief", "", 0)
    started = {
        name: _process(tmp_path, address, "worker", name, seconds)
        for name, seconds in {"victim": 600, "good": 1}.items()
    }
    for name in started:
        _begin(name, tmp_path)
    for process in (first, started["victim"]):
        process.send_signal(signal.SIGKILL)
        process.communicate()
    second = _process(tmp_path, address, "chief", "", 0)
    for process in (second, started["good"]):
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
    _check(Chief(tmp_path).oracle, tmp_path)
    times = collections.Counter(i for i, *_ in toy_search.begun(tmp_path))
    assert sorted(times.values()) == [1, 1, 1, 1, 1, 2]
