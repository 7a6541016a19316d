"""The explorer's page: whole, alone, and made of its modules."""

import base64
import hashlib
import html.parser
import pathlib
import re
import shutil
import subprocess

import pytest

from export import explorer

SCRIPTS = explorer.FOLDER / "script"
MOST_LINES = 300
URL = "http://localhost:8501"


class Parts(html.parser.HTMLParser):
    """Attributes of every element, and the texts of script and style."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._inside = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.texts[self._inside] = self.texts.get(self._inside, "") + data

    def meta(self, name: str) -> str | None:
        """Returns the content of a <meta>."""
        return next(
            element["content"]
            for tag, element in self.elements
            if tag == "meta"
            and name in (element.get("name"), element.get("http-equiv"))
        )


@pytest.fixture(scope="module")
def parts() -> Parts:
    """The page of a server elsewhere."""
    return Parts(explorer.page(URL, model="a & b"))


def test_page_says_what_it_asks(parts: Parts) -> None:
    assert parts.meta("server") == URL
    assert parts.meta("model") == "a & b"
    own = Parts(explorer.page())
    assert (own.meta("server"), own.meta("model")) == ("", "")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (URL, URL),
        ("https://host/behind/proxy", "https://host"),
        ("", "'self'"),
    ],
)
def test_browser_may_load_nothing_else(url: str, origin: str) -> None:
    parts = Parts(explorer.page(url))
    rules = dict(
        rule.strip().split(" ", 1)
        for rule in parts.meta("Content-Security-Policy").split(";")
    )
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == origin
    for kind in ("script", "style"):
        digest = hashlib.sha256(parts.texts[kind].encode()).digest()
        code = base64.b64encode(digest).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{code}'"


def test_page_stands_alone(parts: Parts) -> None:
    for tag, element in parts.elements:
        assert "src" not in element, tag
        assert "style" not in element, tag  # the policy would not let it
        assert element.get("href", "data:,") == "data:,"
    style = parts.texts["style"]
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in parts.texts["script"]


def test_every_element_that_the_script_finds_is_there(parts: Parts) -> None:
    ids = [element["id"] for _, element in parts.elements if "id" in element]
    assert len(ids) == len(set(ids))
    script = parts.texts["script"]
    found = set(re.findall(r'(?:find|complain)\("([\w-]+)"', script))
    assert len(found) > 40
    assert found <= set(ids)
    assert set(re.findall(r'"([\w-]+-error)"', script)) == {
        name for name in ids if name.endswith("-error")
    }
    for _, element in parts.elements:
        for name in ("for", "aria-labelledby"):
            assert element.get(name, ids[0]) in ids


def test_every_module_is_joined_after_those_it_needs() -> None:
    assert {path.stem for path in SCRIPTS.iterdir()} == set(explorer.SCRIPTS)
    for index, name in enumerate(explorer.SCRIPTS):
        text = (SCRIPTS / f"{name}.js").read_text()
        assert text.startswith("// "), name
        assert len(text.splitlines()) <= MOST_LINES
        assert max(map(len, text.splitlines())) <= 80, name
        needed = re.findall(r'from "\./(\w+)\.js"', text)
        assert set(needed) <= set(explorer.SCRIPTS[:index]), name
        assert ("fetch(" in text) == (name == "server")


def test_no_word_between_modules_is_left(parts: Parts) -> None:
    script = parts.texts["script"]
    assert re.findall(r"^(?:import|export)\b.*", script, re.MULTILINE) == []
    assert "modules.model = (() => {" in script
    assert "const {Refusal} = modules.server;" in script
    assert re.search(r"^return \{.*\bRefusal\b.*\bparse\b.*\};$", script, re.M)


NODE = shutil.which("node")
PARSE = """
import {parse} from "./server.js";
console.log(JSON.stringify([
  parse('{"predictions": [[1.5, NaN], [Infinity, -Infinity]]}').predictions
    .map((row) => row.map(String)),
  parse('{"error": "NaN \\\\" Infinity", "x": [-NaN, NaN]}'),
]));
"""


@pytest.mark.skipif(NODE is None, reason="needs node on PATH")
def test_numbers_that_json_lacks_are_read(tmp_path: pathlib.Path) -> None:
    shutil.copytree(SCRIPTS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "parse.js").write_text(PARSE)
    assert NODE
    result = subprocess.run(
        [NODE, str(tmp_path / "parse.js")],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert result.stdout == (
        '[[["1.5","null"],["Infinity","-Infinity"]],'
        '{"error":"NaN \\" Infinity","x":[null,null]}]\n'
    )
