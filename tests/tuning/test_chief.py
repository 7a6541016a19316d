"""One chief and its workers: everything is run once, whoever dies."""

import pathlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import toy_chief
import toy_search

from tfvae.errors import InputError
from tuning import chief, workers


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> str:
    """HOST:PORT that is free; the environment names it."""
    return toy_chief.take_address(monkeypatch)


def test_two_workers_share_a_search(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = toy_chief.Chief(tmp_path).start()
    tuners = [
        toy_chief.worker(tmp_path, monkeypatch, name, seconds=0.05)
        for name in "ab"
    ]
    threads = [
        threading.Thread(target=toy_chief.search, args=[t]) for t in tuners
    ]
    for thread in threads:
        thread.start()
    served.join()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    toy_chief.check(served.oracle, tmp_path)
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
    served = toy_chief.Chief(tmp_path).start()
    toy_chief.search(toy_chief.worker(tmp_path, monkeypatch, "a"))
    served.join()
    again = toy_chief.Chief(tmp_path).start()
    again.join()
    toy_chief.check(again.oracle, tmp_path)


def test_space_that_is_exhausted_ends_the_search(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = toy_chief.Chief(tmp_path, "grid").start()
    toy_chief.search(toy_chief.worker(tmp_path, monkeypatch, "a"))
    served.join()
    assert len(served.oracle.end_order) == 6


def test_chief_stays_for_a_worker_that_has_not_asked_yet(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = toy_chief.Chief(tmp_path).start()
    late = toy_chief.worker(tmp_path, monkeypatch, "late")
    with workers.Heartbeat(late.project_dir, "late", 0.05):
        toy_chief.search(toy_chief.worker(tmp_path, monkeypatch, "a"))
        time.sleep(0.3)
        assert served.thread.is_alive()
        assert late.oracle.create_trial("late").status == "STOPPED"
    served.join()


def test_lost_worker_s_trial_is_run_by_another_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = toy_chief.Chief(tmp_path).start()
    ghost = toy_chief.worker(tmp_path, monkeypatch, "ghost")
    assert ghost.oracle.create_trial("ghost").trial_id == "0"
    path = tmp_path / "search" / "workers" / "ghost"
    path.parent.mkdir()
    path.write_text("7")  # and never another number
    toy_chief.search(toy_chief.worker(tmp_path, monkeypatch, "a"))
    served.join()
    assert not path.exists()
    toy_chief.check(served.oracle, tmp_path)
    assert served.lines[-1] == (
        "worker ghost is lost; its trial 0 goes to another one"
    )
    assert toy_search.begun(tmp_path)[-1][:2] == ["0", "a"]


def test_trial_that_kills_its_workers_fails(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = toy_chief.Chief(tmp_path, max_trials=2)
    for name in "xy":
        served.oracle.create_trial(name)
        served.oracle.release(name)
    served.start()
    ghost = toy_chief.worker(tmp_path, monkeypatch, "ghost")
    assert ghost.oracle.create_trial("ghost").trial_id == "0"
    toy_chief.search(toy_chief.worker(tmp_path, monkeypatch, "a"))
    served.join()
    assert served.oracle.trials["0"].status == "FAILED"
    assert served.oracle.trials["1"].status == "COMPLETED"
    assert served.lines[-1] == (
        "worker ghost is lost; its trial 0 has failed: lost its worker 3 times"
    )


def test_all_workers_are_told_that_the_search_is_given_up(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served = toy_chief.Chief(tmp_path, max_consecutive_failed_trials=2).start()
    clients = {
        name: toy_chief.worker(tmp_path, monkeypatch, name).oracle
        for name in "abc"
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
    served = toy_chief.Chief(tmp_path).start()
    time.sleep(0.3)
    assert served.ended == [0]  # no change, no call
    with pytest.raises(InputError, match=rf"{address} is taken, or is not of"):
        toy_chief.Chief(tmp_path)._serve()
    assert capfd.readouterr().err == ""
    toy_chief.search(toy_chief.worker(tmp_path, monkeypatch, "a"))
    served.join()


def test_two_chiefs_that_start_at_once_do_not_share_the_port(
    tmp_path: pathlib.Path, address: str
) -> None:
    server = toy_chief.start_server(tmp_path)
    other = grpc.server(ThreadPoolExecutor(1), options=chief.OWN_PORT)
    with pytest.raises(RuntimeError, match="Failed to bind"):
        other.add_insecure_port(address)
    server.stop(0).wait()


def test_address_of_another_host_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(workers.ORACLE_IP, "192.0.2.1")  # for documents only
    with pytest.raises(InputError, match=r"192\.0\.2\.1:\d+ is taken, or is n"):
        toy_chief.Chief(tmp_path)._serve()
