"""Stands in for a server of models: it follows models.config, loads nothing."""

import contextlib
import http.server
import json
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

from google.protobuf import text_format

from export.protos import model_server_config_pb2


class StatusServer:
    """Answers status and metadata from the models.config of the moment.

    Args:
      folder: that holds models.config.

    Attributes:
      loading: versions that never get beyond LOADING.
      broken: {version: message} of those that cannot be loaded.
      deaf: whether models.config is no longer read.
      stuck: whether labels no longer move.
      before_answer: is called with each path, before it is answered.
      paths: of the requests so far.
      served, labels: what it has of each model.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.loading: set[int] = set()
        self.broken: dict[int, str] = {}
        self.deaf = self.stuck = False
        self.before_answer: Any = lambda path: None
        self.paths: list[str] = []
        self.served: dict[str, set[int]] = {}
        self.known: dict[str, set[int]] = {}
        self.labels: dict[str, dict[str, int]] = {}
        self.url = ""

    def read(self) -> None:
        """Takes models.config as the real server would."""
        text = (self.folder / "models.config").read_text()
        config = text_format.Parse(
            text, model_server_config_pb2.ModelServerConfig()
        )
        for model in config.model_config_list.config:
            served = set(model.model_version_policy.specific.versions)
            known = self.known.setdefault(model.name, set())
            old = self.labels.get(model.name)
            for label, version in model.version_labels.items():
                moves = old is not None and old.get(label, version) != version
                if moves and (
                    self.stuck or not self._is_up(model.name, version)
                ):
                    return  # the whole file is refused
            known |= served
            self.served[model.name] = served
            self.labels[model.name] = dict(model.version_labels)

    def _is_up(self, name: str, version: int) -> bool:
        return (
            version in self.served.get(name, ())
            and version not in self.loading
            and version not in self.broken
        )

    def answer(self, path: str) -> tuple[int, Any]:
        """Returns the HTTP status and the body."""
        self.before_answer(path)
        self.paths.append(path)
        if not self.deaf:
            self.read()
        _, _, _, name, *rest = path.split("/")
        if name not in self.known:
            return 404, {"error": f"no model {name}"}
        if rest[:1] == ["labels"]:
            version = self.labels[name].get(rest[1])
            if version is None:
                return 400, {"error": "no such label"}
            if not self._is_up(name, version):
                return 404, {"error": "no such version"}
            spec = {"name": name, "version": str(version)}
            signatures = {"signature_def": {"signature_def": {}}}
            return 200, {"model_spec": spec, "metadata": signatures}
        versions = [self._state(name, v) for v in sorted(self.known[name])]
        return 200, {"model_version_status": versions[::-1]}

    def _state(self, name: str, version: int) -> dict[str, Any]:
        code, message, state = "OK", "", "AVAILABLE"
        if version in self.broken:
            state, code = "END", "DATA_LOSS"
            message = self.broken[version]
        elif version not in self.served[name]:
            state = "END"
        elif version in self.loading:
            state = "LOADING"
        status = {"error_code": code, "error_message": message}
        return {"version": str(version), "state": state, "status": status}


@contextlib.contextmanager
def running(server: StatusServer) -> Iterator[StatusServer]:
    """Lends a server that listens; `url` says where."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, content = server.answer(self.path)
            body = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), Handler
    ) as listening:
        server.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(
            target=listening.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
