"""Names of this machine, and those that only pretend to be."""

import pytest

from export.server import local_names


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8501", "a.localhost", "localhost.", "127.0.0.1",
     "127.0.0.1:80", "127.1.2.3", "[::1]", "[::1]:8501", "::1"],
)  # fmt: skip
def test_own_name(host: str) -> None:
    assert local_names.is_local(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "localhost.evil.example:8501", "notlocalhost",
     "127.0.0.1.evil.example", "0.0.0.0", "192.168.1.2", "[::]", "::",
     "[fe80::1]",
     "localhost@evil.example", "2130706433", "127.1", "localhost:80:80"],
)  # fmt: skip
def test_other_name(host: str) -> None:
    assert not local_names.is_local(host)


def test_every_host_of_a_request_must_be_meant() -> None:
    ours, other = (b"host", b"localhost"), (b"host", b"evil.example")
    assert local_names.is_meant([(b"x", b"evil.example")])
    assert local_names.is_meant([ours])
    assert not local_names.is_meant([ours, other])
    assert not local_names.is_meant([other, ours])
