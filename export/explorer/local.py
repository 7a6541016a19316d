"""Shows one page over HTTP, to the browsers of this machine."""

import http
import http.server
from typing import Any

from tfvae.errors import InputError


def listen(
    page: bytes, *, host: str, port: int
) -> http.server.ThreadingHTTPServer:
    """Returns a server that listens already; `serve_forever` answers.

    Args:
      page: a whole HTML document, which stands at /.
      host: address to listen on.
      port: to listen on; 0: a free one.

    Raises:
      InputError: one cannot listen there.
    """
    try:
        return http.server.ThreadingHTTPServer((host, port), _handler(page))
    except OSError as error:
        raise InputError(
            f"`port` {port} of `host` {host} cannot be listened on: "
            f"{error.strerror}; give others, as --port=0 for a free one."
        ) from error


def _handler(page: bytes) -> type[http.server.BaseHTTPRequestHandler]:
    class _Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/":
                self.send_error(http.HTTPStatus.NOT_FOUND)
                return
            self.send_response(http.HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: Any) -> None:
            """Says nothing of each request."""

    return _Handler
