"""Shows one page over HTTP, to the browsers of this machine."""

import os
from http import HTTPStatus

from export.server import local_names
from export.server.front import PAGE
from export.server.http import HttpServer, start_http
from export.server.rest import App, Message, Receive, Send
from tfvae.errors import InputError

HTML, TEXT = b"text/html; charset=utf-8", b"text/plain; charset=utf-8"
HEADERS = [(name.encode(), value.encode()) for name, value in PAGE.items()]


def listen(page: bytes, *, host: str, port: int) -> HttpServer:
    """Returns a server that answers until it is closed.

    Args:
      page: a whole HTML document, which stands at /.
      host: address to listen on.
      port: to listen on; 0: a free one.

    Raises:
      InputError: one cannot listen there.
    """
    app = _app(page, is_local=local_names.is_local(host))
    try:
        return start_http(app, host=host, port=port)
    except OSError as error:
        raise InputError(
            f"`port` {port} of `host` {host} cannot be listened on: "
            f"{os.strerror(error.errno or 0)}; give others, as --port=0 for a "
            "free one."
        ) from error


def _app(page: bytes, *, is_local: bool) -> App:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        status, text = HTTPStatus.OK, ""
        if is_local and not local_names.is_meant(scope["headers"]):
            status, text = HTTPStatus.FORBIDDEN, local_names.NOT_MEANT
        elif scope["method"] not in ("GET", "HEAD"):
            status, text = HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered"
        elif scope["path"] != "/":
            status, text = HTTPStatus.NOT_FOUND, "the page is at /"
        body = text.encode() or page
        headers = [
            (b"content-type", TEXT if text else HTML),
            (b"content-length", str(len(body)).encode()),
            *HEADERS,
        ]
        start = {"type": "http.response.start", "headers": headers}
        await send({**start, "status": int(status)})
        await send({"type": "http.response.body", "body": body})

    return app
