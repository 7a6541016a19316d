"""Nothing listens to others than this machine unless a flag says so."""

import ast
import inspect
import pathlib

import pytest

import export
from export.explorer.__main__ import Exploring
from export.serve import Serving
from export.server import grpc_server

FOLDER = pathlib.Path(export.__file__).parent
EVERYBODY = ("0.0.0.0", "::", "[::]")
LISTENING = {
    "create_server", "add_insecure_port", "add_secure_port", "bind",
    "ThreadingHTTPServer", "HTTPServer", "TCPServer", "start_server",
}  # fmt: skip
# {where a port is listened on: where its host comes from}
PLACES = {"server/http.py", "server/grpc_server.py"}


def test_hosts_by_default() -> None:
    assert Serving().host == Exploring(url="http://a").host == "127.0.0.1"
    start = inspect.signature(grpc_server.start)
    assert start.parameters["host"].default == "127.0.0.1"


@pytest.mark.parametrize(
    "path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.stem
)
def test_no_source_listens_by_itself(path: pathlib.Path) -> None:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant):
            assert node.value not in EVERYBODY
        elif isinstance(node, ast.Attribute) and node.attr in LISTENING:
            found.add(node.attr)
    here = str(path.relative_to(FOLDER))
    assert not found or here in PLACES or _only_probes(here), found


def _only_probes(here: str) -> bool:
    """Whether a file binds a port only to see whether it is free."""
    return here == "server/configuration.py"
