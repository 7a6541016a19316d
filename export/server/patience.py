"""HTTP connections that do not wait for ever for whom they serve.

A request's head has to come within seconds, a body must keep coming, and an
answer must be taken; a connection where that is not so is closed. How long the
model takes is no matter of these limits.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 30.0
STALL_SECONDS = 30.0  # in which some of a body must come, or of an answer go
LEAST_BYTES = 16 * 1024  # of it

Limit = asyncio.TimerHandle | None


class PatientProtocol(H11Protocol):
    """One connection; a client that keeps it waiting loses it."""

    _request: Limit = None  # what comes
    _answer: Limit = None  # what goes
    _arrived = 0  # bytes of a body since its limit was set

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Begins to wait for the head of a request."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._request = _stopped(self._request)
        self._answer = _stopped(self._answer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Waits for what is still missing of a request, if anything is."""
        had_head = self._is_asked()
        self._arrived += len(data)
        super().data_received(data)
        if not self._is_asked():
            if self._request is None:  # the head of a further one begins
                self._wait_for_head()
        elif not self.cycle.more_body:
            self._request = _stopped(self._request)
        elif not had_head:
            self._wait_for_body()

    def pause_writing(self) -> None:
        """Waits for the client to take an answer."""
        super().pause_writing()
        self._wait_for_room(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Goes on, as enough is taken."""
        super().resume_writing()
        self._answer = _stopped(self._answer)

    def _is_asked(self) -> bool:
        """Whether there is a request that is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def _wait_for_head(self) -> None:
        self._request = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _wait_for_body(self) -> None:
        _stopped(self._request)
        self._arrived = 0
        self._request = self.loop.call_later(STALL_SECONDS, self._check_body)

    def _check_body(self) -> None:
        if self._arrived < LEAST_BYTES:
            self.transport.abort()
        else:
            self._wait_for_body()

    def _wait_for_room(self, size: int) -> None:
        self._answer = self.loop.call_later(
            STALL_SECONDS, self._check_room, size
        )

    def _check_room(self, before: int) -> None:
        now = self.transport.get_write_buffer_size()
        if now > before - LEAST_BYTES:
            self.transport.abort()
        else:
            self._wait_for_room(now)


def _stopped(limit: Limit) -> Limit:
    """Ends the waiting, if there is any; returns that there is none."""
    if limit is not None:
        limit.cancel()
    return None
