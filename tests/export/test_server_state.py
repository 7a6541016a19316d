"""What is learned of a server over REST, and what is no such server."""

import contextlib
import http.server
import pathlib
import threading
from collections.abc import Iterator

import pytest
import status_server

from export import models_config
from export.server_state import ServerState, UnreachableError, VersionState


class Quoted(status_server.StatusServer):
    """Knows its model by the name that stands in a path."""

    def read(self) -> None:
        super().read()
        for table in (self.known, self.served, self.labels):
            table["a%20b"] = table["a b"]


def test_states_are_read(tmp_path: pathlib.Path) -> None:
    with models_config.edit(str(tmp_path)) as config:
        models_config.add(config, "a b", version=3)
        models_config.serve(config.model_config_list.config[0], [4, 5])
    stand_in = Quoted(tmp_path)
    stand_in.known["a b"] = {2}
    stand_in.loading, stand_in.broken = {4}, {5: "bits\nrot"}
    with status_server.running(stand_in):
        state = ServerState(stand_in.url + "/")
        assert state.versions("a b") == {
            2: VersionState("END", "OK", ""),
            3: VersionState("AVAILABLE", "OK", ""),
            4: VersionState("LOADING", "OK", ""),
            5: VersionState("END", "DATA_LOSS", "bits\nrot"),
        }
        assert state.version("a b", 4) == VersionState("LOADING", "OK", "")
        assert state.version("a b", 7) == VersionState("", "OK", "")
        assert state.versions("b") == {}
        assert state.label("a b", "stable") == 3
        assert state.label("a b", "nothing") is None
    assert stand_in.paths[0] == "/v1/models/a%20b"
    assert "/v1/models/a%20b/labels/stable/metadata" in stand_in.paths


@pytest.mark.parametrize(
    ("state", "failed"),
    [
        (VersionState("END", "NOT_FOUND", "gone"), True),
        (VersionState("END", "OK", ""), False),
        (VersionState("LOADING", "NOT_FOUND", "tries again"), False),
        (VersionState("AVAILABLE", "OK", ""), False),
    ],
)
def test_only_an_end_with_an_error_is_a_failure(
    state: VersionState, failed: bool
) -> None:
    assert state.has_failed() == failed


@contextlib.contextmanager
def answering(code: int, body: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(
            target=listening.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}"
        finally:
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("code", "body", "words"),
    [
        (200, b"<html>", "Expecting value"),
        (200, b"[1]", "it is no server of models"),
        (200, b'{"model_version_status": [{}]}', "it is no server of models"),
        (200, b'{"model_version_status": 3}', "it is no server of models"),
        (200, b"\x80abc", "decode"),
        (500, b"{}", "HTTP status 500"),
        (503, b"", "HTTP status 503"),
    ],
)
def test_other_answers_are_no_server_of_models(
    code: int, body: bytes, words: str
) -> None:
    with (
        answering(code, body) as url,
        pytest.raises(UnreachableError, match=f"no server of .*{url}.*{words}"),
    ):
        ServerState(url).versions("decoder")


@pytest.mark.parametrize("body", [b"[1]", b'{"model_spec": {"version": "x"}}'])
def test_other_metadata_are_no_server_of_models(body: bytes) -> None:
    with (
        answering(200, body) as url,
        pytest.raises(UnreachableError, match="it is no server of models"),
    ):
        ServerState(url).label("decoder", "stable")


def test_nothing_that_listens_is_said() -> None:
    with pytest.raises(UnreachableError, match="refused"):
        ServerState("http://127.0.0.1:9").versions("decoder")


def test_text_that_is_no_address_is_said() -> None:
    with pytest.raises(UnreachableError, match="unknown url type"):
        ServerState("localhost").versions("decoder")
