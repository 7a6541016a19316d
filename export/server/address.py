"""What the address of a REST request asks for."""

import dataclasses
import re
import urllib.parse

# What libevent takes for an address; anything else is a bad request.
CHARACTER = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})"
TARGET = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.\-]*:)?(?://[^/?#]*(?=[/?#]|$))?"
    rf"(?P<path>{CHARACTER}*)"
    rf"(?P<rest>(?:\?(?:{CHARACTER}|\?)*)?(?:\#(?:{CHARACTER}|\?)*)?)"
)
API = re.compile(r"/v1/.*", re.IGNORECASE | re.ASCII)
NAME = r"([^/:]+)"
WHICH = rf"(?:(?:/versions/(\d+))|(?:/labels/{NAME}))?"
# Letters' case does not matter here; of the last word it does later.
PREDICTION = re.compile(
    rf"/v1/models/{NAME}{WHICH}:(classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
INFORMATION = re.compile(
    rf"/v1/models(?:/{NAME})?{WHICH}(?:/(metadata))?",
    re.IGNORECASE | re.ASCII,
)
PATTERNS = {"POST": PREDICTION, "GET": INFORMATION}
LARGEST_VERSION = 2**63 - 1
MOST_DIGITS = 99  # with so many it is too large already
STATUS, METADATA = "status", "metadata"


@dataclasses.dataclass(frozen=True)
class Address:
    """A model and what is asked of it.

    Attributes:
      model: its name; "" where there is none.
      version: a number; None: not by number. It may be too large for one.
      label: None: not by label.
      action: "predict", "classify", "regress" (their letters' case as sent),
        "metadata" or "status".
    """

    model: str
    version: int | None
    label: str | None
    action: str


def split(target: str) -> tuple[str, str] | None:
    """Returns (path, path with query and fragment) of a request's target.

    None: it is no address.
    """
    found = TARGET.fullmatch(target)
    if found is None:
        return None
    return found["path"], found["path"] + found["rest"]


def parse(method: str, path: str) -> Address | None:
    """Returns what a request asks for; None: that is nothing known.

    Args:
      method: of HTTP.
      path: with the query, which belongs to a name like any other part.
    """
    pattern = PATTERNS.get(method)
    found = pattern.fullmatch(path) if pattern else None
    if found is None:
        return None
    model, version, label, action = found.groups()
    if method == "GET":
        action = METADATA if action == METADATA else STATUS
    return Address(
        model=_decode(model or ""),
        version=int(f"0{version.lstrip('0')[:MOST_DIGITS]}")
        if version
        else None,
        label=_decode(label) if label else None,
        action=action,
    )


def _decode(text: str) -> str:
    raw = urllib.parse.unquote_to_bytes(text)
    return raw.decode("utf-8", "surrogateescape")
