"""Which answer a REST request gets; HTTP itself is not known here."""

import dataclasses
import time
from collections.abc import Mapping

from export.codes import Code
from export.server import address, json_echo, rest_calls
from export.server.address import Address
from export.server.errors import TOO_LARGE, ServingError
from export.server.manager import Manager
from export.server.metrics import Metrics

HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")
REASONS = {400: "Bad Request", 404: "Not Found", 501: "Not Implemented"}
JSON, PLAIN, HTML = "application/json", "text/plain", "text/html"
UNTOLD = "text/html; charset=ISO-8859-1"
CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, GET",
    "access-control-allow-headers": "Content-Type",
}
# A page of ours is nobody's frame, and what it loads is what it says.
PAGE = {
    "cache-control": "no-store",
    "content-security-policy": "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
APIS = {"predict": "Predict", "classify": "Classify", "regress": "Regress"}
TOO_DEEP = "JSON Parse error: lists or objects in too many others"
TIMED_OUT = "Timed out waiting for notification"


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes:
      method: of HTTP.
      target: path and query as they were sent.
      origin: the page that asks; "": none.
      body: unpacked.
    """

    method: str
    target: str
    origin: str = ""
    body: bytes = b""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is sent back.

    Attributes:
      status: of HTTP.
      content_type: of the body.
      body: of any length.
      headers: beside the content's.
    """

    status: int
    content_type: str
    body: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Front:
    """Answers requests.

    Attributes:
      manager: of the models.
      metrics: count the requests.
      metrics_path: where they are shown; None: nowhere.
      cors: whether pages of other origins may ask.
      timeout_seconds: after which a prediction has failed; 0: none.
      pages: more to show, {path: (content type, body)}.
    """

    manager: Manager
    metrics: Metrics
    metrics_path: str | None
    cors: bool
    timeout_seconds: float
    pages: Mapping[str, tuple[str, bytes]]

    def answer(self, request: Request) -> Answer:
        """Returns the answer to a request."""
        if request.method not in METHODS:
            return _html(501)
        parts = address.split(request.target)
        if parts is None:
            return _html(400)
        path, path_and_query = parts
        if path == self.metrics_path:
            return self._show_metrics(path_and_query)
        if not address.API.fullmatch(path_and_query):
            return self._show_page(path, method=request.method)
        if request.method == "OPTIONS":
            return self._preflight(request)
        return self._call(request, path_and_query)

    def refuse(self, error: ServingError, *, status: int = 0) -> Answer:
        """Returns an error's answer; `status` 0 is that of its code."""
        body = f'{{\n    "error": {json_echo.quote(error.message)}\n}}'
        return self._json(body, status or HTTP_STATUS[error.code])

    def _call(self, request: Request, path: str) -> Answer:
        asked = address.parse(request.method, path)
        if asked is None:
            return self._malformed(request.method, path)
        if (asked.version or 0) > address.LARGEST_VERSION:
            return self._json("", 400)
        try:
            if asked.action == address.STATUS:
                body = rest_calls.status(self.manager, asked)
            elif asked.action == address.METADATA:
                body = rest_calls.metadata(self.manager, asked)
            elif asked.action in APIS:
                body = self._counted(asked, request.body)
            else:
                return self._malformed(request.method, path)
        except ServingError as error:
            return self.refuse(error)
        except RecursionError:
            return self.refuse(ServingError(Code.INVALID_ARGUMENT, TOO_DEEP))
        except MemoryError:
            return self.refuse(ServingError(Code.RESOURCE_EXHAUSTED, TOO_LARGE))
        return self._json(body, 200)

    def _counted(self, asked: Address, body: bytes) -> str:
        """Returns the answer of a signature, and counts the request."""
        start, code = time.perf_counter(), Code.UNKNOWN
        try:
            if asked.action != "predict":
                rest_calls.run_examples(self.manager, asked, body)
            text = rest_calls.run_predict(
                self.manager, asked, body, metrics=self.metrics
            )
            if 0 < self.timeout_seconds < time.perf_counter() - start:
                raise ServingError(Code.DEADLINE_EXCEEDED, TIMED_OUT)
            code = Code.OK
            return text
        except ServingError as error:
            code = error.code
            raise
        finally:
            self.metrics.request(
                model_name=asked.model,
                entrypoint="REST",
                code=code,
                seconds=time.perf_counter() - start,
                api=APIS[asked.action],
            )

    def _malformed(self, method: str, path: str) -> Answer:
        return self.refuse(
            ServingError(
                Code.INVALID_ARGUMENT, f"Malformed request: {method} {path}"
            )
        )

    def _preflight(self, request: Request) -> Answer:
        if self.cors and request.origin:
            return Answer(200, UNTOLD, headers=CORS)
        return Answer(400, UNTOLD)

    def _show_metrics(self, path_and_query: str) -> Answer:
        if path_and_query != self.metrics_path:
            text = (
                f"Unexpected path: {path_and_query}. Should be "
                f"{self.metrics_path}"
            )
            return Answer(400, PLAIN, text.encode())
        return Answer(200, PLAIN, _encode(self.metrics.text()))

    def _show_page(self, path: str, *, method: str) -> Answer:
        if path in self.pages and method in ("GET", "HEAD"):
            content_type, body = self.pages[path]
            return Answer(200, content_type, body, PAGE)
        return _html(404)

    def _json(self, body: str, status: int) -> Answer:
        headers = CORS if self.cors else {}
        return Answer(status, JSON, _encode(body), headers)


def _html(status: int) -> Answer:
    reason = REASONS[status]
    page = (
        f"<HTML><HEAD>\n<TITLE>{status} {reason}</TITLE>\n</HEAD><BODY>\n"
        f"<H1>{reason}</H1>\n</BODY></HTML>\n"
    )
    return Answer(status, HTML, page.encode(), {"connection": "close"})


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
