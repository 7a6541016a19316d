"""From a call to requests: what is known, checked, split, tried and joined."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from export.client import answers, checks, retrying, servable, status
from export.client.address import (
    Address,
    Security,
    Target,
    check_seconds,
    check_security,
    check_target,
)
from export.client.errors import (
    BadAnswer,
    ConnectionFailed,
    DeadlineExceeded,
    NotFound,
    ServerError,
    Unavailable,
)
from export.client.retrying import Deadline
from export.client.servable import Arrays, Servable, Signature
from export.client.status import VersionStatus
from export.client.transport import Transport
from tfvae.errors import InputError

# By signature: the servable that is asked where none is named.
MODELS = {"encode": "vae", "reconstruct": "vae", "score": "vae"}
MODEL = "decoder"  # for all others: the lean one
DESCRIBE = "describe"
POLL_SECONDS = 0.2

Result = TypeVar("Result")


class Calls:
    """The calls of a client; see `AsyncClient` for the arguments.

    Raises:
      InputError: one of the arguments is wrong.
    """

    def __init__(
        self,
        address: Address,
        security: Security,
        *,
        model: str,
        version: int | None,
        version_label: str,
        timeout: float,
        max_batch_size: int,
        num_retries: int,
    ) -> None:
        check_security(address, security)
        check_target(version, version_label)
        check_seconds("timeout", timeout)
        if min(max_batch_size, num_retries) < 0:
            raise InputError(
                "`max_batch_size` and `num_retries` must be at least 0; got "
                f"{max_batch_size} and {num_retries}."
            )
        self._model, self._version = model, version
        self._version_label, self._timeout = version_label, timeout
        self._max_batch_size = max_batch_size
        self._num_retries = num_retries
        self._transport = _transport(address, security)
        self._known: dict[str, Servable] = {}
        self._asking = asyncio.Lock()

    async def close(self) -> None:
        """See `AsyncClient.close`."""
        await self._transport.close()

    async def predict(
        self, signature: str, inputs: Mapping[str, Any], *, model: str = ""
    ) -> Arrays:
        """See `AsyncClient.predict`."""
        deadline = Deadline(self._timeout)
        target = self._target(model, signature)
        return await retrying.within(
            deadline, self._predict(target, signature, inputs, deadline)
        )

    async def metadata(self, *, model: str = "") -> Servable:
        """See `AsyncClient.metadata`."""
        deadline, target = Deadline(self._timeout), self._target(model)
        self._known.pop(target.name, None)
        return await retrying.within(deadline, self._servable(target, deadline))

    async def status(self, *, model: str = "") -> list[VersionStatus]:
        """See `AsyncClient.status`."""
        deadline, target = Deadline(self._timeout), self._target(model)
        response = await retrying.within(
            deadline,
            self._retried(
                lambda: self._transport.status(target, timeout=deadline.left()),
                deadline,
            ),
        )
        return status.read_status(response)

    async def wait_ready(
        self, version: int | None, *, timeout: float, model: str = ""
    ) -> list[VersionStatus]:
        """See `AsyncClient.wait_ready`."""
        check_seconds("timeout", timeout)
        version = self._version if version is None else version
        target = Target(self._target(model).name)  # every version of it
        deadline, seen = Deadline(timeout), "no answer"
        while deadline.left():
            asked = self._transport.status(target, timeout=deadline.left())
            try:
                response = await retrying.within(deadline, asked)
            except (ConnectionFailed, NotFound, Unavailable) as error:
                seen = str(error)
            except DeadlineExceeded:
                pass  # what was seen before says more
            else:
                found = status.read_status(response)
                if status.is_ready(found, version):
                    return found
                seen = status.in_words(found, version)
            await asyncio.sleep(min(POLL_SECONDS, deadline.left()))
        raise DeadlineExceeded(
            f"`{target.name}` was not ready within {timeout:g} seconds: {seen}"
        )

    def _target(self, model: str, signature: str = "") -> Target:
        name = model or self._model or MODELS.get(signature, MODEL)
        return Target(name, self._version, self._version_label)

    async def _predict(
        self,
        target: Target,
        name: str,
        inputs: Mapping[str, Any],
        deadline: Deadline,
    ) -> Arrays:
        served, arrays = await self._checked(target, name, inputs, deadline)
        signature = served.signature(name)
        parts = checks.split(signature, arrays, self._most_rows(served))
        try:
            return answers.joined(
                [
                    await self._request(target, signature, part, deadline)
                    for part in parts
                ]
            )
        except (ServerError, BadAnswer):
            # It may have been another version's.
            self._known.pop(target.name, None)
            raise

    async def _checked(
        self,
        target: Target,
        name: str,
        inputs: Mapping[str, Any],
        deadline: Deadline,
    ) -> tuple[Servable, Arrays]:
        """Returns what is known of the servable, and the arrays to send."""
        is_old = target.name in self._known
        served = await self._servable(target, deadline)
        try:
            return served, checks.checked(served, name, inputs)
        except InputError:
            if not is_old:
                raise
        # A version that came since may take what the one before did not.
        self._known.pop(target.name, None)
        served = await self._servable(target, deadline)
        return served, checks.checked(served, name, inputs)

    async def _servable(self, target: Target, deadline: Deadline) -> Servable:
        async with self._asking:
            if target.name not in self._known:
                found = await self._retried(
                    lambda: self._transport.metadata(
                        target, timeout=deadline.left()
                    ),
                    deadline,
                )
                served = Servable(
                    target.name,
                    servable.read_signatures(found.signatures),
                    version=servable.read_version(found.spec),
                )
                card = await self._card(target, served, deadline)
                self._known[target.name] = dataclasses.replace(
                    served, card=card
                )
            return self._known[target.name]

    async def _card(
        self, target: Target, served: Servable, deadline: Deadline
    ) -> Mapping[str, Any] | None:
        signature = served.signatures.get(DESCRIBE)
        if signature is None or not _gives_card(signature):
            return None
        row = checks.checked(served, DESCRIBE, {"row": [0]})
        found = await self._request(target, signature, row, deadline)
        return servable.read_card(found["card"][0])

    async def _request(
        self,
        target: Target,
        signature: Signature,
        arrays: Arrays,
        deadline: Deadline,
    ) -> Arrays:
        found = await self._retried(
            lambda: self._transport.predict(
                target, signature, arrays, timeout=deadline.left()
            ),
            deadline,
        )
        num_rows = checks.num_rows(signature, arrays)
        return answers.checked_outputs(signature, found, num_rows)

    async def _retried(
        self, send: Callable[[], Awaitable[Result]], deadline: Deadline
    ) -> Result:
        return await retrying.retried(
            send, deadline=deadline, num_retries=self._num_retries
        )

    def _most_rows(self, served: Servable) -> int:
        card = served.card or {}
        limits = (self._max_batch_size, card.get("max_batch_size", 0))
        return min(filter(None, limits), default=0)


def _gives_card(signature: Signature) -> bool:
    """Whether a signature gives a card; somebody else's may mean another."""
    return (*signature.inputs, *signature.outputs) == ("row", "card")


def _transport(address: Address, security: Security) -> Transport:
    # Imported here: neither library waits for the other's.
    if address.is_grpc:
        from export.client.over_grpc import GrpcTransport

        return GrpcTransport(address, security)
    from export.client.over_rest import RestTransport

    return RestTransport(address, security)
