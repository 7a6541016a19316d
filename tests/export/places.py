"""The places where an export may lie: a disk, and TensorFlow's file systems."""

import os
import pathlib

import pytest

from tfvae import holding, storage

NAMES = ("disk", "file", "ram")


@pytest.fixture(params=NAMES)
def place(
    request: pytest.FixtureRequest,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A path where nothing is yet, on each of the file systems."""
    monkeypatch.setattr(holding, "SETTLE_SECONDS", 0.0)
    return {
        "disk": f"{tmp_path}/E",
        "file": f"file://{tmp_path}/E",
        "ram": f"ram://{tmp_path.name}-{os.getpid()}/E",
    }[request.param]


def tree(path: str) -> set[str]:
    """Returns the paths of all files below a folder, but for locks."""
    found = set()
    for name in storage.names(path):
        below = os.path.join(path, name)
        if storage.is_folder(below):
            found |= {f"{name}/{file}" for file in tree(below)}
        elif not name.endswith(".lock"):
            found.add(name)
    return found
