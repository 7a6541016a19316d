"""States of versions, deadlines, and many batches."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from export.client import (
    Client,
    DeadlineExceeded,
    FailedPrecondition,
    VersionStatus,
)
from export.codes import Code
from tests.export.client import toy_server
from tests.export.client.toy_server import IMAGE, Toy
from tfvae.errors import InputError

Z = np.array([[0.1, -0.2], [1, 2], [0, 0], [4, -5], [0.3, 0.3], [2, 1], [7, 0]])


def test_status_tells_of_every_version(client: Client, toy: Toy) -> None:
    toy.states = [
        (1, "AVAILABLE", 0, ""), (3, "END", 9, "a bad record"),
        (2, "UNLOADING", 0, ""),
    ]  # fmt: skip
    assert client.status() == [
        VersionStatus(3, "END", Code.FAILED_PRECONDITION, "a bad record"),
        VersionStatus(2, "UNLOADING", Code.OK, ""),
        VersionStatus(1, "AVAILABLE", Code.OK, ""),
    ]


def test_a_version_is_waited_for(client: Client, toy: Toy) -> None:
    toy.states = [(2, "AVAILABLE", 0, "")]

    def load() -> None:
        time.sleep(0.05)
        toy.states = [(3, "LOADING", 0, ""), (2, "AVAILABLE", 0, "")]
        time.sleep(0.1)
        toy.states = [(3, "AVAILABLE", 0, ""), (2, "END", 0, "")]

    assert client.wait_ready(timeout=60)[0].version == 2  # any is enough
    thread = threading.Thread(target=load)
    began = time.monotonic()
    thread.start()
    found = client.wait_ready(3, timeout=60)
    assert 0.1 < time.monotonic() - began < 20
    assert found[0] == VersionStatus(3, "AVAILABLE")
    thread.join()


def test_a_failed_version_is_not_waited_for(client: Client, toy: Toy) -> None:
    toy.states = [(3, "END", 9, "a bad record"), (2, "AVAILABLE", 0, "")]
    began = time.monotonic()
    with pytest.raises(FailedPrecondition, match="a bad record"):
        client.wait_ready(3, timeout=60)
    assert time.monotonic() - began < 20


def test_waiting_for_a_version_has_an_end(client: Client, toy: Toy) -> None:
    toy.states = [(3, "LOADING", 0, ""), (2, "AVAILABLE", 0, "")]
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as late:
        client.wait_ready(3, timeout=0.5)
    assert 0.4 < time.monotonic() - began < 20
    assert late.value.message == (
        "`decoder` was not ready within 0.5 seconds: version 3 is LOADING"
    )
    with pytest.raises(DeadlineExceeded, match="version 4 is not there"):
        client.wait_ready(4, timeout=0.5)
    with pytest.raises(DeadlineExceeded, match="NOT_FOUND: no nobody"):
        client.wait_ready(timeout=0.5, model="nobody")


def test_the_client_s_own_version_is_waited_for(url: str, toy: Toy) -> None:
    toy.states = [(3, "END", 9, "a bad record"), (2, "AVAILABLE", 0, "")]
    with Client(url, version=3) as client, pytest.raises(FailedPrecondition):
        client.wait_ready(timeout=60)


def test_one_deadline_holds_for_all_parts(url: str, toy: Toy) -> None:
    toy.before = lambda: time.sleep(0.07)
    with Client(url, timeout=0.25, max_batch_size=1) as client:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            client.decode(Z)
        assert 0.2 < time.monotonic() - began < 20


def test_batches_come_in_order_and_few_at_once(
    client: Client, toy: Toy
) -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def before() -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.02)
        with lock:
            under_way -= 1

    client.describe()
    toy.before = before
    read = []

    def batches() -> Iterator[np.ndarray]:
        for number in range(1, 9):
            read.append(number)
            yield np.full([1 + number % 3, 2], number / 9)

    found = client.decode_all(batches(), num_concurrent=3)
    assert read == []
    first = next(found)
    assert len(read) == 3
    rest = list(found)
    for number, x in enumerate([first, *rest], start=1):
        z = np.full([1 + number % 3, 2], number / 9, np.float32)
        np.testing.assert_array_equal(x, toy_server.image_of(z))
    assert len(rest) == 7
    assert most == 3


def test_batches_may_ask_the_same_client(client: Client) -> None:
    batches = ({"x": client.decode(Z[:n])} for n in (1, 2, 3))
    sizes = [len(f["loc"]) for f in client.predict_all("encode", batches)]
    assert sizes == [1, 2, 3]


def test_an_error_ends_the_batches(client: Client, toy: Toy) -> None:
    found = client.decode_all([Z[:1], Z[:2, :1], Z[:3]], num_concurrent=2)
    assert next(found).shape == (1, *IMAGE)
    with pytest.raises(InputError, match=r"got the shape \[2, 1\]"):
        next(found)
    with pytest.raises(StopIteration):
        next(found)
    with pytest.raises(InputError, match="`num_concurrent` must be at least 1"):
        next(client.predict_all("decode", [], num_concurrent=0))
