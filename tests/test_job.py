"""Processes of a job: small scripts in place of workers that train."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from tfvae import job, program
from tfvae.errors import InputError
from tfvae.job import End, Job

# Of every script: $i is the worker's index, the folder is for what it leaves.
START = """
i=${TF_CONFIG##*'"index": '}; i=${i%%\\}*}; cd "$FOLDER"
"""
SLEEP = "exec sleep 60"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr(job, "PAUSE", 0.005)
    monkeypatch.setattr(job, "LAST_WORDS", 0.2)
    monkeypatch.setenv("FOLDER", str(tmp_path))
    # This process is large, and what runs in a child first makes a copy of it.
    monkeypatch.setattr(job, "_prepare", lambda index, num: None)


prepare = job._prepare


def make(script: str, num_workers: int = 2, grace_seconds: float = 30.0) -> Job:
    return Job(["sh", "-c", START + script], num_workers, grace_seconds)


def run(script: str, num_workers: int = 2, grace_seconds: float = 30.0) -> End:
    with make(script, num_workers, grace_seconds) as started:
        return started.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        return state[2].split()[0] != "Z"
    return False


def test_workers_are_told_of_each_other(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    end = run(
        'echo "$TF_CONFIG" > config-$i; echo out $i; echo err $i >&2; cat',
        num_workers=3,
    )
    assert end == End(program.DONE)
    configs = [
        json.loads((tmp_path / f"config-{index}").read_text())
        for index in range(3)
    ]
    (addresses,) = {tuple(c["cluster"]["worker"]) for c in configs}
    ports = {int(address.split(":")[1]) for address in addresses}
    assert {address.split(":")[0] for address in addresses} == {"127.0.0.1"}
    assert len(ports) == 3
    assert min(ports) > 1024
    outgoing = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
    assert max(ports) < int(outgoing.read_text().split()[0])
    # What the chief says is all that is shown of workers that do not fail.
    assert capfd.readouterr() == ("out 0\n", "err 0\n")


def test_port_that_is_taken_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        free = [20001, 20002, 20003, 20004]
        monkeypatch.setattr(job, "PORTS", [taken, *free])
        monkeypatch.setattr(job.random, "sample", lambda ports, num: ports)
        assert taken not in job._free_ports(2)
        assert len(job._free_ports(2)) == 2


def test_words_of_a_worker_that_fails_are_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    began = time.monotonic()
    end = run(
        "[ $i = 0 ] || { echo first >&2; echo second >&2; exit 2; }\n" + SLEEP
    )
    assert end == End(program.WRONG_INPUT)
    assert capfd.readouterr().err == "worker 1: first\nworker 1: second\n"
    assert time.monotonic() - began < 10


def test_words_of_the_chief_are_shown_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    end = run("echo it >&2; [ $i = 1 ]")
    assert end == End(program.FAILED)
    assert capfd.readouterr().err == "it\n"


def test_last_words_alone_of_many(capfd: pytest.CaptureFixture[str]) -> None:
    run("seq 0 49 >&2; exit $i")
    lines = capfd.readouterr().err.splitlines()[50:]  # the chief's come first
    assert lines == [f"worker 1: {n}" for n in range(30, 50)]


def test_worker_that_fails_is_the_reason_not_those_that_lose_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    end = run("[ $i = 1 ] || exit 75; sleep 0.05; echo why >&2; exit 1")
    assert end == End(program.FAILED)
    assert capfd.readouterr().err == "worker 1: why\n"


def test_first_of_several_that_fail_is_the_reason(
    capfd: pytest.CaptureFixture[str],
) -> None:
    end = run(
        "[ $i = 2 ] || sleep 0.1; echo why >&2; exit $((i + 1))",
        num_workers=3,
    )
    assert end == End(3)
    assert "worker 2: why\n" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (
            "[ $i = 0 ] || kill -9 $$; sleep 0.05; exit 75",
            "worker 1 was killed (SIGKILL)",
        ),
        (f"[ $i = 1 ] || exit 75; {SLEEP}", "worker 0 lost another one"),
        ("exit 143", "worker {} was told to stop, and saved"),
        (f"[ $i = 0 ] || kill -ABRT $$; {SLEEP}", "worker 1 was killed (SIGAB"),
    ],
)
def test_job_is_worth_restarting(script: str, text: str) -> None:
    end = run(script)
    assert (end.status, end.is_worth_restarting) == (program.LOST_WORKER, True)
    assert end.text.startswith((text.format(0), text.format(1)))


def at_ready(
    folder: pathlib.Path, num_workers: int, act: Callable[[], None]
) -> threading.Thread:
    """Acts once all workers have noted that they are ready."""

    def watch() -> None:
        wait_until(lambda: len(list(folder.glob("ready-*"))) == num_workers)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


SAVES = """
save() { printf "$1 " >> told-$i; sleep 0.05; exit $((128 + $1)); }
trap 'save 2' INT; trap 'save 15' TERM
: > ready-$i; while :; do sleep 0.01; done
"""
DEAF = f"trap '' TERM; : > ready-$i; {SLEEP}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_reaches_every_worker_once(
    number: int, tmp_path: pathlib.Path
) -> None:
    before = [signal.getsignal(n) for n in job.SIGNALS]
    thread = at_ready(tmp_path, 3, lambda: os.kill(os.getpid(), number))
    assert run(SAVES, num_workers=3) == End(128 + number)
    thread.join()
    for index in range(3):
        assert (tmp_path / f"told-{index}").read_text() == f"{number} "
    assert [signal.getsignal(n) for n in job.SIGNALS] == before


def test_signal_before_the_wait_is_not_lost(tmp_path: pathlib.Path) -> None:
    with make(SAVES) as started:
        os.kill(os.getpid(), signal.SIGTERM)
        wait_until(lambda: len(list(tmp_path.glob("ready-*"))) == 2)
        assert started.wait() == End(program.TERMINATED)
    assert (tmp_path / "told-1").read_text() == "15 "


def test_job_that_is_done_all_the_same_is_done(tmp_path: pathlib.Path) -> None:
    thread = at_ready(tmp_path, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert run(SAVES.replace("128 + $1", "0")) == End(program.DONE)
    thread.join()


def test_worker_that_cannot_save_is_told_of(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    thread = at_ready(tmp_path, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    full = "[ $i = 0 ] || echo disk full >&2; exit $i"
    end = run(SAVES.replace("exit $((128 + $1))", full))
    thread.join()
    assert end == End(program.FAILED)
    assert capfd.readouterr().err == "worker 1: disk full\n"


def test_worker_that_does_not_stop_is_killed(tmp_path: pathlib.Path) -> None:
    thread = at_ready(tmp_path, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with make(DEAF, grace_seconds=0.1) as started:
        pids = [worker.pid for worker in started._workers]
        assert started.wait() == End(143, "some workers had to be killed.")
        assert all(map(is_running, pids))
    assert not any(map(is_running, pids))
    thread.join()


def test_second_signal_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = at_ready(tmp_path, 2, twice)
    began = time.monotonic()
    assert run(DEAF).status == program.TERMINATED
    assert time.monotonic() - began < 10
    thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can do it")
def test_workers_die_with_the_launcher(tmp_path: pathlib.Path) -> None:
    launcher = (
        "import sys; from tfvae.job import Job\n"
        f"command = {['sh', '-c', START + DEAF]!r}\n"
        "with Job(command, 2, 30) as job:\n"
        "    print(*(worker.pid for worker in job._workers), flush=True)\n"
        "    job.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", launcher], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        wait_until(lambda: len(list(tmp_path.glob("ready-*"))) == 2)
        assert all(map(is_running, pids))
        process.kill()
    wait_until(lambda: not any(map(is_running, pids)))


def test_ctrl_c_of_the_terminal_reaches_the_launcher_alone(
    tmp_path: pathlib.Path,
) -> None:
    run("ps -o pid=,sid= -p $$ > session-$i")
    for index in range(2):
        pid, session = (tmp_path / f"session-{index}").read_text().split()
        assert session == pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can do it")
def test_worker_keeps_to_its_cores(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_prepare", prepare)
    run("cat /proc/self/status > status-$i")
    for index in range(2):
        status = (tmp_path / f"status-{index}").read_text()
        (text,) = re.findall(r"Cpus_allowed:\s+([0-9a-f,]+)", status)
        mask = int(text.replace(",", ""), 16)
        cores = {n for n in range(mask.bit_length()) if mask >> n & 1}
        assert cores == set(job._own_cores(index, 2))


def test_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {9, 2, 5})
    assert [job._own_cores(n, 2) for n in range(2)] == [[2, 9], [5]]
    assert [job._own_cores(n, 3) for n in range(3)] == [[2], [5], [9]]
    assert [job._own_cores(n, 4) for n in range(4)] == [[2, 5, 9]] * 4


def test_command_that_is_not_there_leaves_all_as_it_was() -> None:
    before = [signal.getsignal(n) for n in job.SIGNALS]
    with pytest.raises(FileNotFoundError), Job(["/nowhere/python"], 2, 1.0):
        pass
    assert [signal.getsignal(n) for n in job.SIGNALS] == before


@pytest.mark.parametrize(
    ("given", "found", "shares"),
    [
        (None, 0, [None, None]),
        (None, 2, ["0", "1"]),
        (None, 3, ["0,2", "1"]),
        ("5,7,8", 9, ["5,8", "7"]),
        ("", 4, [None, None]),
        ("-1", 4, [None, None]),
        ("1,2", 0, [None, None]),
    ],
)
def test_gpus_are_shared_out(
    given: str | None,
    found: int,
    shares: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    have_gpus(given, found, monkeypatch)
    names = [job._own_gpus(index, 2) for index in range(2)]
    assert [name.get("CUDA_VISIBLE_DEVICES") for name in names] == shares


def have_gpus(
    given: str | None, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [f"/dev/nvidia{number}" for number in range(found)]
    monkeypatch.setattr(job.glob, "glob", lambda pattern: paths)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)


@pytest.mark.parametrize(("given", "found", "num"), [(None, 1, 1), ("3", 4, 1)])
def test_fewer_gpus_than_workers(
    given: str | None, found: int, num: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_gpus(given, found, monkeypatch)
    with (
        pytest.raises(
            InputError,
            match=rf"^`workers` must be at most {num}, as there are GPUs; got "
            r"2; to train on the CPU set CUDA_VISIBLE_DEVICES=-1\.$",
        ),
        make("") as _,
    ):
        pass
