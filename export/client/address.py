"""Where a server is, how it is reached safely, and which model is meant."""

import dataclasses
import math
import re
import urllib.parse
from collections.abc import Mapping

from tfvae.errors import InputError

# By scheme: whether it is gRPC, whether it is encrypted, the default port.
SCHEMES: dict[str, tuple[bool, bool, int]] = {
    "http": (False, False, 80),
    "https": (False, True, 443),
    "grpc": (True, False, 8500),
    "grpcs": (True, True, 8500),
}
EXAMPLE = "give one as http://127.0.0.1:8501 or grpc://127.0.0.1:8500"
HOST = re.compile(r"[A-Za-z0-9._:%-]+")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclasses.dataclass(frozen=True)
class Address:
    """A server's address.

    Attributes:
      scheme: a key of `SCHEMES`.
      netloc: host and port, as "127.0.0.1:8501".
      path: before the server's own paths, without a slash at its end.
    """

    scheme: str
    netloc: str
    path: str = ""

    @property
    def is_grpc(self) -> bool:
        """Whether gRPC is spoken; else REST."""
        return SCHEMES[self.scheme][0]

    @property
    def is_secure(self) -> bool:
        """Whether the connection is encrypted (TLS)."""
        return SCHEMES[self.scheme][1]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"


@dataclasses.dataclass(frozen=True)
class Security:
    """What a server, or a proxy before it, asks of its callers.

    Attributes:
      headers: that every request carries.
      ca: file of certificates to trust (PEM); empty: the system's.
      cert: file of the caller's own certificate (PEM); empty: none.
      key: file of its key (PEM).
    """

    # Passwords among them must not be seen in a log.
    headers: Mapping[str, str] = dataclasses.field(
        default_factory=dict, repr=False
    )
    ca: str = ""
    cert: str = ""
    key: str = ""


@dataclasses.dataclass(frozen=True)
class Target:
    """Which model is meant; without version and label: the latest.

    Attributes:
      name: of the servable.
      version: its number.
      label: that stands for a version, as "stable".
    """

    name: str
    version: int | None = None
    label: str = ""

    def __str__(self) -> str:
        version = "" if self.version is None else f" version {self.version}"
        return f"`{self.name}`{version}{self.label and f' ({self.label})'}"


def read_url(url: str) -> Address:
    """Returns the address that an URL holds.

    Raises:
      InputError: it has another scheme, no host, or a part that no server's
        address has.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(
            f"`url` {url!r} is none: {error}; {EXAMPLE}."
        ) from error
    if parts.scheme not in SCHEMES:
        raise InputError(
            f"`url` must begin with {', '.join(f'{s}://' for s in SCHEMES)}; "
            f"got {url!r}; {EXAMPLE}."
        )
    if not host or not HOST.fullmatch(host):
        raise InputError(f"`url` {url!r} names no host; {EXAMPLE}.")
    if parts.username is not None or parts.query or parts.fragment:
        raise InputError(
            "`url` must hold scheme, host, port and path alone, passwords "
            f"belong into `headers`; {EXAMPLE}."
        )
    is_grpc, _, default_port = SCHEMES[parts.scheme]
    path = parts.path.rstrip("/")
    if is_grpc and path:
        raise InputError(f"`url` {url!r}: gRPC has no path; {EXAMPLE}.")
    host = f"[{host}]" if ":" in host else host
    netloc = f"{host}:{default_port if port is None else port}"
    return Address(parts.scheme, netloc, path)


def check_security(address: Address, security: Security) -> None:
    """Makes sure that headers and certificates can be used.

    Raises:
      InputError: a header that no request can carry; certificates for a
        connection that is not encrypted; a certificate without its key.
    """
    for name, value in security.headers.items():
        if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
            raise InputError(
                f"`headers` must be plain ASCII in one line; got {name!r}."
            )
    files = {"ca": security.ca, "cert": security.cert, "key": security.key}
    given = [name for name, path in files.items() if path]
    if given and not address.is_secure:
        raise InputError(
            f"`{given[0]}` is for https:// and grpcs://; `url` is {address}."
        )
    if bool(security.cert) != bool(security.key):
        raise InputError("`cert` and `key` go together; give both, or neither.")


def check_target(version: int | None, version_label: str) -> None:
    """Makes sure that a version is meant in one way.

    Raises:
      InputError: both a version and a label, or a version that is none.
    """
    if version is not None and version_label:
        raise InputError(
            "`version` and `version_label` exclude each other; give one."
        )
    if version is not None and not -(2**63) <= version < 2**63:
        raise InputError(
            f"`version` must be a whole number of 64 bits; got {version}."
        )


def check_seconds(name: str, seconds: float) -> None:
    """Makes sure that a duration is one.

    Raises:
      InputError: it is not above 0, or not finite.
    """
    if not (seconds > 0 and math.isfinite(seconds)):
        raise InputError(
            f"`{name}` must be a number of seconds above 0; got {seconds}."
        )
