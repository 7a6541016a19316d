"""The explorer before the server itself: an export, and recorded models."""

import json
import pathlib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from export import saved_model
from tests.export import recorded_cases
from tests.export.explorer.browser import BROWSER, BROWSERS, Browser
from tests.export.explorer.explored import Explored
from tests.export.server_process import OURS, ROOT, ServerProcess
from tests.small_runs import image_set, save_run
from tfvae.run_dir import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None,
        reason=f"needs a browser on PATH: {', '.join(BROWSERS)} (Debian: apt "
        "install chromium)",
    ),
]
Served = tuple[Run, ServerProcess]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An untrained conditional model of colour images, 9 x 7, exported."""
    folder = tmp_path_factory.mktemp("served")
    run = save_run(folder / "run", dataset=image_set(folder), condition="label")
    flags = [f"--run_dir={run.run_dir}", f"--export_dir={folder / 'E'}"]
    assert saved_model.main(["saved_model", *flags]) == 0
    program = [*OURS, "--server=development", f"--export_dir={folder / 'E'}"]
    with ServerProcess(program=program) as server:
        yield run, server.ready()


@pytest.fixture
def explored(browser: Browser, served: Served) -> Iterator[Explored]:
    """The page that the server itself shows."""
    browser.console.clear()
    browser.resize(1180, 900)
    yield Explored(browser, None, f"{served[1].url}/explorer")
    assert browser.console == []


def assert_shows(levels: np.ndarray, x: Any) -> None:
    """The levels of a canvas are x, [1, height, width, 3], from 0 to 1."""
    # Half a level of rounding, and 1e-5 of the server's arithmetic.
    np.testing.assert_allclose(levels, 255 * x[0], rtol=0, atol=0.503)


def test_export_is_explored(
    explored: Explored, served: Served, png: pathlib.Path
) -> None:
    model = served[0].model
    explored.open()
    assert explored.text("#about") == (
        "npz:images.npz: 4 latents, colour images of 7 × 9; vae, version 1."
    )
    assert explored.text(".slider .kl").endswith(" nats")
    explored.click("label.class:nth-of-type(3)")
    explored.type("#seed", "11")
    explored.press("Enter")
    explored.click("#z-2", right=0.9)
    place = explored.place()
    z = np.array([place["z"]], np.float32)
    assert place["label"] == [2]
    assert z[0, 2] > 2
    label = {"label": np.array([2])}
    assert_shows(explored.levels(), model.decode(z, label).mean().numpy())
    # One image, of the model's own size, encoded as what it is: class 2.
    x = np.random.default_rng(5).integers(0, 256, (9, 7, 3), np.uint8)
    Image.fromarray(x).save(png)
    explored.upload("#file", png)
    given = (x[np.newaxis] / 255).astype(np.float32)
    np.testing.assert_allclose(
        [explored.place()["z"]], model.encode(given, label).mean(), atol=1e-5
    )
    rebuilt = model.reconstruct(given, label).numpy()
    assert_shows(explored.levels("#rebuilt"), rebuilt)
    assert_shows(explored.levels(), rebuilt)


def answer(url: str, model: str, row: dict[str, Any]) -> np.ndarray:
    """Returns x of one row, as the server decodes it."""
    body = {"signature_name": "decode", "instances": [row]}
    with urllib.request.urlopen(
        f"{url}/v1/models/{model}:predict", json.dumps(body).encode(), 20
    ) as found:
        return np.array(json.load(found)["predictions"])


def test_server_elsewhere_is_explored(
    browser: Browser, tmp_path: pathlib.Path
) -> None:
    browser.console.clear()
    flags = recorded_cases.flags("cors", tmp_path)
    with ServerProcess(*flags) as server:
        server.ready()
        program = subprocess.Popen(
            [sys.executable, "-m", "export.explorer", f"--url={server.url}",
             "--port=0"],
            cwd=ROOT, text=True, stdout=subprocess.PIPE,
        )  # fmt: skip
        with program:
            assert program.stdout
            address = program.stdout.readline().split(" at ")[1].split()[0]
            explored = Explored(browser, None, address)
            explored.open()
            assert "does not describe itself" in explored.text("#about")
            explored.type("#seed", "8")
            explored.press("Enter")
            z = explored.place()["z"]
            x = answer(server.url, "vae", {"z": z})
            assert_shows(explored.levels(), np.repeat(x, 3, axis=-1))
            explored.open("model=conditional&label=4&z=1,-0.5,0.25")
            row = {"z": [1, -0.5, 0.25], "label": 4}
            x = answer(server.url, "conditional", row)
            assert_shows(explored.levels(), np.repeat(x, 3, axis=-1))
            program.terminate()
    assert browser.console == []
