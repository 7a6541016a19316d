"""The two clients are one; a client in a thread ends when it is told to."""

import asyncio
import inspect
import threading
import time
from concurrent import futures

import numpy as np
import pytest

import export.client
from export.client import AsyncClient, Client, InvalidArgument, bulk
from export.client.errors import KINDS, ServerError, server_error
from export.codes import Code
from tests.export.client import bad_servers, toy_server
from tests.export.client.toy_server import IMAGE, Toy
from tfvae.errors import InputError

Z = np.array([[0.1, -0.2], [1, 2], [0, 0], [4, -5], [0.3, 0.3]])


def _methods(kind: type) -> dict[str, str]:
    found = inspect.getmembers(kind, inspect.isfunction)
    return {
        name: str(inspect.signature(method)).partition(" -> ")[0]
        for name, method in found
        if not name.startswith("_")
    }


def test_both_clients_take_the_same_calls() -> None:
    assert _methods(Client) == _methods(AsyncClient)
    assert len(_methods(Client)) == 15


def test_the_client_for_an_event_loop(url: str, toy: Toy) -> None:
    async def ask() -> None:
        async with AsyncClient(url, timeout=30) as client:
            x = await client.decode(Z)
            assert x.shape == (5, *IMAGE)
            sizes = [len(y) async for y in client.decode_all([Z[:1], Z[:3]])]
            assert sizes == [1, 3]
            wrong = client.decode_all([Z[:1], Z[:2, :1], Z[:3]])
            with pytest.raises(InputError, match="`z` must be"):
                [y async for y in wrong]
            with pytest.raises(InputError, match="`num_concurrent` must be"):
                [y async for y in client.decode_all([], num_concurrent=0)]
            found = await asyncio.gather(*[client.decode(Z) for _ in range(9)])
            assert all((each == x).all() for each in found)
            assert (await client.wait_ready())[0].version == 2

    asyncio.run(ask())
    assert toy.metadata_seen == ["decoder"] * len(toy.metadata_seen)


def test_many_at_once_ask_for_the_signatures_once(url: str, toy: Toy) -> None:
    with Client(url, timeout=30) as client:
        list(client.decode_all([Z[:n] for n in (1, 2, 3, 4)], num_concurrent=4))
    assert toy.metadata_seen == ["decoder"]


def test_a_closed_client_says_so() -> None:
    client = Client("http://127.0.0.1:9")
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.status()


def test_closing_gives_up_what_is_under_way() -> None:
    with bad_servers.serving(bad_servers.says_nothing) as (port, moments):
        client = Client(f"http://127.0.0.1:{port}", timeout=60)
        failed = []

        def ask() -> None:
            with pytest.raises(futures.CancelledError) as given_up:
                client.status()
            failed.append(given_up.value)

        thread = threading.Thread(target=ask)
        thread.start()
        while not moments:
            time.sleep(0.001)
        began = time.monotonic()
        client.close()
        thread.join()
        assert time.monotonic() - began < 30
        assert len(failed) == 1


def test_work_that_is_not_wanted_any_more_is_given_up() -> None:
    given_up = []

    async def work(number: int) -> int:
        try:
            await asyncio.sleep(60 * (number > 1))
        except asyncio.CancelledError:
            given_up.append(number)
            raise
        return number

    async def ask() -> None:
        found = bulk.in_order_async(work, range(9), num_concurrent=4)
        assert await found.__anext__() == 0
        assert await found.__anext__() == 1
        await found.aclose()

    asyncio.run(ask())
    assert given_up == [2, 3]  # 4 had not begun


def test_batches_that_are_not_wanted_any_more_are_given_up() -> None:
    started: list[futures.Future] = []

    def start(number: int) -> futures.Future:
        started.append(futures.Future())
        if number == 0:
            started[-1].set_result("first")
        return started[-1]

    found = bulk.in_order(start, range(9), num_concurrent=3)
    assert next(found) == "first"
    found.close()
    assert [future.cancelled() for future in started] == [False, True, True]


def test_public_names_resolve() -> None:
    assert export.client.__all__ == sorted(set(export.client.__all__))
    for name in export.client.__all__:
        assert getattr(export.client, name).__name__ == name
    assert dir(export.client) == export.client.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        export.client.nothing  # noqa: B018


def test_every_code_has_its_error() -> None:
    assert set(KINDS) == set(Code) - {Code.OK}
    for code, kind in KINDS.items():
        assert kind.__name__.upper() == code.name.replace("_", "")
        assert kind.__name__ in export.client.__all__
    error = server_error(Code.INVALID_ARGUMENT, "words")
    assert type(error) is InvalidArgument
    assert isinstance(error, ServerError)
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, "words")
    assert str(error) == "INVALID_ARGUMENT: words"


def test_a_large_answer_arrives_over_grpc(toy: Toy) -> None:
    num_rows = 9 * 2**20 // (4 * 512)  # 9 MiB; gRPC's own limit is 4
    with (
        pytest.MonkeyPatch.context() as patch,
        toy_server.over_grpc(toy) as url,
        Client(url, timeout=20) as client,
    ):
        patch.setitem(toy_server.CARD, "max_batch_size", 10**6)
        x = client.predict("wide", {"number": np.arange(num_rows)})["x"]
    assert x.nbytes == 9 * 2**20
    assert toy.seen[-1] == ("decoder", "", "wide", num_rows)
