"""Addresses: what libevent takes for one, and what the server reads in it."""

import pytest

from export.server import address
from export.server.address import Address


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/", ("/", "/")),
        ("/v1/models/a%2fb:predict", ("/v1/models/a%2fb:predict",) * 2),
        ("/a?b=/c?d", ("/a", "/a?b=/c?d")),
        ("/a?b#c?d", ("/a", "/a?b#c?d")),
        ("/a#c", ("/a", "/a#c")),
        ("/-._~!$&'()*+,;=:@", ("/-._~!$&'()*+,;=:@",) * 2),
        ("http://host:8501/a", ("/a", "/a")),
        ("//host/a?b", ("/a", "/a?b")),
        ("//host", ("", "")),
    ],
)
def test_target_is_split(target: str, parts: tuple[str, str]) -> None:
    assert address.split(target) == parts


@pytest.mark.parametrize(
    "target",
    ["/%zz", "/%2", "/%", "/a b", "/a|b", "/a\\b", '/"', "/a?%g1", "/a#b#c"],
)
def test_target_that_is_no_address(target: str) -> None:
    assert address.split(target) is None


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/v1/models/m", ("m", None, None, "status")),
        ("/V1/MODELS/m", ("m", None, None, "status")),
        ("/v1/models", ("", None, None, "status")),
        ("/v1/models/m/versions/007", ("m", 7, None, "status")),
        ("/v1/models/m/Labels/a.b-c", ("m", None, "a.b-c", "status")),
        ("/v1/models/m/metadata", ("m", None, None, "metadata")),
        ("/v1/models/m/MetaData", ("m", None, None, "status")),
        ("/v1/models/m/versions/3/metadata", ("m", 3, None, "metadata")),
        ("/v1/models/metadata", ("metadata", None, None, "status")),
        ("/v1/models/versions/3", ("", 3, None, "status")),
        ("/v1/models/m?a=b", ("m?a=b", None, None, "status")),
        ("/v1/models/a%2Fb%00+", ("a/b\0+", None, None, "status")),
        ("/v1/models/%C3%A9%ff", ("é\udcff", None, None, "status")),
    ],
)
def test_path_to_get(path: str, parts: tuple) -> None:
    assert address.parse("GET", path) == Address(*parts)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("m:predict", ("m", None, None, "predict")),
        ("m:PreDict", ("m", None, None, "PreDict")),
        ("m:regress", ("m", None, None, "regress")),
        ("m/versions/2:classify", ("m", 2, None, "classify")),
        ("m/labels/%73:predict", ("m", None, "s", "predict")),
        (f"m/versions/{9**30}:predict", ("m", 9**30, None, "predict")),
    ],
)
def test_path_to_post_to(path: str, parts: tuple) -> None:
    assert address.parse("POST", f"/v1/models/{path}") == Address(*parts)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/m:predict"),
        ("GET", "/v1/models/m/"),
        ("GET", "/v1/models/m/metadata/"),
        ("GET", "/v1/models/m/versions/-1"),
        ("GET", "/v1/models/m/versions/١"),
        ("GET", "/v1/models/m/labels/a/versions/1"),
        ("GET", "/v1/models/m/labels/"),
        ("POST", "/v1/models/m"),
        ("POST", "/v1/models/m:predict?a=b"),
        ("POST", "/v1/models/m/:predict"),
        ("POST", "/v1/models/m:predict/"),
        ("POST", "/v1/models:predict"),
        ("PUT", "/v1/models/m:predict"),
    ],
)
def test_path_that_asks_for_nothing(method: str, path: str) -> None:
    assert address.parse(method, path) is None
