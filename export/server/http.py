"""An ASGI application on a port."""

import asyncio
import contextlib
import errno
import logging
import socket
import threading
from typing import Any

import uvicorn

from export.server.patience import PatientProtocol
from export.server.rest import App

KEEP_ALIVE_SECONDS = 60
CLOSING_SECONDS = 10  # for the requests under way
MOST_HEADER_BYTES = 1 << 20
NO_MORE_FILES = (errno.EMFILE, errno.ENFILE)
MOST_CONNECTIONS = 1024  # any more are answered 503
LOG = logging.getLogger(__name__)


class HttpServer:
    """A running HTTP server.

    Args:
      app: that answers.
      listening: a socket that listens; it is closed at the end.

    Attributes:
      port: on which it listens.
    """

    def __init__(self, app: App, listening: socket.socket) -> None:
        self.port: int = listening.getsockname()[1]
        self._listening = listening
        self._has_told = False
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=PatientProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",  # a bad request is the client's affair
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=CLOSING_SECONDS,
                h11_max_incomplete_event_size=MOST_HEADER_BYTES,
                limit_concurrency=MOST_CONNECTIONS,
            )
        )
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._serve(),), name="http"
        )
        self._thread.start()

    def close(self) -> None:
        """Ends it once the requests under way are answered."""
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()

    async def _serve(self) -> None:
        asyncio.get_running_loop().set_exception_handler(self._tell)
        await self._server.serve(sockets=[self._listening])

    def _tell(
        self, loop: asyncio.AbstractEventLoop, failure: dict[str, Any]
    ) -> None:
        """Logs in one line, once, that the system has no more open files."""
        error = failure.get("exception")
        if isinstance(error, ValueError) and self._listening.fileno() < 0:
            return  # the server ends where it would have listened again
        if not isinstance(error, OSError) or error.errno not in NO_MORE_FILES:
            loop.default_exception_handler(failure)
        elif not self._has_told:
            self._has_told = True
            LOG.error("connections have to wait: %s", error.strerror)


def start_http(app: App, *, host: str, port: int) -> HttpServer:
    """Starts to listen.

    Args:
      app: that answers.
      host: the address to listen on.
      port: 0: a free one.

    Raises:
      OSError: the port is taken, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as unless_started:
        listening = unless_started.enter_context(
            socket.create_server((host, port), family=family, backlog=1024)
        )
        server = HttpServer(app, listening)
        unless_started.pop_all()
    return server
