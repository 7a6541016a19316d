"""The latent explorer: one HTML page over a server's REST interface.

It asks nothing of anybody but that server. Its script is written as modules,
which are joined here, so that the page is one file.
"""

import base64
import hashlib
import html
import pathlib
import re
import string
import urllib.parse

from tfvae.page.style import STYLE

FOLDER = pathlib.Path(__file__).parent
# In the order in which they need each other.
SCRIPTS = (
    "elements", "server", "requests", "model", "link", "picture", "explorer",
    "stage", "sliders", "classes", "anchors", "neighbours", "reading",
    "upload", "completions", "main",
)  # fmt: skip
IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async )?\w+ (\w+))", re.MULTILINE)


def page(url: str = "", *, model: str = "") -> bytes:
    """Returns the page: a whole HTML document.

    Args:
      url: of the server's REST interface, as http://HOST:PORT; empty: the page
        comes from there itself.
      model: to open; empty: `vae`, or `decoder` where there is no `vae`.
    """
    script, style = _script(), STYLE + _text("style.css")
    document = string.Template(_text("page.html")).substitute(
        policy=html.escape(_policy(url, script=script, style=style)),
        url=html.escape(url),
        model=html.escape(model),
        style=style,
        script=script,
    )
    return document.encode()


def _script() -> str:
    """Returns the modules in one, each a function that returns its exports."""
    return "const modules = {};\n" + "\n".join(map(_module, SCRIPTS))


def _module(name: str) -> str:
    text = _text(f"script/{name}.js")
    exports = ", ".join(found[2] for found in EXPORT.finditer(text))
    body = EXPORT.sub(r"\1", IMPORT.sub(r"const \1 = modules.\2;", text))
    return f"modules.{name} = (() => {{\n{body}return {{{exports}}};\n}})();"


def _policy(url: str, *, script: str, style: str) -> str:
    """Returns what the browser may load: what stands in the page, no more."""
    parts = urllib.parse.urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}" if url else "'self'"
    return (
        f"default-src 'none'; connect-src {origin}; img-src data: blob:; "
        f"script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _text(name: str) -> str:
    return FOLDER.joinpath(name).read_text(encoding="utf-8")
