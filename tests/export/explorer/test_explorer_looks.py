"""The explorer in a browser: keys alone, small, light and dark."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from tests.export.explorer.browser import BROWSER, BROWSERS
from tests.export.explorer.explored import Explored, levels_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None,
        reason=f"needs a browser on PATH: {', '.join(BROWSERS)} (Debian: apt "
        "install chromium)",
    ),
]
MODELS = ("vae", "cvae", "bare", "mask", "vector")
CONTROLS = """Array.from(document.querySelectorAll(
  "button, input, select, summary"), (element) => {
  const target = element.closest("label.class, label.check") ?? element;
  const {left, right, width, height} = target.getBoundingClientRect();
  return {name: element.id || element.textContent || element.value,
          left, right, width, height, seen: target.checkVisibility(),
          label: Boolean(element.labels?.length || element.ariaLabel ||
                         element.textContent.trim())};
}).filter(({seen}) => seen)"""
FOCUS = """(() => {
  const {activeElement: element} = document;
  if (element === document.body) return ["the end", true];
  const shown = element.closest("label.class") ?? element;
  const {outlineStyle, outlineWidth} = getComputedStyle(shown);
  return [element.id || element.ariaLabel || element.textContent.trim() ||
          element.name,
          outlineStyle === "solid" && parseFloat(outlineWidth) >= 2];
})()"""
COLOURS = """Array.from(document.querySelectorAll(
  "h1, h2, p, label, output, button, select, summary, .kl, figcaption"),
  (element) => [element.tagName, element.className, element.disabled ?? false,
    getComputedStyle(element).color,
    (function behind(of) {
      const {backgroundColor} = getComputedStyle(of);
      return backgroundColor !== "rgba(0, 0, 0, 0)" || !of.parentElement
        ? backgroundColor : behind(of.parentElement);
    })(element)]).filter(([, , disabled]) => !disabled)"""


def luminance(colour: str) -> float:
    """Returns the relative luminance of "rgb(r, g, b)", by WCAG 2."""
    channels = np.array(colour[4:-1].split(","), float) / 255
    linear = np.where(
        channels <= 0.04045,
        channels / 12.92,
        ((channels + 0.055) / 1.055) ** 2.4,
    )
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("model", MODELS)
def test_page_fits_a_phone(
    explored: Explored, model: str, png: pathlib.Path
) -> None:
    explored.browser.resize(360, 740)
    size = explored.server.models[model].weights.latent_dim
    explored.open(f"model={model}&z={','.join(['-2.34'] * size)}")
    explored.browser.evaluate(
        "document.querySelectorAll('details').forEach((d) => d.open = true)"
    )
    if explored.shows("#drop"):
        Image.new("L", (8, 6)).save(png)
        explored.upload("#file", png)
    width = "document.documentElement.scrollWidth"
    assert explored.browser.evaluate(width) <= 360
    controls = explored.browser.evaluate(CONTROLS)
    assert len(controls) > 20
    for control in controls:
        assert 0 <= control["left"] < control["right"] <= 360, control
        assert control["height"] >= 40, control
        assert control["width"] >= 40, control
        assert control["label"], control
    heights = explored.browser.evaluate(
        "Array.from(document.querySelectorAll('.slider output, .kl'), "
        "(text) => text.getBoundingClientRect().height)"
    )
    assert max(heights) < 30  # a line each
    explored.browser.evaluate("document.querySelector('#bar').scrollIntoView()")
    top = "document.querySelector('#picture').getBoundingClientRect().top"
    assert 0 <= explored.browser.evaluate(top) < 40  # it stays in sight


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_page_is_readable_light_and_dark(
    explored: Explored, is_dark: bool
) -> None:
    explored.browser.resize(1180, 900, is_dark=is_dark)
    explored.server.refusals["encode"] = "no"
    explored.open("model=cvae&z=1,2")
    found = explored.browser.evaluate(COLOURS)
    assert len(found) > 40
    for *name, ink, paper in found:
        assert (luminance(paper) < luminance(ink)) == is_dark, name
        dark, light = sorted(map(luminance, (ink, paper)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ink, paper)


def test_bars_take_the_colours_of_the_moment(explored: Explored) -> None:
    explored.open("model=vector")
    light = explored.levels()[100, 48]
    explored.browser.resize(1180, 900, is_dark=True)
    explored.browser.wait(
        "getComputedStyle(document.body).color === 'rgb(227, 231, 236)'"
    )
    explored.browser.evaluate("new Promise(requestAnimationFrame)")
    explored.rest()
    dark = explored.levels()[100, 48]
    assert light.tolist() == [43, 108, 176]
    assert dark.tolist() == [127, 182, 240]


def test_everything_is_reached_by_keys(explored: Explored) -> None:
    explored.open("model=cvae&a=0,0,0&b=1,1,1")
    reached = []
    for _ in range(60):
        explored.browser.press("Tab")
        name, has_outline = explored.browser.evaluate(FOCUS)
        if name == "the end":
            break
        assert has_outline, name
        reached.append(name)
    before = ["seed", "draw", "next", "copy", "reset", "class", "z-0"]
    assert reached[: len(before)] == before
    for name in ("go-a", "keep-a", "bar", "go-b", "keep-b", "grid-size",
                 "grid-step", "file", "invert"):  # fmt: skip
        assert name in reached, name


def test_a_walk_by_keys_alone(explored: Explored) -> None:
    explored.open("model=cvae")
    press = explored.press
    press("Tab")
    explored.browser.press("Tab", 2)
    press("Enter")  # next
    assert explored.sent("sample")["seed"] == 1
    explored.browser.press("Tab", 3)
    press("ArrowRight", 2)  # the class
    press("Tab")
    press("ArrowUp", 3)  # the first latent
    drawn = np.random.RandomState(1).normal(size=3)
    row = explored.sent()
    assert row["label"] == 2
    assert row["z"][0] == pytest.approx(drawn[0] + 0.3, abs=1e-4)
    weights = explored.server.models["cvae"].weights
    np.testing.assert_array_equal(
        explored.levels(), levels_of(weights.decode(row))
    )
    explored.focus("#neighbours button:nth-child(1)")
    press(" ")
    assert explored.sent()["z"][0] == pytest.approx(drawn[0] - 0.7, abs=1e-4)
    assert explored.text("#said").startswith("Moved to z0 −1.00, z1 +1.00")


def test_motion_without_flicker(explored: Explored) -> None:
    explored.open()
    explored.server.seconds = 0.05
    explored.browser.evaluate(
        """(() => {
          const canvas = document.querySelector("#picture");
          window.blank = window.written = 0;
          const write = history.replaceState.bind(history);
          history.replaceState = (...all) => {
            window.written++;
            write(...all);
          };
          new MutationObserver(() => window.blank++).observe(
            canvas, {attributes: true});
        })()"""
    )
    explored.focus("#z-1")
    explored.browser.press("ArrowRight", 10)
    explored.rest()
    # A canvas goes blank where its size is set, were it to the same.
    assert explored.browser.evaluate("window.blank") == 0
    # Browsers limit how often an address may change.
    assert explored.place()["z"][1] == 1
    assert explored.browser.evaluate("window.written") <= 2
