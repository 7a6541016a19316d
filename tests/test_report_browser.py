"""The report in a real browser: quiet, whole, readable light, dark, small."""

import html
import json
import pathlib
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.test_report import reported, trained

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
    "--v=0", "--dump-dom",
    "--allow-file-access-from-files",  # so that FRAME can look into the page
)  # fmt: skip
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None,
        reason=f"needs a browser on PATH: {', '.join(BROWSERS)} (Debian: apt "
        "install chromium)",
    ),
]

# A headless window is 500 pixels wide at least; a frame is as narrow as asked.
FRAME = """<!DOCTYPE html>
<meta name="color-scheme" content="light dark">
<iframe src="{page}" style="width: {width}px; height: 800px; border: 0">
</iframe>
<pre id="found"></pre>
<script>
document.querySelector("iframe").addEventListener("load", (event) => {{
  const view = event.target.contentWindow, page = view.document;
  for (const details of page.querySelectorAll("details")) details.open = true;
  const box = (element) => {{
    const {{left, right, width, height}} = element.getBoundingClientRect();
    return {{left, right, width, height, visible: element.checkVisibility()}};
  }};
  const style = view.getComputedStyle(page.body);
  const texts = page.querySelectorAll("p, td, th, figcaption, dt, dd, code, a");
  document.querySelector("#found").textContent = JSON.stringify({{
    innerWidth: view.innerWidth,
    scrollWidth: page.documentElement.scrollWidth,
    ink: style.color,
    paper: style.backgroundColor,
    soft: view.getComputedStyle(page.querySelector("figcaption")).color,
    smallest: Math.min(...Array.from(
      texts, (text) => parseFloat(view.getComputedStyle(text).fontSize))),
    resources: view.performance.getEntriesByType("resource").map((r) => r.name),
    images: Array.from(page.images, (image) => ({{
      ...box(image), alt: image.alt, natural: image.naturalWidth}})),
    boxes: Array.from(
      page.querySelectorAll(".scroll, pre, .cards, figcaption, section"), box),
  }});
}});
</script>
"""


def opened(page: pathlib.Path, *flags: str) -> tuple[str, list[str]]:
    """Returns the page's DOM, and what it wrote to the console."""
    profile = page.with_suffix(".profile")
    profile.mkdir()
    assert BROWSER
    result = subprocess.run(
        [BROWSER, *FLAGS, *flags, f"--user-data-dir={profile}", page.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    shutil.rmtree(profile, ignore_errors=True)
    lines = result.stderr.splitlines()
    return result.stdout, [line for line in lines if "CONSOLE" in line]


def measured(
    page: pathlib.Path, folder: pathlib.Path, width: int, *flags: str
) -> dict[str, Any]:
    """Returns what FRAME finds of a page of that width."""
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(page=page.as_uri(), width=width))
    dom, console = opened(frame, "--window-size=1300,900", *flags)
    assert console == []
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, re.S)
    assert found
    return json.loads(html.unescape(found[1]))


def luminance(colour: str) -> float:
    """Returns the relative luminance of "rgb(r, g, b)", by WCAG 2."""
    channels = [int(n) / 255 for n in re.findall(r"\d+", colour)[:3]]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Returns the contrast ratio of two colours, 1 to 21, by WCAG 2."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The report of a small run."""
    run_dir = trained(tmp_path_factory.mktemp("browser") / "run")
    reported(run_dir, "--num_samples=2", "--num_examples=20")
    return run_dir / "report.html"


def test_page_is_quiet(page: pathlib.Path, tmp_path: pathlib.Path) -> None:
    copy = tmp_path / "report.html"
    shutil.copy(page, copy)
    dom, console = opened(copy)
    assert console == []
    assert dom.count("<figure") == 11
    # The same eyes see an error, and the policy at work.
    text = copy.read_text(encoding="utf-8")
    copy.write_text(text.replace("</body>", "<script>1</script></body>"))
    _, console = opened(copy)
    assert len(console) == 1
    assert "Content Security Policy" in console[0]


@pytest.mark.parametrize("width", [1200, 360])
@pytest.mark.parametrize(
    "flags", [(), ("--force-dark-mode",)], ids=["light", "dark"]
)
def test_page_is_whole_and_readable(
    page: pathlib.Path, tmp_path: pathlib.Path, width: int,
    flags: tuple[str, ...],
) -> None:  # fmt: skip
    found = measured(page, tmp_path, width, *flags)
    assert found["innerWidth"] == width
    assert found["scrollWidth"] <= width
    assert found["resources"] == []
    is_dark = luminance(found["paper"]) < luminance(found["ink"])
    assert is_dark == bool(flags)
    for colour in (found["ink"], found["soft"]):
        assert contrast(colour, found["paper"]) >= 4.5  # WCAG 2, level AA
    assert found["smallest"] >= 12
    assert len(found["images"]) == 11
    for image in found["images"]:
        assert image["visible"], image
        assert image["natural"] > 0, image
        assert image["width"] >= 280, image  # of 360, less the margins
        assert image["height"] > 0, image
    for box in found["images"] + found["boxes"]:
        assert 0 <= box["left"] < box["right"] <= width, box
