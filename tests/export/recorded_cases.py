"""The recorded requests and answers, and how an answer is held against one."""

import base64
import functools
import http.client
import io
import json
import math
import pathlib
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import PIL.Image

RECORDED = pathlib.Path(__file__).parent / "recorded"
MODES = json.loads((RECORDED / "modes.json").read_text())
HEADERS = (
    "content-type",
    "content-encoding",
    "allow",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
)
Case = dict[str, Any]


@functools.cache
def _all() -> list[Case]:
    text = (RECORDED / "conformance.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def of(mode: str) -> list[Case]:
    """Returns the cases of a mode, in their order."""
    return [case for case in _all() if case["mode"] == mode]


def flags(mode: str, folder: pathlib.Path) -> list[str]:
    """Writes a mode's configuration into a folder; returns its flags."""
    models = str(RECORDED / "models")
    for template in (RECORDED / "config").iterdir():
        text = template.read_text().replace("{models}", models)
        (folder / template.name).write_text(text)
    return [flag.replace("{config}", str(folder)) for flag in MODES[mode]]


def body(case: Case) -> bytes | None:
    """Returns a request's body; None: it has none."""
    if "body_base64" in case:
        return base64.b64decode(case["body_base64"])
    return case["body"].encode() if "body" in case else None


def send(url: str, case: Case) -> tuple[int, dict[str, str], bytes]:
    """Returns (status, headers, body) of the answer to a request."""
    host = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(host.hostname, host.port, 60)
    connection.putrequest(
        case["method"], case["path"], skip_accept_encoding=True
    )
    for name, value in case.get("headers", {}).items():
        connection.putheader(name, value)
    if (content := body(case)) is not None:
        connection.putheader("Content-Length", str(len(content)))
    try:
        connection.endheaders(content)
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


def wrong(
    case: Case, status: int, headers: Mapping[str, str], content: bytes
) -> list[str]:
    """Returns what is wrong with an answer, a sentence each."""
    expected = case["expect"]
    found = []
    if status != expected["status"]:
        found.append(f"{status} is not {expected['status']}: {content[:99]!r}")
    for name in HEADERS:
        if headers.get(name) != expected["headers"].get(name):
            found.append(f"{name}: {headers.get(name)}")
    found += MATCHES[expected["match"]](expected, content)
    return [f"{case['id']} ({case['why']}): {sentence}" for sentence in found]


def _same(content: bytes, expected: bytes) -> Iterator[str]:
    if content != expected:
        yield f"{content[:300]!r} is not {expected[:300]!r}"


def _match_json(expected: Case, content: bytes) -> Iterator[str]:
    try:
        value = json.loads(content)
    except ValueError:
        yield f"no JSON: {content[:99]!r}"
        return
    text = expected.get("text")
    yield from _differences(
        value, expected["json"] if text is None else json.loads(text), "$"
    )


def _differences(value: Any, expected: Any, where: str) -> Iterator[str]:
    if type(value) is not type(expected):  # 1 is not 1.0
        yield f"{where}: {value!r} is not {expected!r}"
    elif isinstance(value, dict) and value.keys() == expected.keys() == {"b64"}:
        if not _is_same_image(value["b64"], expected["b64"]):
            yield f"{where}: other bytes"
    elif isinstance(value, dict):
        if value.keys() != expected.keys():
            yield f"{where}: {[*value]} is not {[*expected]}"
            return
        for name in value:
            yield from _differences(
                value[name], expected[name], f"{where}.{name}"
            )
    elif isinstance(value, list):
        if len(value) != len(expected):
            yield f"{where}: {len(value)} items are not {len(expected)}"
            return
        for place, pair in enumerate(zip(value, expected, strict=True)):
            yield from _differences(*pair, f"{where}[{place}]")
    elif value != expected and not (
        isinstance(value, float) and _is_near(value, expected)
    ):
        yield f"{where}: {value!r} is not {expected!r}"


def _is_near(value: float, expected: float) -> bool:
    if math.isnan(value) or math.isnan(expected):
        return math.isnan(value) and math.isnan(expected)
    return math.isclose(value, expected, rel_tol=1e-5, abs_tol=1e-6)


def _is_same_image(value: str, expected: str) -> bool:
    """Whether bytes are equal, or PNGs with the same pixels."""
    if value == expected:
        return True
    pixels = [
        np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(text))))
        for text in (value, expected)
    ]
    return np.array_equal(*pixels)


def _match_error(expected: Case, content: bytes) -> Iterator[str]:
    value = json.loads(content)
    if value.keys() != {"error"} or not isinstance(value["error"], str):
        yield f"no error object: {content[:99]!r}"


def _match_pattern(expected: Case, content: bytes) -> Iterator[str]:
    for pattern in expected["patterns"]:
        if not re.search(pattern, content.decode(), re.MULTILINE):
            yield f"no {pattern}"


MATCHES = {
    "json": _match_json,
    "text": lambda e, content: _same(content, e["text"].encode()),
    "bytes": lambda e, content: _same(content, base64.b64decode(e["base64"])),
    "error": _match_error,
    "pattern": _match_pattern,
    "empty": lambda e, content: _same(content, b""),
}
