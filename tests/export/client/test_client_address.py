"""URLs, headers, certificates and versions, and what is refused of them."""

import re

import pytest

from export.client import AsyncClient, Client
from export.client.address import Address, Security, Target, read_url
from tfvae.errors import InputError


@pytest.mark.parametrize(
    ("url", "expected", "is_grpc", "is_secure"),
    [
        ("http://a.b-c:81", Address("http", "a.b-c:81"), False, False),
        ("https://a", Address("https", "a:443"), False, True),
        ("http://a/", Address("http", "a:80"), False, False),
        ("http://a:8501/v/w/", Address("http", "a:8501", "/v/w"), False, False),
        ("grpc://a", Address("grpc", "a:8500"), True, False),
        ("grpcs://a:7", Address("grpcs", "a:7"), True, True),
        ("grpc://[::1]:7", Address("grpc", "[::1]:7"), True, False),
        ("HTTP://A:7", Address("http", "a:7"), False, False),
    ],
)
def test_a_url_is_read(
    url: str, expected: Address, is_grpc: bool, is_secure: bool
) -> None:
    found = read_url(url)
    assert found == expected
    assert (found.is_grpc, found.is_secure) == (is_grpc, is_secure)


def test_an_address_and_a_target_in_words() -> None:
    assert str(read_url("http://a:8501/v/")) == "http://a:8501/v"
    assert str(Target("m")) == "`m`"
    assert str(Target("m", version=3)) == "`m` version 3"
    assert str(Target("m", label="stable")) == "`m` (stable)"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (
            "127.0.0.1:8501",
            "`url` must begin with http://, https://, grpc://, ",
        ),
        ("ftp://a", "`url` must begin with http://"),
        ("", "got ''; give one as http://127.0.0.1:8501 or grpc://127.0.0.1:"),
        ("http://", "`url` 'http://' names no host"),
        ("http://a b", "names no host"),
        ("http://a:99999", "`url` 'http://a:99999' is none: Port out of range"),
        ("http://a:x", "is none: Port could not be cast"),
        ("http://[::1", "is none: Invalid IPv6 URL"),
        ("grpc://a/path", "gRPC has no path"),
        ("http://me:secret@a", "passwords belong into `headers`"),
        ("http://a/?x=1", "must hold scheme, host, port and path alone"),
        ("http://a/#x", "must hold scheme, host, port and path alone"),
    ],
)
def test_other_urls_are_refused(url: str, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as refused:
        read_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "settings", "words"),
    [
        (
            "http://a",
            {"headers": {"a b": "c"}},
            "`headers` must be plain ASCII",
        ),
        ("http://a", {"headers": {"a": "c\nd"}}, "in one line; got 'a'."),
        ("http://a", {"headers": {"a": "ä"}}, "`headers` must be plain ASCII"),
        (
            "http://a",
            {"ca": "x"},
            "`ca` is for https:// and grpcs://; `url` is",
        ),
        ("grpc://a", {"key": "x", "cert": "x"}, "`cert` is for https://"),
        ("https://a", {"cert": "x"}, "`cert` and `key` go together"),
        ("https://a", {"ca": "/no/file"}, "must be files of PEM: /no/file: "),
        ("grpcs://a", {"ca": "/no/file"}, "must be files of PEM: "),
        (
            "http://a",
            {"version": 1, "version_label": "b"},
            "exclude each other",
        ),
        ("http://a", {"version": 2**63}, "`version` must be a whole number of"),
        ("http://a", {"timeout": 0}, "`timeout` must be a number of seconds"),
        ("http://a", {"timeout": float("inf")}, "seconds above 0; got inf."),
        ("http://a", {"num_retries": -1}, "must be at least 0; got 0 and -1."),
        ("http://a", {"max_batch_size": -2}, "at least 0; got -2 and 3."),
    ],
)
def test_wrong_settings_are_refused(
    url: str, settings: dict, words: str
) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(InputError, match=re.escape(words)):
            kind(url, **settings)


def test_passwords_in_headers_are_not_shown() -> None:
    security = Security(headers={"Authorization": "Bearer secret"}, ca="a.pem")
    assert repr(security) == "Security(ca='a.pem', cert='', key='')"
