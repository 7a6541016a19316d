"""A server of small models, for the explorer's tests.

It speaks the row form of TensorFlow Serving's REST interface, no more.
"""

import http.server
import json
import re
import threading
import time
from typing import Any

import numpy as np

from tests.export.explorer.row_models import Model, Row, metadata, models

PATH = re.compile(r"/v1/models/([^/:]+)(/metadata|:predict|)")


class RowServer:
    """A running server.

    Attributes:
      requests: (signature, instances) of every prediction, in order.
      most_at_once: predictions that were under way at the same time.
      refusals: {signature: message} of what is answered with status 400.
      not_a_number: whether the first value of every x is NaN.
      state: of the one version of every model.
      garbage: what is answered to everything, where it is set.
      fixed_x: x of every row, where one is set.
      seconds: that a prediction takes.
      allows_pages: whether pages from elsewhere may read the answers.
    """

    def __init__(self, port: int = 0) -> None:
        self.models = models()
        self.requests: list[tuple[str, list[Row]]] = []
        self.refusals: dict[str, str] = {}
        self.not_a_number, self.seconds = False, 0.0
        self.allows_pages = True
        self.fixed_x: Any = None
        self.state, self.garbage = "AVAILABLE", ""
        self.most_at_once = self._now = 0
        self._lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", port), self._handler()
        )
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,)
        )
        self._thread.start()

    def close(self) -> None:
        """Stops it; its port is free at once."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, body: bytes | None) -> tuple[int, Any]:
        """Returns the status and the value of an answer."""
        found = PATH.fullmatch(path)
        if not found or found[1] not in self.models:
            return 404, {"error": f"Servable not found for request: {path}"}
        asked = self.models[found[1]]
        if found[2] == ":predict":
            return self._predict(asked, json.loads(body or b""))
        if found[2] == "/metadata":
            return 200, metadata(asked)
        state = {"version": "7", "state": self.state}
        words = "" if self.state == "AVAILABLE" else "no such file"
        status = {"error_code": "OK", "error_message": words}
        return 200, {"model_version_status": [{**state, "status": status}]}

    def _predict(self, asked: Model, body: Row) -> tuple[int, Any]:
        signature, rows = body["signature_name"], body["instances"]
        self.requests.append((signature, rows))
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        time.sleep(self.seconds)
        with self._lock:
            self._now -= 1
        if signature in self.refusals:
            return 400, {"error": self.refusals[signature]}
        inputs, function = asked.signatures[signature]
        if any(set(row) != set(inputs) for row in rows):
            return 400, {"error": "Failed to process element: keys"}
        answers = [self._spoilt(function(row)) for row in rows]
        if len(asked.outputs[signature]) == 1:
            answers = [next(iter(answer.values())) for answer in answers]
        return 200, {"predictions": answers}

    def _spoilt(self, answer: Row) -> Row:
        plain = {k: np.array(v).tolist() for k, v in answer.items()}
        if self.fixed_x is not None and "x" in plain:
            plain["x"] = self.fixed_x
        if self.not_a_number and "x" in plain:
            x = np.array(plain["x"])
            x.flat[0] = np.nan
            plain["x"] = x.tolist()
        return plain

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(None)

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                self._send(self.rfile.read(size))

            def _send(self, body: bytes | None) -> None:
                status, value = server.answer(self.path, body)
                # NaN and Infinity become the tokens that the server writes.
                text = server.garbage or json.dumps(value)
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if server.allows_pages:
                    self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
