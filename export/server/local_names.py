"""Names under which a machine calls itself.

A page from elsewhere can have its own name stand for 127.0.0.1 (DNS rebinding)
and then ask a server here, and read the answers, as if it were its own. Its
requests tell: they name that page's host.
"""

import ipaddress
import re
from collections.abc import Iterable

NOT_MEANT = (
    "this server answers requests to localhost and 127.0.0.1 alone; to serve "
    "others, start it with another --host"
)
PORT = re.compile(r":\d*$")


def is_local(host: str) -> bool:
    """Whether a name or an address is this machine's own, for itself alone.

    Args:
      host: as of a header `Host`, with a port or without.
    """
    name = PORT.sub("", host) if host.count(":") == 1 or "]" in host else host
    name = name.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_meant(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request names this machine, or (HTTP/1.0) no host at all."""
    hosts = [value for name, value in headers if name == b"host"]
    return all(is_local(host.decode("latin-1")) for host in hosts)
