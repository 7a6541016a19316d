"""The server in a process that is stopped, starved, left or told to end."""

import json
import os
import pathlib
import resource
import signal
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from export.client import Client, DeadlineExceeded
from tests.export.server_process import REAL, ServerProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(REAL), reason="of the program, not the server"),
]
MODELS = pathlib.Path(__file__).parents[1] / "recorded" / "models"
BODY = json.dumps({"instances": [[0.1, -0.2, 0.3]] * 3}).encode()
HEAD = b"POST /v1/models/decoder:predict HTTP/1.1\r\nHost: localhost\r\n"
REQUEST = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A server that outlives all but the last of these tests."""
    model = f"--model_base_path={MODELS / 'decoder'}"
    with ServerProcess("--model_name=decoder", model) as server:
        yield server.ready()
        assert "Traceback" not in server.output()


def _answers(server: ServerProcess) -> bool:
    with _connect(server) as connection:
        connection.sendall(REQUEST)
        return connection.recv(99).startswith(b"HTTP/1.1 200 ")


def _connect(server: ServerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 10)


def _count(server: ServerProcess, what: str) -> int:
    """Returns how many threads ("task") or open files ("fd") there are."""
    return len(os.listdir(f"/proc/{server.process.pid}/{what}"))


def _memory(server: ServerProcess) -> int:
    """Returns the bytes that are in use."""
    path = pathlib.Path(f"/proc/{server.process.pid}/statm")
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_server_that_is_stopped_goes_on(
    server: ServerProcess, scheme: str
) -> None:
    address = server.url if scheme == "http" else server.grpc_address
    url = f"{scheme}://{address.removeprefix('http://')}"
    with Client(url, model="decoder", timeout=0.5) as client:
        assert client.status()[0].version == 2
        server.process.send_signal(signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded) as late:
            client.status()
        assert time.monotonic() - start < 20
        line = r"(no answer within 0.5 seconds|Deadline Exceeded)"
        assert late.match(f"DEADLINE_EXCEEDED: {line}")
        time.sleep(0.5)
        server.process.send_signal(signal.SIGCONT)
        assert client.status()[0].version == 2
    assert _answers(server)


def test_clients_that_are_killed_leave_nothing_behind(
    server: ServerProcess,
) -> None:
    def leave(count: int) -> None:
        for index in range(count):
            with _connect(server) as connection:
                connection.sendall(REQUEST[: len(REQUEST) * (index % 5) // 4])
                linger = struct.pack("ii", 1, 0)  # a reset, as of the killed
                connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )

    leave(200)  # which the threads that answer come up for
    assert _answers(server)
    before = _memory(server), _count(server, "task"), _count(server, "fd")
    leave(200)
    assert _answers(server)
    time.sleep(0.2)
    after = _memory(server), _count(server, "task"), _count(server, "fd")
    assert after[0] - before[0] < 8 << 20
    assert after[1] < before[1] + 20  # of those that answer
    assert after[2] <= before[2] + 2


def test_server_without_free_files_recovers(server: ServerProcess) -> None:
    pid = server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    most = _count(server, "fd") + 20
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, before[1]))
    connections = [_connect(server) for _ in range(60)]
    time.sleep(0.5)
    for connection in connections:
        connection.close()
    time.sleep(1.2)  # asyncio looks again after a second
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert _answers(server)
    line = "connections have to wait: Too many open files\n"
    assert server.output().count(line) == 1


def test_told_to_end_it_waits_for_nobody_for_ever(
    server: ServerProcess,
) -> None:
    pid = server.process.pid  # nor is it out of files just then
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    most = _count(server, "fd") + 5
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, before[1]))
    more = [_connect(server) for _ in range(9)]
    time.sleep(0.2)
    for connection in more:
        connection.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    with _connect(server) as silent, _connect(server) as slow:
        slow.sendall(HEAD)
        assert silent
        time.sleep(0.2)
        assert server.stop(signal.SIGTERM, 5) == 0
