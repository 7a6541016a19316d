"""The workers of a job meet, over real sockets, whatever else calls there."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest

import tfvae
from tfvae import rendezvous
from tfvae.cluster import Cluster
from tfvae.errors import InputError, LostWorkerError

SETTINGS = {"epochs": 3, "hidden_units": [5, 7]}
GIVEN = {"epochs": 3}


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "PAUSE", 0.005)
    monkeypatch.setattr(rendezvous, "LATE_SECONDS", 0.1)


@pytest.fixture
def pool() -> Iterator[futures.ThreadPoolExecutor]:
    with futures.ThreadPoolExecutor(8) as executor:
        yield executor


def addresses(num: int) -> tuple[str, ...]:
    """Returns addresses of which nobody has the first."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return (f"127.0.0.1:{port}", *(f"b:{n}" for n in range(1, num)))


def meet(job: tuple[str, ...], index: int, **more: Any) -> dict[str, Any]:
    arguments = {"given": GIVEN, "settings": {}, "timeout": 5.0} | more
    return rendezvous.meet(Cluster(job, index), **arguments)


def hello(job: tuple[str, ...], index: Any) -> dict[str, Any]:
    given = {"tfvae": tfvae.__version__, "workers": list(job), **GIVEN}
    return {"hello": "tfvae", "index": index, "given": given}


def call(job: tuple[str, ...], text: bytes) -> socket.socket:
    """Returns a connection to the chief, once it listens, that said this."""
    host, _, port = job[0].rpartition(":")
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            line = socket.create_connection((host, int(port)), 5.0)
            with contextlib.suppress(OSError):  # it hung up meanwhile
                line.sendall(text)
            return line
        time.sleep(0.005)


def as_line(message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


@pytest.mark.parametrize("chief_first", [True, False])
def test_all_get_the_settings_of_the_chief(
    chief_first: bool, pool: futures.ThreadPoolExecutor
) -> None:
    job = addresses(4)
    order = [0, 1, 2, 3] if chief_first else [3, 2, 1, 0]
    told = {}
    for index in order:
        settings = SETTINGS if index == 0 else {"epochs": 9}
        told[index] = pool.submit(meet, job, index, settings=settings)
        time.sleep(0.03)
    assert [told[index].result(60) for index in range(4)] == [SETTINGS] * 4


def test_job_of_one_does_not_wait() -> None:
    assert meet(addresses(1), 0, settings=SETTINGS, timeout=0.1) == SETTINGS


def test_address_is_free_for_tensorflow_afterwards(
    pool: futures.ThreadPoolExecutor,
) -> None:
    job = addresses(2)
    other = pool.submit(meet, job, 1)
    meet(job, 0)
    other.result(60)
    with socket.create_server(("127.0.0.1", int(job[0].split(":")[1]))):
        pass


NOISE = {
    "nothing": b"",
    "half a line": b'{"hello": "tfvae", "index": 1',
    "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tls": bytes([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]) + b"\n",
    "no text": b"\xff\xfe\x00\n",
    "a list": b"[1, 2]\n",
    "a number": b"3\n",
    "deep": b"[" * 60_000 + b"\n",
    "stranger": as_line({"hello": "other", "index": 1, "given": {}}),
    "no flags": as_line({"hello": "tfvae", "index": 1}),
    "flags are a list": as_line({"hello": "tfvae", "index": 1, "given": []}),
}


@pytest.mark.parametrize("name", NOISE)
def test_other_callers_hold_up_nobody(
    name: str, pool: futures.ThreadPoolExecutor
) -> None:
    job = addresses(2)
    chief = pool.submit(meet, job, 0, settings=SETTINGS)
    with call(job, NOISE[name]), call(job, NOISE[name]):
        began = time.monotonic()
        assert meet(job, 1) == SETTINGS
        assert chief.result(60) == SETTINGS
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("index", [True, [1], None, {"1": 1}, 1.0, -1, 7])
def test_odd_index_stands_for_nobody(
    index: Any, pool: futures.ThreadPoolExecutor
) -> None:
    job = addresses(2)
    chief = pool.submit(meet, job, 0, timeout=0.06)
    with (
        call(job, as_line(hello(job, index))),
        pytest.raises(LostWorkerError, match=r"^worker 1 \(b:1\) did not"),
    ):
        chief.result(60)


def test_line_without_end_is_cut_off(pool: futures.ThreadPoolExecutor) -> None:
    job = addresses(2)
    chief = pool.submit(meet, job, 0)
    with (
        call(job, b"x" * 10_000_000) as line,
        contextlib.suppress(ConnectionResetError),
    ):
        assert line.recv(1) == b""
    meet(job, 1)
    chief.result(60)


def test_worker_that_vanishes_is_waited_for_again(
    pool: futures.ThreadPoolExecutor,
) -> None:
    job = addresses(3)
    chief = pool.submit(meet, job, 0, settings=SETTINGS)
    call(job, as_line(hello(job, 1))).close()
    two = pool.submit(meet, job, 2)
    with pytest.raises(futures.TimeoutError):
        chief.result(0.1)
    assert meet(job, 1) == SETTINGS
    assert (chief.result(60), two.result(60)) == (SETTINGS, SETTINGS)


def test_second_process_of_an_index_takes_its_place(
    pool: futures.ThreadPoolExecutor,
) -> None:
    job = addresses(3)
    chief = pool.submit(meet, job, 0, settings=SETTINGS)
    time.sleep(0.05)
    first = pool.submit(meet, job, 1)
    time.sleep(0.05)
    second = pool.submit(meet, job, 1)
    with pytest.raises(InputError, match=r"^another process is worker 1\.$"):
        first.result(60)
    assert meet(job, 2) == SETTINGS
    assert (chief.result(60), second.result(60)) == (SETTINGS, SETTINGS)


def test_worker_calls_again_where_the_chief_hangs_up(
    pool: futures.ThreadPoolExecutor,
) -> None:
    job = addresses(2)
    host, _, port = job[0].rpartition(":")
    with socket.create_server((host, int(port))) as server:
        worker = pool.submit(meet, job, 1)
        server.accept()[0].close()
        line = server.accept()[0]
        line.sendall(b"HTTP/1.1 400 Bad Request\r\n")
        line.close()
    chief = pool.submit(meet, job, 0, settings=SETTINGS)
    assert worker.result(60) == SETTINGS
    assert chief.result(60) == SETTINGS


DIFFERENCES: list[tuple[dict[str, Any], str]] = [
    (
        {"given": {"epochs": 4}},
        "epochs is 4 on worker 2, 3 on the chief.",
    ),
    (
        {"given": {"seed": 1}},
        "epochs is not given on worker 2, 3 on the chief; seed is 1 on worker "
        "2, not given on the chief.",
    ),
    ({"given": {**GIVEN, "hidden_units": (5, 6)}}, "hidden_units is [5, 6] on"),
]


@pytest.mark.parametrize(("more", "text"), DIFFERENCES)
def test_other_flags_on_one_worker_are_told_to_all(
    more: dict[str, Any], text: str, pool: futures.ThreadPoolExecutor
) -> None:
    job = addresses(4)
    told = [pool.submit(meet, job, index) for index in (0, 1)]
    time.sleep(0.05)
    told += [pool.submit(meet, job, 2, **more)]
    time.sleep(0.02)
    told += [pool.submit(meet, job, 3)]  # comes late
    lines = set()
    for worker in told:
        with pytest.raises(InputError) as error:
            worker.result(60)
        lines.add(str(error.value))
    (line,) = lines
    assert line.startswith(
        "all workers must be given the same flags, of one version of tfvae: "
    )
    assert text in line


def test_other_flags_are_told_though_a_worker_is_missing(
    pool: futures.ThreadPoolExecutor,
) -> None:
    job = addresses(3)
    chief = pool.submit(meet, job, 0)
    with pytest.raises(InputError, match="seed is 5 on worker 1"):
        meet(job, 1, given={**GIVEN, "seed": 5})
    with pytest.raises(InputError, match="seed is 5 on worker 1"):
        chief.result(60)


def test_job_of_other_workers_is_another_job(
    pool: futures.ThreadPoolExecutor,
) -> None:
    job = addresses(2)
    chief = pool.submit(meet, job, 0)
    match = r"workers is \['127.*', 'b:1', 'c:2'\] on worker 2, \['127"
    with pytest.raises(InputError, match=match):
        meet((*job, "c:2"), 2)
    with pytest.raises(InputError, match=match):
        chief.result(60)


def test_workers_that_do_not_come_are_named() -> None:
    said: list[str] = []
    with pytest.raises(
        LostWorkerError,
        match=r"^worker 1 \(b:1\), 2 \(b:2\) did not come within 0\.05 s; see "
        r"whether it runs and reaches this host, then start all again\.$",
    ):
        meet(addresses(3), 0, timeout=0.05, tell=said.append)
    assert said == []


def test_waiting_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "TELL_AFTER", 0.05)
    monkeypatch.setattr(rendezvous, "TELL_EVERY", 60.0)
    said: list[str] = []
    with pytest.raises(LostWorkerError):
        meet(addresses(2), 0, timeout=0.15, tell=said.append)
    assert said == ["waiting for worker 1 (b:1)"]


def test_chief_that_does_not_answer() -> None:
    job = addresses(2)
    line = (
        rf"^the chief \({job[0]}\) did not answer within 0\.05 s; see whether "
        r"it runs and can be reached, then start all again\.$"
    )
    with pytest.raises(LostWorkerError, match=line):
        meet(job, 1, timeout=0.05)
    host, _, port = job[0].rpartition(":")
    with (
        socket.create_server((host, int(port))),  # takes calls, is silent
        pytest.raises(LostWorkerError, match=line),
    ):
        meet(job, 1, timeout=0.05)


@pytest.mark.parametrize(
    "answer", [b"[" * 60_000 + b"\n", b"x" * 100_000, b'{"settings": 3}\n']
)
def test_answer_that_is_none(
    answer: bytes, pool: futures.ThreadPoolExecutor
) -> None:
    job = addresses(2)
    host, _, port = job[0].rpartition(":")
    with socket.create_server((host, int(port))) as server:
        worker = pool.submit(meet, job, 1, timeout=0.1)
        line = server.accept()[0]
        with contextlib.suppress(OSError):
            line.sendall(answer)
        line.close()
        with pytest.raises(LostWorkerError, match="did not answer"):
            worker.result(60)


def test_address_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(
            InputError,
            match=rf"^port {port} of 127\.0\.0\.1:{port} cannot be opened: "
            r"Address already in use.*; choose another\.$",
        ):
            meet((f"127.0.0.1:{port}", "b:1"), 0)


def _listens_at(job_address: str, host: str) -> bool:
    port = int(job_address.split(":")[1])
    with contextlib.suppress(OSError), socket.create_connection((host, port)):
        return True
    return False


@pytest.mark.parametrize(
    ("host", "everywhere"), [("127.0.0.1", False), ("chief.cluster", True)]
)
def test_chief_of_this_machine_alone_listens_here_alone(
    host: str, everywhere: bool, pool: futures.ThreadPoolExecutor
) -> None:
    port = addresses(1)[0].split(":")[1]
    job = (f"{host}:{port}", "b:1")
    chief = pool.submit(meet, job, 0, timeout=0.1)
    call((f"127.0.0.1:{port}",), b"").close()
    assert _listens_at(job[0], "127.0.0.2") == everywhere
    with pytest.raises(LostWorkerError):
        chief.result(60)


def test_no_thread_and_no_socket_is_left(
    pool: futures.ThreadPoolExecutor,
) -> None:
    before = threading.active_count()
    job = addresses(2)
    with pytest.raises(LostWorkerError):
        meet(job, 0, timeout=0.1)
    assert threading.active_count() == before
    with socket.create_server(("127.0.0.1", int(job[0].split(":")[1]))):
        pass
