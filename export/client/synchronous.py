"""The client for programs without an event loop."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from export.client import bulk
from export.client.asynchronous import AsyncClient
from export.client.servable import Arrays, Servable
from export.client.status import VersionStatus

Result = TypeVar("Result")


class Client:
    """Asks a model server, over REST or gRPC; a context manager.

    All that is said of `AsyncClient` holds here; its calls run in a thread of
    their own, so that a deadline holds whatever the server does. It may be
    used from several threads.

    Args:
      url: http:// and https:// are REST, grpc:// and grpcs:// are gRPC.
      **settings: those of `AsyncClient`.

    Raises:
      InputError: one of these is wrong.
    """

    def __init__(self, url: str, **settings: Any) -> None:
        self._client = AsyncClient(url, **settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="tfvae client", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives up what is under way, and the connections."""
        if self._loop.is_closed():
            return
        self._wait(_end(self._client))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def decode(self, z: Any, **condition: Any) -> np.ndarray:
        """See `AsyncClient.decode`."""
        return self._wait(self._client.decode(z, **condition))

    def decode_png(self, z: Any, **condition: Any) -> list[bytes]:
        """See `AsyncClient.decode_png`."""
        return self._wait(self._client.decode_png(z, **condition))

    def sample(self, seeds: Any, **condition: Any) -> Arrays:
        """See `AsyncClient.sample`."""
        return self._wait(self._client.sample(seeds, **condition))

    def sample_png(self, seeds: Any, **condition: Any) -> Arrays:
        """See `AsyncClient.sample_png`."""
        return self._wait(self._client.sample_png(seeds, **condition))

    def encode(self, x: Any, **condition: Any) -> Arrays:
        """See `AsyncClient.encode`."""
        return self._wait(self._client.encode(x, **condition))

    def reconstruct(self, x: Any, **condition: Any) -> np.ndarray:
        """See `AsyncClient.reconstruct`."""
        return self._wait(self._client.reconstruct(x, **condition))

    def score(self, x: Any, seeds: Any, **condition: Any) -> Arrays:
        """See `AsyncClient.score`."""
        return self._wait(self._client.score(x, seeds, **condition))

    def predict(
        self, signature: str, inputs: Mapping[str, Any], *, model: str = ""
    ) -> Arrays:
        """See `AsyncClient.predict`."""
        return self._wait(self._client.predict(signature, inputs, model=model))

    def predict_all(
        self,
        signature: str,
        batches: Iterable[Mapping[str, Any]],
        *,
        model: str = "",
        num_concurrent: int = 4,
    ) -> Iterator[Arrays]:
        """See `AsyncClient.predict_all`; batches may call this client."""
        return bulk.in_order(
            lambda batch: self._start(
                self._client.predict(signature, batch, model=model)
            ),
            batches,
            num_concurrent=num_concurrent,
        )

    def decode_all(
        self, batches: Iterable[Any], *, num_concurrent: int = 4
    ) -> Iterator[np.ndarray]:
        """See `AsyncClient.decode_all`."""
        inputs = ({"z": z} for z in batches)
        for found in self.predict_all(
            "decode", inputs, num_concurrent=num_concurrent
        ):
            yield found["x"]

    def describe(self, *, model: str = "") -> Mapping[str, Any] | None:
        """See `AsyncClient.describe`."""
        return self._wait(self._client.describe(model=model))

    def metadata(self, *, model: str = "") -> Servable:
        """See `AsyncClient.metadata`."""
        return self._wait(self._client.metadata(model=model))

    def status(self, *, model: str = "") -> list[VersionStatus]:
        """See `AsyncClient.status`."""
        return self._wait(self._client.status(model=model))

    def wait_ready(
        self,
        version: int | None = None,
        *,
        timeout: float = 60.0,
        model: str = "",
    ) -> list[VersionStatus]:
        """See `AsyncClient.wait_ready`."""
        return self._wait(
            self._client.wait_ready(version, timeout=timeout, model=model)
        )

    def _start(
        self, work: Coroutine[Any, Any, Result]
    ) -> "concurrent.futures.Future[Result]":
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("the client is closed")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        future = self._start(work)
        try:
            return future.result()
        finally:
            future.cancel()  # after Ctrl-C; what is done stays done


async def _end(client: AsyncClient) -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.close()
    # Of the HTTP library, where an answer was not read to its end.
    await asyncio.get_running_loop().shutdown_asyncgens()
