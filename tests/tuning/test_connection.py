"""What a worker does about a chief that is late, gone or back."""

import collections
import pathlib
import threading
import time
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import toy_chief
import toy_search

from tfvae.errors import TrainingError
from tuning import chief


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> str:
    """HOST:PORT that is free; the environment names it."""
    return toy_chief.take_address(monkeypatch)


def test_worker_waits_for_its_chief_and_says_so(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(chief, "PATIENCE_SECONDS", 0.1)
    lines: list[str] = []
    with pytest.raises(TrainingError, match=rf"no chief answers at {address}"):
        toy_chief.worker(
            tmp_path, monkeypatch, "a",
            chief_timeout_seconds=0.3, report=lines.append,
        )  # fmt: skip
    expected = f"waiting for the chief at {address}, for at most 0.3 seconds"
    assert lines == [expected]
    served = toy_chief.Chief(tmp_path)
    timer = threading.Timer(0.5, served.start)
    timer.start()
    lines.clear()
    toy_chief.search(
        toy_chief.worker(tmp_path, monkeypatch, "a", report=lines.append)
    )
    served.join()
    assert len(lines) == 1
    toy_chief.check(served.oracle, tmp_path)


def test_worker_notices_that_the_chief_is_gone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    server = toy_chief.start_server(tmp_path)
    tuner = toy_chief.worker(tmp_path, monkeypatch, "a", silence_seconds=0.5)
    trial = tuner.oracle.create_trial("a")
    server.stop(0).wait()
    before = time.monotonic()
    with pytest.raises(
        TrainingError, match=rf"chief at {address} has not answered for 0.5 s"
    ):
        tuner.oracle.update_trial(trial.trial_id, {"nll": 1.0})
    assert 0.4 < time.monotonic() - before < 20


def test_worker_s_search_ends_where_the_chief_is_gone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    server = toy_chief.start_server(tmp_path)
    tuner = toy_chief.worker(tmp_path, monkeypatch, "a", silence_seconds=0.3)
    tuner.on_trial_begin = lambda trial: server.stop(0).wait()
    tuner.on_trial_end = lambda trial: pytest.fail("the trial did not end")
    with pytest.raises(chief.ChiefLostError, match=r"has not answered"):
        tuner.search()


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
    server = toy_chief.start_server(tmp_path)
    tuner = toy_chief.worker(tmp_path, monkeypatch, "a", silence_seconds=20)
    other = toy_chief.worker(tmp_path, monkeypatch, "b")
    again: list[toy_chief.Chief] = []

    def restart(trial: Any) -> None:
        if not again:
            server.stop(0).wait()
            again.append(toy_chief.Chief(tmp_path))
            timer = threading.Timer(0.3, again[0].start)
            timer.start()

    tuner.on_trial_begin = restart
    thread = threading.Thread(target=toy_chief.search, args=[tuner])
    thread.start()
    while not again:
        time.sleep(0.01)
    toy_chief.search(other)
    thread.join(timeout=20)
    again[0].join()
    toy_chief.check(again[0].oracle, tmp_path)
    times = collections.Counter(i for i, *_ in toy_search.begun(tmp_path))
    assert set(times.values()) == {1}  # b was not given what a was busy with


def test_error_of_the_chief_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    server = toy_chief.start_server(tmp_path)
    tuner = toy_chief.worker(tmp_path, monkeypatch, "a")
    with pytest.raises(TrainingError, match=r"failed: Exception calling .*'x'"):
        tuner.oracle.update_trial("x", {"nll": 1.0})
    assert tuner.oracle.create_trial("a").trial_id == "0"  # nobody is locked
    server.stop(0).wait()
