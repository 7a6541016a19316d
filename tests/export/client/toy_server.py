"""The toy models behind a real socket, over REST; and both transports.

The JSON is written by hand as the recorded answers have it, so that the
client is not its own reference.
"""

import base64
import contextlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.export.client.toy_grpc import over_grpc
from tests.export.client.toy_models import (
    CARD,
    IMAGE,
    VAE,
    Specs,
    Table,
    Toy,
    code_of,
    image_of,
    png_of,
)

__all__ = [
    "CARD", "IMAGE", "TRANSPORTS", "VAE", "Toy", "code_of", "image_of",
    "over_grpc", "png_of", "rest",
]  # fmt: skip


@contextlib.contextmanager
def rest(toy: Toy, *, port: int = 0) -> Iterator[str]:
    """Yields the URL at which a toy is served over REST."""

    class Handler(_RestHandler):
        served = toy

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", port), Handler
    ) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _RestHandler(http.server.BaseHTTPRequestHandler):
    served: Toy
    protocol_version = "HTTP/1.1"
    # Headers and body in one packet; else each answer waits 40 milliseconds.
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self.served.headers = dict(self.headers)
        model, _ = self._model(self.path.removesuffix("/metadata"))
        if model not in self.served.models:
            self._answer(404, {"error": f"no {model}"})
        elif self.path.endswith("/metadata"):
            self.served.metadata_seen.append(model)
            self._answer(200, _metadata(model, self.served.models[model]))
        else:
            self._answer(200, {"model_version_status": _states(self.served)})

    def do_POST(self) -> None:
        toy = self.served
        toy.headers = dict(self.headers)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if toy.refusals:
            status, _, words = toy.refusals.pop(0)
            self._answer(status, {"error": words})
            return
        asked = json.loads(body)
        model, version = self._model(self.path.removesuffix(":predict"))
        rows = asked.get("instances")
        inputs = asked.get("inputs")
        if rows is not None:
            inputs = {name: [row[name] for row in rows] for name in rows[0]}
        decoded = {name: _from_json(value) for name, value in inputs.items()}
        specs, found = toy.call(
            model, version, asked["signature_name"], decoded
        )
        columns = {of: _to_json(of, found[of]) for of in specs}
        if rows is None:
            self._answer(200, {"outputs": _unnamed(columns)})
            return
        listed = zip(*columns.values(), strict=True)
        answers = [dict(zip(columns, row, strict=True)) for row in listed]
        self._answer(200, {"predictions": [_unnamed(row) for row in answers]})

    def _model(self, path: str) -> tuple[str, str]:
        """Returns the names in a path, which are escaped there."""
        assert ":" not in path
        parts = [urllib.parse.unquote(part) for part in path.split("/")[3:]]
        return parts[0], "/".join(parts[1:])

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _unnamed(columns: dict[str, Any]) -> Any:
    return columns if len(columns) > 1 else next(iter(columns.values()))


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(part) for part in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def _to_json(name: str, array: np.ndarray) -> Any:
    if array.dtype != object:
        return array.tolist()
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(each).decode()} for each in array]
    return [each.decode() for each in array]


def _metadata(model: str, table: Table) -> dict[str, Any]:
    def infos(specs: Specs) -> dict[str, Any]:
        return {
            name: {
                "dtype": kind, "name": f"{name}:0",
                "tensor_shape": {
                    "dim": [{"size": str(n), "name": ""} for n in shape],
                    "unknown_rank": False,
                },
            }
            for name, (kind, shape) in specs.items()
        }  # fmt: skip

    signatures: dict[str, Any] = {
        name: {
            "inputs": infos(inputs), "outputs": infos(outputs),
            "method_name": "tensorflow/serving/predict", "defaults": {},
        }
        for name, (inputs, outputs, _) in table.items()
    }  # fmt: skip
    signatures["__saved_model_init_op"] = {
        "inputs": {}, "method_name": "", "defaults": {},
        "outputs": {
            "__saved_model_init_op": {
                "name": "NoOp", "dtype": "DT_INVALID",
                "tensor_shape": {"dim": [], "unknown_rank": True},
            }
        },
    }  # fmt: skip
    spec = {"name": model, "version": "2", "signature_name": ""}
    defs = {"signature_def": {"signature_def": signatures}}
    return {"model_spec": spec, "metadata": defs}


CODE_NAMES = {0: "OK", 5: "NOT_FOUND", 9: "FAILED_PRECONDITION"}


def _states(toy: Toy) -> list[dict[str, Any]]:
    return [
        {
            "version": str(version), "state": state,
            "status": {
                "error_code": CODE_NAMES[code], "error_message": message
            },
        }
        for version, state, code, message in toy.states
    ]  # fmt: skip


TRANSPORTS = {"rest": rest, "grpc": over_grpc}
