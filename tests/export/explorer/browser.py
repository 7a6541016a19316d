"""A headless Chromium, driven by real clicks and keys.

It is spoken to over two pipes in the DevTools protocol, a JSON object and a
zero byte a message: https://chromedevtools.github.io/devtools-protocol
"""

import base64
import itertools
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import time
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip
# It reads from file descriptor 3 and writes to 4.
LAUNCH = """
import fcntl, os, sys
ours = [fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3]]
for theirs, pipe in zip((3, 4), ours):
    os.dup2(pipe, theirs)
os.execv(sys.argv[3], sys.argv[3:])
"""
SECONDS = 60  # to wait for anything
# {key: its Windows virtual key code}
KEYS = {
    "Tab": 9, "Enter": 13, " ": 32, "End": 35, "Home": 36, "PageUp": 33,
    "PageDown": 34, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
    "ArrowDown": 40, "Backspace": 8,
}  # fmt: skip


class NavigatedError(Exception):
    """The page was left while it was asked."""


class Browser:
    """One page of a browser.

    Args:
      folder: for the browser's profile.

    Attributes:
      console: what the page wrote to the console, errors included.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        pipes = (to_browser, from_browser)
        assert BROWSER
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *map(str, pipes), BROWSER, *FLAGS,
             f"--user-data-dir={folder}", "about:blank"],
            pass_fds=pipes, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for pipe in pipes:
            os.close(pipe)
        self._buffer, self._ids = b"", itertools.count(1)
        self._session: str | None = None
        self.console: list[str] = []
        self._attach()

    def close(self) -> None:
        """Ends the browser."""
        self._process.terminate()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def open(self, url: str) -> None:
        """Opens a page anew, even if only the part after # differs."""
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=url)

    def resize(self, width: int, height: int, *, is_dark: bool = False) -> None:
        """Sets the page's size, and whether it shall be dark."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = "dark" if is_dark else "light"
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def evaluate(self, code: str) -> Any:
        """Returns the value of a JavaScript expression."""
        answer = self.send(
            "Runtime.evaluate", expression=code, returnByValue=True,
            awaitPromise=True,
        )  # fmt: skip
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, code: str) -> None:
        """Waits until an expression, which may throw, is true."""
        end = time.monotonic() + SECONDS
        tried = f"(() => {{ try {{ return ({code}); }} catch {{}} }})()"
        while time.monotonic() < end:
            try:
                if self.evaluate(tried):
                    return
            except NavigatedError:
                continue  # the page that comes is asked
            time.sleep(0.01)
        raise AssertionError(f"never true: {code}")

    def click(self, selector: str, *, right: float = 0.5) -> None:
        """Clicks on an element, `right` of its width from its left."""
        place = _middle(self._box(selector), right=right)
        self.send("Input.dispatchMouseEvent", type="mouseMoved", **place)
        for kind in ("mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent", type=kind, button="left",
                clickCount=1, **place,
            )  # fmt: skip

    def press(self, key: str, times: int = 1, *, modifiers: int = 0) -> None:
        """Presses a key, which is named as in KeyboardEvent.key."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = KEYS.get(key, ord(key[0]))
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                self.send(
                    "Input.dispatchKeyEvent", type=kind, key=key,
                    windowsVirtualKeyCode=code, modifiers=modifiers,
                    text=text if kind == "keyDown" else "",
                )  # fmt: skip

    def choose_file(self, selector: str, path: pathlib.Path) -> None:
        """Gives a file field a file."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)
        self.send("DOM.setFileInputFiles", files=[str(path)], **node)

    def drop(self, selector: str, path: pathlib.Path) -> None:
        """Drops a file on an element."""
        box = self._box(selector)
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.send(
                "Input.dispatchDragEvent", type=kind, data=data, **_middle(box)
            )

    def allow(self, *permissions: str) -> None:
        """Lets pages do what a user would be asked about."""
        self.send("Browser.grantPermissions", permissions=permissions)

    def screenshot(self, path: pathlib.Path, *, whole: bool = True) -> None:
        """Writes a picture of the page, a PNG."""
        data = self.send("Page.captureScreenshot", captureBeyondViewport=whole)[
            "data"
        ]
        path.write_bytes(base64.b64decode(data))

    def send(self, method: str, **parameters: Any) -> Any:
        """Sends one command and returns its result."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                if "navigated" in answer.get("error", {}).get("message", ""):
                    raise NavigatedError
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def _box(self, selector: str) -> dict[str, float]:
        """Returns where an element is, once it is in sight."""
        return self.evaluate(
            f"(() => {{ const found = document.querySelector({selector!r}); "
            "found.scrollIntoView({block: 'center'}); "
            "return found.getBoundingClientRect().toJSON(); })()"
        )

    def _attach(self) -> None:
        targets = self.send("Target.getTargets")["targetInfos"]
        target = next(t for t in targets if t["type"] == "page")
        self._session = self.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], SECONDS)
            assert ready, "the browser says nothing"
            data = os.read(self._read, 1 << 20)
            assert data, "the browser ended"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        if event["method"] == "Runtime.consoleAPICalled":
            self.console.append(str(parameters["args"]))
        elif event["method"] == "Runtime.exceptionThrown":
            self.console.append(str(parameters["exceptionDetails"]))
        elif event["method"] == "Log.entryAdded":
            self.console.append(parameters["entry"]["text"])


def _middle(box: dict[str, float], *, right: float = 0.5) -> dict[str, float]:
    return {
        "x": box["left"] + right * box["width"],
        "y": box["top"] + box["height"] / 2,
    }
