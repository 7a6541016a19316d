"""The client for programs that run an event loop."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import numpy as np

from export.client import bulk
from export.client.address import Security, read_url
from export.client.calls import Calls
from export.client.errors import BadAnswer
from export.client.servable import Arrays, Servable
from export.client.status import VersionStatus


class AsyncClient:
    """Asks a model server, over REST or gRPC; an async context manager.

    Arguments are checked before anything is sent, against what the server
    says of the model; that is asked for once, and again where it no longer
    fits. A request of more rows than the server takes at once is split, and
    the answers are joined. Where the server is not available it is tried
    again; nothing else is.

    Every call raises ClientError where there is no good answer: ServerError
    by its code, ConnectionFailed or BadAnswer.

    Args:
      url: http:// and https:// are REST, grpc:// and grpcs:// are gRPC.
      model: name of the servable; empty: `vae` for encode, reconstruct and
        score, else `decoder`.
      version: its number; None: the latest.
      version_label: that stands for a version, as "stable"; empty: none.
      timeout: seconds for one call, further tries and all the requests that
        it is split into included.
      max_batch_size: most rows of one request; 0: what the model's card says,
        without one no limit.
      num_retries: further tries of a request.
      headers: that every request carries, as a proxy asks for them.
      ca: file of certificates to trust (PEM); empty: the system's.
      cert: file of the client's own certificate (PEM); empty: none.
      key: file of its key (PEM).

    Raises:
      InputError: one of these is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str = "",
        version: int | None = None,
        version_label: str = "",
        timeout: float = 30.0,
        max_batch_size: int = 0,
        num_retries: int = 3,
        headers: Mapping[str, str] | None = None,
        ca: str = "",
        cert: str = "",
        key: str = "",
    ) -> None:
        self._calls = Calls(
            read_url(url),
            Security(headers or {}, ca, cert, key),
            model=model,
            version=version,
            version_label=version_label,
            timeout=timeout,
            max_batch_size=max_batch_size,
            num_retries=num_retries,
        )

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Gives the connections back."""
        await self._calls.close()

    async def decode(self, z: Any, **condition: Any) -> np.ndarray:
        """Returns x, the mean of p(x|z): [batch, ...].

        Args:
          z: [batch, latent_dim].
          **condition: of a conditional model, a row each: `label`, or `image`
            and `mask`.

        Raises:
          InputError: wrong arguments, as in every call.
        """
        found = await self.predict("decode", {"z": z, **condition})
        return _output(found, "x")

    async def decode_png(self, z: Any, **condition: Any) -> list[bytes]:
        """Returns the PNG file of each `decode`: [batch]."""
        found = await self.predict("decode_png", {"z": z, **condition})
        return list(_output(found, "png_bytes"))

    async def sample(self, seeds: Any, **condition: Any) -> Arrays:
        """Returns draws z ~ p(z), and x of each.

        Args:
          seeds: [batch], of 64 bits; row i depends on seeds[i] alone.
          **condition: see `decode`.

        Returns:
          {"z": [batch, latent_dim], "x": [batch, ...]}
        """
        return await self.predict("sample", {"seed": seeds, **condition})

    async def sample_png(self, seeds: Any, **condition: Any) -> Arrays:
        """Returns `sample` with PNG files: {"z", "png_bytes": [batch]}."""
        return await self.predict("sample_png", {"seed": seeds, **condition})

    async def encode(self, x: Any, **condition: Any) -> Arrays:
        """Returns the parameters of q(z|x).

        Args:
          x: [batch, ...].
          **condition: see `decode`.

        Returns:
          {"loc": [batch, latent_dim], "scale": [batch, latent_dim]}; `loc`
          alone of an autoencoder.
        """
        return await self.predict("encode", {"x": x, **condition})

    async def reconstruct(self, x: Any, **condition: Any) -> np.ndarray:
        """Returns `decode` of the mean of q(z|x): [batch, ...]."""
        found = await self.predict("reconstruct", {"x": x, **condition})
        return _output(found, "x")

    async def score(self, x: Any, seeds: Any, **condition: Any) -> Arrays:
        """Returns terms of the bound on log p(x), of one draw of q(z|x).

        Args:
          x: [batch, ...].
          seeds: [batch], of the draws.
          **condition: see `decode`.

        Returns:
          {"elbo": [batch], "log_likelihood": [batch], "kl": [batch]}, nats.
        """
        return await self.predict("score", {"x": x, "seed": seeds, **condition})

    async def predict(
        self, signature: str, inputs: Mapping[str, Any], *, model: str = ""
    ) -> Arrays:
        """Calls any signature of any servable.

        Args:
          signature: its name.
          inputs: by name.
          model: another servable than the client's.

        Returns:
          {name: array}; strings are object arrays of bytes.
        """
        return await self._calls.predict(signature, inputs, model=model)

    async def predict_all(
        self,
        signature: str,
        batches: Iterable[Mapping[str, Any]],
        *,
        model: str = "",
        num_concurrent: int = 4,
    ) -> AsyncIterator[Arrays]:
        """Yields `predict` of each batch, in order.

        No more batches are read, and no more answers kept, than are under
        way; each has the timeout of a call. An error ends it.

        Args:
          signature: its name.
          batches: inputs by name.
          model: another servable than the client's.
          num_concurrent: requests under way at once.

        Raises:
          InputError: `num_concurrent` is below 1.
        """
        async for found in bulk.in_order_async(
            lambda batch: self.predict(signature, batch, model=model),
            batches,
            num_concurrent=num_concurrent,
        ):
            yield found

    async def decode_all(
        self, batches: Iterable[Any], *, num_concurrent: int = 4
    ) -> AsyncIterator[np.ndarray]:
        """Yields `decode` of each batch of z; see `predict_all`."""
        inputs = ({"z": z} for z in batches)
        async for found in self.predict_all(
            "decode", inputs, num_concurrent=num_concurrent
        ):
            yield _output(found, "x")

    async def describe(self, *, model: str = "") -> Mapping[str, Any] | None:
        """Returns the model's card; None where the servable has none."""
        return (await self.metadata(model=model)).card

    async def metadata(self, *, model: str = "") -> Servable:
        """Returns the model's signatures and card, asked for anew."""
        return await self._calls.metadata(model=model)

    async def status(self, *, model: str = "") -> list[VersionStatus]:
        """Returns the model's versions, newest first.

        Of a client with a version it is that one alone.
        """
        return await self._calls.status(model=model)

    async def wait_ready(
        self,
        version: int | None = None,
        *,
        timeout: float = 60.0,
        model: str = "",
    ) -> list[VersionStatus]:
        """Waits until a version is available.

        A server that does not answer yet, or does not know the version yet,
        is waited for.

        Args:
          version: its number; None: the client's, without one any.
          timeout: seconds to wait.
          model: another servable than the client's.

        Returns:
          the model's versions, newest first.

        Raises:
          ServerError: the version has failed to load, with the server's
            reason; or the server refuses to tell.
          DeadlineExceeded: it was not available in time.
        """
        return await self._calls.wait_ready(
            version, timeout=timeout, model=model
        )


def _output(found: Arrays, name: str) -> np.ndarray:
    """Returns what a model of ours answers with; another's may lack it."""
    if name not in found:
        raise BadAnswer(f"the model answers {', '.join(found)}, not {name!r}")
    return found[name]
