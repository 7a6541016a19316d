"""Runs of python -m export.client in this process, and what they write."""

import numpy as np
from PIL import Image

from export.client import __main__ as program


def run(url: str, *argv: str) -> int:
    """Runs the program against a server; returns its exit code."""
    return program.main(["client", *argv, f"--url={url}"])


def npz(url: str, *argv: str) -> dict[str, np.ndarray]:
    """Returns the arrays that the program writes."""
    assert run(url, *argv, "--out=out/a.npz") == 0
    with np.load("out/a.npz") as archive:
        return dict(archive)


def pixels(path: str) -> np.ndarray:
    """Returns what a PNG file shows."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))
