"""The explorer in a browser: examples of the user's own, masks, vectors."""

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
LEVELS = np.random.RandomState(0).randint(0, 256, (6, 8), np.uint8)
GIVEN = (LEVELS / 255)[..., np.newaxis]


def written(path: pathlib.Path, levels: np.ndarray) -> pathlib.Path:
    """Writes levels, [height, width] or with 3 or 4 channels, as an image."""
    Image.fromarray(levels).save(path)
    return path


def test_image_is_encoded_and_reconstructed(
    explored: Explored, png: pathlib.Path
) -> None:
    weights = explored.server.models["vae"].weights
    explored.open()
    explored.upload("#file", written(png, LEVELS))
    np.testing.assert_allclose(explored.sent("encode")["x"], GIVEN, rtol=1e-12)
    loc = weights.encode({"x": GIVEN})
    np.testing.assert_allclose(explored.sent()["z"], loc, rtol=1e-12)
    rebuilt = levels_of(weights.decode({"z": loc}))
    np.testing.assert_array_equal(explored.levels("#given"), levels_of(GIVEN))
    np.testing.assert_array_equal(explored.levels("#rebuilt"), rebuilt)
    np.testing.assert_array_equal(explored.levels(), rebuilt)
    assert explored.text("#z-3 + output").lstrip("−") == f"{abs(loc[3]):.2f}"
    widest = int(np.ceil(np.abs(loc).max()))
    index = int(np.abs(loc).argmax())
    slider = f"document.querySelector('#z-{index}')"
    assert explored.browser.evaluate(f"{slider}.max") == str(max(3, widest))
    explored.click("#invert")
    np.testing.assert_allclose(
        explored.sent("encode")["x"], 1 - GIVEN, atol=1e-12
    )


def test_large_colour_image_is_cut_and_averaged(
    explored: Explored, png: pathlib.Path
) -> None:
    # 30 x 64 pixels: of the middle 30 x 40, each square of 5 is one pixel.
    draw = np.random.RandomState(1)
    colours = draw.randint(0, 256, (6, 8, 3)).astype(np.uint8)
    picture = np.zeros((30, 64, 3), np.uint8)
    picture[:, 12:52] = colours.repeat(5, axis=0).repeat(5, axis=1)
    explored.open()
    explored.upload("#file", written(png, picture))
    luma = colours @ [0.299, 0.587, 0.114] / 255
    np.testing.assert_allclose(
        explored.sent("encode")["x"], luma[..., np.newaxis], atol=1e-9
    )


def test_transparent_pixels_are_white(
    explored: Explored, png: pathlib.Path
) -> None:
    explored.open()
    explored.upload("#file", written(png, np.zeros((9, 9, 4), np.uint8)))
    np.testing.assert_allclose(
        explored.sent("encode")["x"], np.ones((6, 8, 1)), atol=1e-12
    )


def test_large_file_is_not_read(explored: Explored, png: pathlib.Path) -> None:
    with png.open("wb") as file:
        file.truncate((1 << 26) + 1)
    explored.open()
    explored.upload("#file", png)
    assert explored.text("#example-error") == (
        "an image.png has more than 67108864 bytes; give a smaller image."
    )


def test_dropped_image_is_read(explored: Explored, png: pathlib.Path) -> None:
    explored.open()
    written(png, LEVELS)
    explored.browser.evaluate(
        "void addEventListener('drop', (event) => "
        "window.isKept = event.defaultPrevented)"
    )
    explored.browser.drop("#drop", png)
    assert explored.browser.evaluate("isKept")  # else it would be opened
    explored.browser.wait("!document.querySelector('#pair').hidden")
    explored.rest()
    np.testing.assert_allclose(explored.sent("encode")["x"], GIVEN, rtol=1e-12)


def test_file_without_an_image_is_refused(
    explored: Explored, png: pathlib.Path
) -> None:
    png.write_text("no image")
    explored.open()
    explored.upload("#file", png)
    assert explored.text("#example-error") == (
        "an image.png cannot be read as an image; give a PNG, JPEG, WebP or "
        "GIF."
    )
    explored.upload("#file", written(png.with_name("other.png"), LEVELS))
    assert explored.text("#example-error") == ""


def test_model_without_encoder_says_so(explored: Explored) -> None:
    explored.open("model=bare")
    assert explored.text("#example-note") == (
        "bare has no encoder, so it cannot say where an example is; the "
        "servable vae of the same run can."
    )
    assert not explored.shows("#drop")


def test_completions_of_a_half(explored: Explored, png: pathlib.Path) -> None:
    weights = explored.server.models["mask"].weights
    explored.open("model=mask")
    assert np.sum(explored.sent()["mask"]) == 0
    explored.upload("#file", written(png, LEVELS))
    for seen, part in (
        ("left", np.s_[:, :4]), ("right", np.s_[:, 4:]), ("top", np.s_[:3]),
        ("bottom", np.s_[3:]), ("all", np.s_[:]), ("nothing", np.s_[:0]),
        ("left", np.s_[:, :4]),
    ):  # fmt: skip
        explored.choose("#seen", seen)
        mask = np.zeros((6, 8, 1))
        mask[part] = 1
        assert np.array_equal(explored.sent()["mask"], mask), seen
    np.testing.assert_array_equal(
        explored.levels()[:, :4], levels_of(GIVEN)[:, :4]
    )
    explored.type("#seed", "20")
    explored.press("Enter")
    # 8 completions, at most 5 of them in one request.
    assert explored.sent("sample", num_rows=5)["seed"] == 24
    assert explored.sent("sample", num_rows=3)["seed"] == 27
    z = np.random.RandomState(26).normal(size=10)
    row = {"z": z, "image": GIVEN, "mask": mask}
    seventh = "#completions button:nth-child(7)"
    expected = levels_of(weights.decode(row))
    np.testing.assert_array_equal(
        explored.levels(f"{seventh} canvas"), expected
    )
    explored.click(seventh)
    np.testing.assert_array_equal(explored.levels(), expected)
    assert explored.text("#said") == "Moved to the completion from seed 26."
    assert explored.shows("#pair")
    explored.click("#reset")
    assert np.sum(explored.sent()["mask"]) == 0
    assert np.sum(explored.sent()["image"]) == 0
    assert not explored.shows("#pair")
    num_asked = len(explored.server.requests)
    explored.click("#invert")  # of no image
    assert len(explored.server.requests) == num_asked


def test_axis_grows_to_a_round_number(explored: Explored) -> None:
    x = [-0.25, 3.5, 0.5, -1.5, 0]
    explored.server.fixed_x = x
    explored.open("model=vector")
    assert explored.text("#shades") == "Axis from −2 to 5."
    levels = explored.levels()
    is_bar = np.all(levels[:, 48::96] == (43, 108, 176), axis=-1)
    heights = is_bar.sum(axis=0) * 7 / 236
    np.testing.assert_allclose(heights, np.abs(x), atol=0.07)
    zero = 238 - 236 * 2 / 7
    assert is_bar[int(zero) - 20, 1]  # upwards
    assert is_bar[int(zero) + 20, 3]  # downwards
    explored.server.fixed_x = [-1, -0.5, 0, 0.5, 1]
    explored.click("#z-0", right=0.9)
    assert explored.text("#shades") == "Axis from −2 to 5."


def test_long_vector_is_drawn_as_a_line(explored: Explored) -> None:
    explored.server.fixed_x = [1.0] * 35 + [-1.0] * 35
    explored.open("model=vector")
    levels = explored.levels()
    assert levels[2, 120].tolist() == [43, 108, 176]
    assert levels[-3, 360].tolist() == [43, 108, 176]
    assert levels[60, 120].tolist() != [43, 108, 176]


def test_vector_is_drawn_as_bars(explored: Explored) -> None:
    explored.open("model=vector&z=0.5,-1")
    weights = explored.server.models["vector"].weights
    x = weights.decode({"z": np.array([0.5, -1])})
    assert explored.text("#shades") == "Axis from −1 to 1."
    levels = explored.levels()
    is_bar = np.all(levels[:, 48::96] == (43, 108, 176), axis=-1)
    np.testing.assert_allclose(is_bar.sum(axis=0) / 118, x, atol=0.02)
    assert explored.text("#example-title") == "From an example of yours"
    explored.type("#numbers", "1, 2, 3, 4")
    explored.click("#with-numbers button")
    assert explored.text("#example-error") == "x is 5 numbers, with commas."
    explored.type("#numbers", "1, 2, 3, 4, -0.5")
    explored.press("Enter")
    assert explored.sent("encode")["x"] == [1, 2, 3, 4, -0.5]
    np.testing.assert_allclose(
        explored.sent()["z"], weights.encode({"x": [1, 2, 3, 4, -0.5]})
    )
