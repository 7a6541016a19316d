"""One HTML page from sections: no network, no JavaScript, no file beside it.

All text is escaped; a word between backticks becomes code. Pictures are held
in the page itself, so that it opens wherever it is copied to.
"""

import base64
import dataclasses
import functools
import html
import itertools
import re
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from tfvae.page.style import STYLE

PNG_START = b"\x89PNG\r\n\x1a\n"
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


@dataclasses.dataclass(frozen=True)
class Card:
    """One key figure: its name, its value, and a few words on it."""

    name: str
    value: str
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str


@dataclasses.dataclass(frozen=True)
class Picture:
    """A PNG; pictures that follow each other share a grid.

    Attributes:
      png: the file's bytes.
      alt: what is seen, for those who do not see it.
      caption: below the picture.
    """

    png: bytes
    alt: str
    caption: str


@dataclasses.dataclass(frozen=True)
class Table:
    """A table, each of whose rows is named by its first cell.

    Attributes:
      caption: above the table.
      header: names of the columns; empty: none.
      rows: cells, as many in each row.
      numbers: indices of the columns that hold numbers.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Commands:
    """Lines to type."""

    text: str


@dataclasses.dataclass(frozen=True)
class Details:
    """Blocks that a click unfolds."""

    summary: str
    blocks: tuple[Any, ...]


Block = Prose | Picture | Table | Commands | Details


@dataclasses.dataclass(frozen=True)
class Section:
    """Blocks under a title, which the page's contents link to."""

    title: str
    blocks: tuple[Block, ...]


def render(
    *,
    title: str,
    subtitle: str,
    cards: Sequence[Card],
    sections: Sequence[Section],
) -> str:
    """Returns the page: a whole HTML document.

    Raises:
      ValueError: two sections would have one anchor.
    """
    anchors = [_anchor(section.title) for section in sections]
    if len(set(anchors)) < len(anchors):
        raise ValueError(f"`sections` must have different titles: {anchors}.")
    links = "".join(
        f'<li><a href="#{anchor}">{_text(section.title)}</a></li>'
        for anchor, section in zip(anchors, sections, strict=True)
    )
    bodies = "\n".join(
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n'
        f'<h2 id="{anchor}-title">{_text(section.title)}</h2>\n'
        f"{_blocks(section.blocks)}\n</section>"
        for anchor, section in zip(anchors, sections, strict=True)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{_text(title)}</h1>
<p>{_text(subtitle)}</p>
{_cards(cards)}
</header>
<nav aria-label="Contents"><ul>{links}</ul></nav>
<main>
{bodies}
</main>
</body>
</html>
"""


def png_size(png: bytes) -> tuple[int, int]:
    """Returns (width, height) of a PNG file, in pixels.

    Raises:
      ValueError: the bytes are of no PNG.
    """
    if png[:8] != PNG_START:
        raise ValueError(f"`png` must be a PNG file; it starts {png[:8]!r}.")
    return struct.unpack(">II", png[16:24])  # of IHDR, always the first chunk


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _text(text: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _cards(cards: Sequence[Card]) -> str:
    items = "".join(
        f'<div><dt>{_text(card.name)}</dt><dd class="value">'
        f'{_text(card.value)}</dd><dd class="note">{_text(card.note)}</dd>'
        "</div>"
        for card in cards
    )
    return f'<dl class="cards">{items}</dl>' if items else ""


def _blocks(blocks: Iterable[Block]) -> str:
    parts = []
    for are_pictures, group in itertools.groupby(
        blocks, lambda block: isinstance(block, Picture)
    ):
        inside = "\n".join(map(_html, group))
        parts.append(
            f'<div class="pictures">\n{inside}\n</div>'
            if are_pictures
            else inside
        )
    return "\n".join(parts)


@functools.singledispatch
def _html(block: Block) -> str:
    raise TypeError(f"`blocks` must hold blocks; got {type(block).__name__}.")


@_html.register
def _(block: Prose) -> str:
    return f"<p>{_text(block.text)}</p>"


@_html.register
def _(block: Picture) -> str:
    width, height = png_size(block.png)
    data = base64.b64encode(block.png).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{data}" '
        f'width="{width}" height="{height}" alt="{_attribute(block.alt)}">'
        f"<figcaption>{_text(block.caption)}</figcaption></figure>"
    )


@_html.register
def _(block: Table) -> str:
    header = "".join(
        f'<th scope="col"{_class(index, block)}>{_text(name)}</th>'
        for index, name in enumerate(block.header)
    )
    head = f"<thead><tr>{header}</tr></thead>" if header else ""
    rows = "\n".join(_row(row, block) for row in block.rows)
    # A region that scrolls must be reached by keyboard, too.
    return (
        '<div class="scroll" role="region" tabindex="0" '
        f'aria-label="{_attribute(block.caption)}"><table>'
        f"<caption>{_text(block.caption)}</caption>{head}\n"
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


@_html.register
def _(block: Commands) -> str:
    return f'<pre tabindex="0"><code>{html.escape(block.text)}</code></pre>'


@_html.register
def _(block: Details) -> str:
    return (
        f"<details><summary>{_text(block.summary)}</summary>\n"
        f"{_blocks(block.blocks)}\n</details>"
    )


def _row(row: tuple[str, ...], table: Table) -> str:
    name, *cells = row
    values = "".join(
        f"<td{_class(index, table)}>{_text(cell)}</td>"
        for index, cell in enumerate(cells, start=1)
    )
    return f'<tr><th scope="row">{_text(name)}</th>{values}</tr>'


def _class(index: int, table: Table) -> str:
    return ' class="number"' if index in table.numbers else ""


def _attribute(text: str) -> str:
    return html.escape(text.replace("`", ""))
