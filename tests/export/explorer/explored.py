"""The explorer in a browser, before a small server."""

import json
import pathlib
import re
import urllib.parse
from typing import Any

import numpy as np

from tests.export.explorer.browser import Browser
from tests.export.explorer.row_models import Row
from tests.export.explorer.row_server import RowServer

PIXELS = """(() => {{
  const canvas = document.querySelector({selector!r});
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext(
    "2d", {{willReadFrequently: true}}); // or the console hears of it
  copy.drawImage(canvas, 0, 0);
  const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  return {{size: [canvas.height, canvas.width], data: Array.from(data)}};
}})()"""


class Explored:
    """The page, its browser and its server.

    Attributes:
      browser: that shows it.
      server: that it asks.
      address: of the page.
      excused: part of the lines that the console may hold.
    """

    def __init__(
        self, browser: Browser, server: RowServer | None, address: str
    ) -> None:
        self.browser, self.server, self.address = browser, server, address
        self.excused: str | None = None

    def open(self, fragment: str = "") -> None:
        """Opens the page at a place, and waits until all is drawn."""
        self.browser.open(f"{self.address}#{fragment}")
        self.browser.wait(
            "document.readyState === 'complete' && "
            "!document.querySelector('#explorer').hidden"
        )
        self.rest()

    def rest(self) -> None:
        """Waits until the page has nothing left to ask, and is drawn."""
        self.browser.wait(
            "document.querySelector('#explorer').ariaBusy === 'false'"
        )
        self.browser.evaluate("new Promise(requestAnimationFrame)")

    def click(self, selector: str, *, right: float = 0.5) -> None:
        """Clicks on an element, and waits for what comes of it."""
        self.browser.click(selector, right=right)
        self.rest()

    def press(self, key: str, times: int = 1) -> None:
        """Presses a key, and waits for what comes of it."""
        self.browser.press(key, times)
        self.rest()

    def focus(self, selector: str) -> None:
        """Moves the focus, as one who sees would by Tab."""
        self.browser.evaluate(f"document.querySelector({selector!r}).focus()")

    def type(self, selector: str, text: str) -> None:
        """Writes into a field in place of what it holds."""
        self.focus(selector)
        self.browser.evaluate(f"document.querySelector({selector!r}).select()")
        self.browser.press("Backspace")
        self.browser.send("Input.insertText", text=text)

    def choose(self, selector: str, value: str) -> None:
        """Chooses an option by its keys."""
        self.focus(selector)
        index = self.browser.evaluate(
            f"Array.from(document.querySelector({selector!r}).options)"
            f".findIndex((option) => option.value === {value!r})"
        )
        self.browser.press("Home")
        self.press("ArrowDown", index)

    def upload(self, selector: str, path: pathlib.Path) -> None:
        """Gives a file field a file, and waits for what comes of it."""
        self.browser.choose_file(selector, path)
        self.rest()

    def text(self, selector: str) -> str:
        """Returns what is to be read in an element."""
        return self.browser.evaluate(
            f"document.querySelector({selector!r}).innerText"
        )

    def shows(self, selector: str) -> bool:
        """Whether an element is to be seen."""
        return self.browser.evaluate(
            f"document.querySelector({selector!r}).checkVisibility()"
        )

    def levels(self, selector: str = "#picture") -> np.ndarray:
        """Returns the pixels of a canvas: [height, width, 3], 0 to 255."""
        found = self.browser.evaluate(PIXELS.format(selector=selector))
        return np.array(found["data"]).reshape(*found["size"], 4)[..., :3]

    def sent(self, signature: str = "decode", num_rows: int = 1) -> Row:
        """Returns the last row asked of a signature, in a request of n rows."""
        rows = [
            rows
            for name, rows in self.server.requests
            if (name, len(rows)) == (signature, num_rows)
        ]
        return rows[-1][-1]

    def complaints(self) -> list[str]:
        """Returns what the console holds, but for what is excused."""
        return [
            line
            for line in self.browser.console
            if self.excused is None or self.excused not in line
        ]

    def place(self) -> dict[str, Any]:
        """Returns the place that the page's address names."""
        self.browser.evaluate("new Promise((done) => setTimeout(done, 350))")
        fragment = self.browser.evaluate("location.hash").lstrip("#")
        parts = dict(urllib.parse.parse_qsl(fragment))
        return {
            name: json.loads(f"[{value}]")
            if re.match(r"[\d-]", value)
            else value
            for name, value in parts.items()
        }


def levels_of(x: np.ndarray) -> np.ndarray:
    """Returns the levels with which x, 0 to 1, is drawn: [h, w, 3]."""
    return np.floor(255 * np.broadcast_to(x, (*x.shape[:2], 3)) + 0.5)
