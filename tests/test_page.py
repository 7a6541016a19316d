"""The page: escaped, whole, without network and scripts."""

import base64
import html.parser
import struct
import zlib

import pytest

from tfvae import page
from tfvae.page.style import STYLE

VOID = {"meta", "link", "img", "br", "hr"}
ADDRESSES = ("src", "href", "action", "data", "srcset", "poster")
NASTY = "<script>alert(\"1\" & '2')</script>"


class Outline(html.parser.HTMLParser):
    """What a page consists of; fails where a tag is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Returns the attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]

    def text_of(self, tag: str) -> list[str]:
        """Returns the texts right inside such tags."""
        return [text for name, text in self.texts if name == tag]


def assert_stands_alone(outline: Outline) -> None:
    """Asserts that a page needs nothing but itself, and names its parts."""
    names = {tag for tag, _ in outline.tags}
    assert not names & {"script", "iframe", "object", "embed", "form", "base"}
    ids = [a["id"] for _, a in outline.tags if "id" in a]
    assert len(set(ids)) == len(ids)
    for _, attributes in outline.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ADDRESSES:
            address = attributes.get(name) or "#"
            assert address.startswith(("#", "data:")), address
            if address[:1] == "#" and address != "#":
                assert address[1:] in ids
    for image in outline.all("img"):
        assert image["alt"]
        assert image["src"]
        assert image["src"].startswith("data:image/png;base64,")
        png = base64.b64decode(image["src"].partition(",")[2], validate=True)
        size = struct.unpack(">II", png[16:24])
        assert (image["width"], image["height"]) == tuple(map(str, size))
    assert len(outline.all("figure")) == len(outline.all("img"))
    assert len(outline.all("figcaption")) == len(outline.all("img"))


def png(width: int, height: int) -> bytes:
    """Returns a grey PNG, made by hand."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"".join([
        b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", rows),
        chunk(b"IEND", b""),
    ])  # fmt: skip


def rendered(*blocks: page.Block, title: str = "a run") -> str:
    """Returns a page of one section."""
    return page.render(
        title=title,
        subtitle="digits",
        cards=[page.Card("elbo", "32.7", "nats")],
        sections=[page.Section("Samples", blocks)],
    )


EVERYTHING = (
    page.Prose("what `--seed` does"),
    page.Picture(png(7, 5), "seven by five", "grey"),
    page.Picture(png(3, 2), "three by two", "grey, too"),
    page.Table("figures", ("name", "nats"), (("elbo", "32.7"),), (1,)),
    page.Table("settings", (), (("seed", "0"), ("epochs", "3"))),
    page.Commands("python -m tfvae.train \\\n  --seed=1"),
    page.Details("more", (page.Prose("folded"), page.Prose("up"))),
)


def test_page_stands_alone() -> None:
    outline = Outline(rendered(*EVERYTHING))
    assert_stands_alone(outline)
    assert len(outline.all("img")) == 2
    assert outline.all("link") == [{"rel": "icon", "href": "data:,"}]
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_policy_allows_inline_style_and_data_images_alone() -> None:
    (policy,) = [
        meta["content"]
        for meta in Outline(rendered()).all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_head_is_fit_for_phones_and_the_dark() -> None:
    outline = Outline(rendered(title="run <7>"))
    named = {meta.get("name"): meta for meta in outline.all("meta")}
    assert named["viewport"]["content"] == "width=device-width, initial-scale=1"
    assert named["color-scheme"]["content"] == "light dark"
    assert outline.all("html") == [{"lang": "en"}]
    assert outline.text_of("title") == ["run <7>"]
    assert outline.text_of("h1") == ["run <7>"]
    assert "prefers-color-scheme: dark" in STYLE


def test_contents_link_to_every_section() -> None:
    text = page.render(
        title="a run",
        subtitle="",
        cards=[],
        sections=[
            page.Section("Rate & distortion", ()),
            page.Section("What is next?", ()),
        ],
    )
    outline = Outline(text)
    assert [a["href"] for a in outline.all("a")] == [
        "#rate-distortion",
        "#what-is-next",
    ]
    assert [s["id"] for s in outline.all("section")] == [
        "rate-distortion",
        "what-is-next",
    ]
    assert [h["id"] for h in outline.all("h2")] == [
        s["aria-labelledby"] for s in outline.all("section")
    ]
    assert outline.all("dl") == []


@pytest.mark.parametrize(
    "block",
    [
        page.Prose(NASTY),
        page.Picture(png(3, 2), f'{NASTY}" onerror="x', NASTY),
        page.Table(f'{NASTY}" id="x', (NASTY, "b"), ((NASTY, NASTY),)),
        page.Commands(NASTY),
        page.Details(NASTY, (page.Prose(NASTY),)),
        page.Prose(f"`{NASTY}`"),
    ],
    ids=["prose", "picture", "table", "commands", "details", "code"],
)
def test_text_is_escaped(block: page.Block) -> None:
    text = page.render(
        title=NASTY,
        subtitle=NASTY,
        cards=[page.Card(NASTY, NASTY, NASTY)],
        sections=[page.Section(NASTY, (block,))],
    )
    outline = Outline(text)
    assert_stands_alone(outline)
    # title, h1, subtitle, card, link, h2, and the block's own
    assert sum(text == NASTY for _, text in outline.texts) >= 9
    assert "<script" not in text


def test_words_between_backticks_are_code() -> None:
    outline = Outline(rendered(page.Prose("give `--C=<number>`, or none")))
    assert outline.text_of("code") == ["--C=<number>"]
    outline = Outline(rendered(page.Picture(png(3, 2), "a `b` c", "`d`")))
    assert outline.all("img")[0]["alt"] == "a b c"
    assert outline.text_of("code") == ["d"]


def test_pictures_in_a_row_share_a_grid() -> None:
    outline = Outline(rendered(*EVERYTHING, EVERYTHING[1]))
    grids = [a for a in outline.all("div") if a.get("class") == "pictures"]
    assert len(grids) == 2
    assert len(outline.all("figure")) == 3


def test_tables_name_their_rows_and_columns() -> None:
    outline = Outline(rendered(*EVERYTHING))
    assert outline.text_of("caption") == ["figures", "settings"]
    scopes = [th["scope"] for th in outline.all("th")]
    assert scopes == ["col", "col", "row", "row", "row"]
    assert outline.text_of("th") == ["name", "nats", "elbo", "seed", "epochs"]
    assert outline.text_of("td") == ["32.7", "0", "3"]
    numbers = [td.get("class") for td in outline.all("td")]
    assert numbers == ["number", None, None]


def test_commands_keep_their_lines() -> None:
    outline = Outline(rendered(*EVERYTHING))
    assert "python -m tfvae.train \\\n  --seed=1" in outline.text_of("code")


def test_size_of_a_png_is_read_from_it() -> None:
    assert page.png_size(png(640, 300)) == (640, 300)


def test_wrong_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="`png` must be a PNG file"):
        rendered(page.Picture(b"GIF89a", "a", "b"))
    with pytest.raises(TypeError, match="`blocks` must hold blocks; got int"):
        rendered(3)  # type: ignore[arg-type]
    sections = [page.Section("Map!", ()), page.Section("map", ())]
    with pytest.raises(ValueError, match="`sections` must have different"):
        page.render(title="a", subtitle="b", cards=[], sections=sections)
