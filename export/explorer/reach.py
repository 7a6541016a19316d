"""Whether a page can ask a server: it answers, has a model, and lets it."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from tfvae.errors import InputError

DEFAULTS = ("vae", "decoder")
SECONDS = 10  # to wait for an answer
ORIGIN = "http://localhost"  # of a page that is not the server's own
ALLOW = "Access-Control-Allow-Origin"
MOST_ANSWER_BYTES = 1 << 20


def find_model(url: str, name: str) -> str:
    """Returns the name of the model to open.

    Args:
      url: of the server's REST interface, without a slash at its end.
      name: of the model; empty: the first of `vae` and `decoder`.

    Raises:
      InputError: there is no such server or model, or it does not answer pages
        from elsewhere.
    """
    names = (name,) if name else DEFAULTS
    for candidate in names:
        status, allows, error = _ask(url, candidate)
        if not allows:
            raise InputError(
                f"the server at {url} does not let a page from elsewhere read "
                "its answers; start it with "
                "--rest_api_enable_cors_support=true."
            )
        if status == http.HTTPStatus.OK:
            return candidate
    listed = " or ".join(f"`{candidate}`" for candidate in names)
    raise InputError(
        f"the server at {url} does not show a model {listed} ({error}); give "
        "--model=NAME of one that it serves."
    )


def _ask(url: str, name: str) -> tuple[int, bool, str]:
    """Returns the HTTP status, whether pages may ask, and the error."""
    request = urllib.request.Request(
        f"{url}/v1/models/{urllib.parse.quote(name, safe='')}",
        headers={"Origin": ORIGIN},
    )
    try:
        with _open(request) as answer:
            status, headers = answer.status, answer.headers
            body = answer.read(MOST_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _no_answer(url, error) from error
    try:
        value = json.loads(body)
        return status, ALLOW in headers, str(value.get("error", ""))
    except (ValueError, AttributeError) as error:
        raise InputError(
            f"`url` {url} answers {status}, but not as TensorFlow Serving "
            "does; give the address of a server's REST port."
        ) from error


class _Stay(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """Follows no redirect, which is then an error."""


def _open(request: urllib.request.Request) -> Any:
    """Returns the answer, which may be a refusal, of that address alone."""
    no_proxies = urllib.request.ProxyHandler({})
    opener = urllib.request.build_opener(no_proxies, _Stay)
    try:
        return opener.open(request, timeout=SECONDS)
    except urllib.error.HTTPError as refusal:
        return refusal


def _no_answer(url: str, error: Exception) -> InputError:
    reason = getattr(error, "reason", error)
    words = getattr(reason, "strerror", None) or str(reason)
    return InputError(
        f"no answer from `url` {url}: {words}; give the address of a server's "
        "REST port (not gRPC's), or start one with `python -m export.serve "
        "--export_dir=E --rest_api_enable_cors_support=true`."
    )
