"""An ASGI application on a port."""

import contextlib
import socket
import threading

import uvicorn

from export.server.rest import App

KEEP_ALIVE_SECONDS = 60
CLOSING_SECONDS = 10  # for the requests under way
MOST_HEADER_BYTES = 1 << 20


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
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=CLOSING_SECONDS,
                h11_max_incomplete_event_size=MOST_HEADER_BYTES,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="http"
        )
        self._thread.start()

    def close(self) -> None:
        """Ends it once the requests under way are answered."""
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()


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
