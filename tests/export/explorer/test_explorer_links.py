"""The explorer in a browser: links, other models, what goes wrong."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.export.explorer.browser import BROWSER, BROWSERS
from tests.export.explorer.explored import Explored, levels_of
from tests.export.explorer.row_server import RowServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None,
        reason=f"needs a browser on PATH: {', '.join(BROWSERS)} (Debian: apt "
        "install chromium)",
    ),
]


def test_link_leads_back(explored: Explored) -> None:
    explored.open("model=cvae")
    explored.click("label.class:nth-of-type(4)")
    explored.type("#seed", "12")
    explored.press("Enter")
    explored.click("#keep-a")
    explored.click("#z-2", right=0.2)
    explored.click("#keep-b")
    explored.focus("#bar")
    explored.press("ArrowLeft", 4)
    place, levels = explored.place(), explored.levels()
    fragment = explored.browser.evaluate("location.hash").lstrip("#")
    explored.open()
    assert explored.text("#about").startswith("toy: 10 latents")
    explored.open(fragment)
    np.testing.assert_allclose(explored.sent()["z"], place["z"])
    assert (place["model"], place["label"], place["seed"]) == (
        "cvae",
        [3],
        [12],
    )
    assert place["t"] == [0.8]
    np.testing.assert_allclose(
        place["z"], 0.2 * np.array(place["a"]) + 0.8 * np.array(place["b"]),
        atol=1e-6,
    )  # fmt: skip
    np.testing.assert_array_equal(explored.levels(), levels)
    assert explored.text("#bar-value") == "0.20 A + 0.80 B"
    seed = "document.querySelector('#seed').value"
    assert explored.browser.evaluate(seed) == "12"


def test_link_pasted_into_the_address_moves(explored: Explored) -> None:
    explored.open()
    z = [0.5] * 10
    explored.browser.evaluate(
        f"location.hash = 'model=vae&z={z}'".replace("[", "")
        .replace("]", "")
        .replace(" ", "")
    )
    explored.rest()
    assert explored.sent()["z"] == z
    explored.browser.evaluate("location.hash = 'model=cvae&z=1,2,3'")
    explored.browser.wait(
        "document.querySelector('#about').textContent.includes('3 latents')"
    )
    explored.rest()
    assert explored.sent()["z"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("fragment", "words"),
    [
        ("z=1,2", "it has 2 latents, the model 3"),
        ("z=1,2,x", "its z is not made of numbers"),
        ("a=1,,3", "its a is not made of numbers"),
        ("label=4", "the model has no class 4"),
        ("label=1.5", "the model has no class 1.5"),
        ("seed=-1", "its seed is no whole number below 2^53"),
        ("t=1.5", "its t is not between 0 and 1"),
    ],
)
def test_link_that_does_not_fit_is_told(
    explored: Explored, fragment: str, words: str
) -> None:
    explored.open(f"model=cvae&{fragment}")
    assert explored.text("#link-error") == f"The link does not fit: {words}."
    assert explored.sent() == {"z": [0, 0, 0], "label": 0}


def test_link_is_copied(explored: Explored) -> None:
    explored.open("z=1,2,3,4,5,6,7,8,9,10")
    explored.browser.allow("clipboardReadWrite", "clipboardSanitizedWrite")
    explored.click("#copy")
    assert explored.text("#said") == "The link is copied."
    copied = explored.browser.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"{explored.address}#model=vae&z=1,2,3,4,5,6,7,8")
    explored.browser.evaluate(
        "navigator.clipboard.writeText = () => Promise.reject(new Error())"
    )
    explored.click("#copy")
    assert explored.browser.evaluate(
        "[document.querySelector('#link').value, getSelection().toString()]"
    ) == [copied, copied]


def test_reset_leads_to_zero(explored: Explored) -> None:
    explored.open("model=cvae&z=1,2,3&label=2&a=1,1,1&b=2,2,2&seed=9")
    explored.click("#reset")
    assert explored.sent() == {"z": [0, 0, 0], "label": 0}
    assert explored.place() == {
        "model": "cvae", "z": [0, 0, 0], "label": [0], "seed": [0], "t": [0],
    }  # fmt: skip
    assert explored.text("#said") == "All is at 0 again."


def test_model_that_does_not_describe_itself(explored: Explored) -> None:
    explored.open("model=bare&label=11")
    assert explored.text("#about") == (
        "bare: 3 latents, images of 8 × 6; bare, version 7. It does not "
        "describe itself, so its latents stand in their own order."
    )
    # It does not say how many rows it takes at once.
    assert max(len(rows) for _, rows in explored.server.requests) == 8
    count = "document.querySelectorAll('.class').length"
    assert explored.browser.evaluate(count) == 12
    explored.type("#num-classes", "4")
    explored.press("Tab")
    assert explored.browser.evaluate(count) == 4
    weights = explored.server.models["bare"].weights
    row = {"z": [0, 0, 0], "label": 3}
    np.testing.assert_array_equal(
        explored.levels(), levels_of(weights.decode(row))
    )
    explored.type("#num-classes", "0")
    explored.press("Tab")
    assert explored.text("#classes-error") == (
        "The number of classes must be a whole number from 1 to 1000."
    )


def test_decoder_alone_is_opened_where_there_is_no_vae(
    explored: Explored,
) -> None:
    models = explored.server.models
    models["decoder"] = models.pop("bare")
    models["decoder"].signatures.pop("sample")
    del models["vae"]
    explored.open()
    assert explored.text("#about").startswith("decoder: 3 latents")
    assert not explored.shows("#draw")  # without the signature `sample`
    explored.excused = "status of 404"


def test_unknown_model_is_asked_for_anew(explored: Explored) -> None:
    explored.browser.open(f"{explored.address}#model=vea")
    explored.browser.wait("!document.querySelector('#opening').hidden")
    assert explored.text("#opening-error") == (
        "The server answered 404: Servable not found for request: "
        "/v1/models/vea"
    )
    explored.excused = "status of 404"
    explored.type("#model-name", "vector")
    explored.browser.press("Enter")
    explored.browser.wait("!document.querySelector('#explorer').hidden")
    assert explored.text("#about").startswith("toy: 2 latents, vectors of 5")


def without_decode(server: RowServer) -> None:
    del server.models["vae"].signatures["decode"]


def with_another_input(server: RowServer) -> None:
    signatures = server.models["vae"].signatures
    signatures["describe"] = (("row", "label"), signatures["describe"][1])


def without_shapes(server: RowServer) -> None:
    server.models["vae"] = server.models["bare"]
    server.models["vae"].weights.event_shape = (-1, 8, 1)


def with_a_failed_version(server: RowServer) -> None:
    server.state = "END"


def with_garbage(server: RowServer) -> None:
    server.garbage = "<html>"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_decode, "vae has no signature decode, only describe, encode, "
         "reconstruct, sample."),
        (with_another_input, "The model also asks for label, which this page "
         "does not know."),
        (without_shapes, "vae does not say how many latents it has, or how "
         "large x is."),
        (with_a_failed_version, "No version of vae can be asked: version 7 is "
         "END no such file"),
        (with_garbage, "It answered 200, but not in JSON."),
    ],
)  # fmt: skip
def test_model_that_cannot_be_explored(
    explored: Explored, spoil: Callable[[RowServer], None], words: str
) -> None:
    spoil(explored.server)
    explored.browser.open(f"{explored.address}#model=vae")
    explored.browser.wait("!document.querySelector('#opening').hidden")
    assert explored.text("#opening-error") == words
    assert explored.text("#about") == "There is nothing to explore."
    assert not explored.shows("#explorer")


def test_refusal_is_told_where_it_belongs(explored: Explored) -> None:
    explored.open()
    explored.server.refusals["decode"] = "In[0] mismatch\nmore of it"
    explored.click("#z-1", right=0.6)
    words = "The server answered 400: In[0] mismatch"
    assert explored.text("#picture-error") == words
    assert explored.text("#neighbours-error") == words
    explored.server.refusals = {"sample": "no seeds"}
    explored.click("#draw")
    assert explored.text("#draw-error") == "The server answered 400: no seeds"
    explored.click("#z-1", right=0.7)
    assert explored.text("#picture-error") == ""
    assert explored.text("#neighbours-error") == ""
    explored.excused = "status of 400"


def test_values_that_are_no_numbers_are_told(explored: Explored) -> None:
    explored.open("model=cvae")
    explored.server.not_a_number = True
    explored.click("#z-1", right=0.6)
    assert explored.text("#shades") == "1 of 48 values are no finite numbers."
    weights = explored.server.models["cvae"].weights
    levels = explored.levels()
    assert levels[0, 0].tolist() == [214, 64, 160]
    expected = levels_of(weights.decode(explored.sent()))
    np.testing.assert_array_equal(levels[1:], expected[1:])


def test_server_is_lost_and_found(explored: Explored) -> None:
    explored.open()
    explored.excused = "Failed to load resource"
    explored.server.close()
    explored.browser.click("#z-1", right=0.6)
    explored.browser.wait("!document.querySelector('#lost').hidden")
    assert explored.text("#lost") == (
        f"No answer from {explored.server.url}: the server does not run, "
        "cannot be reached, or was not started with "
        "--rest_api_enable_cors_support, without which no page from elsewhere "
        "may read its answers. Asking again every 2 seconds."
    )
    explored.browser.evaluate("scrollTo(0, 1000)")
    bottom = "document.querySelector('#lost').getBoundingClientRect().bottom"
    assert 800 < explored.browser.evaluate(bottom) <= 900
    explored.server = RowServer(explored.server.port)
    try:
        explored.browser.wait("document.querySelector('#lost').hidden")
        explored.rest()
        z = explored.sent()["z"]
        assert z[1] == pytest.approx(0.6, abs=0.1)  # what was asked in vain
        weights = explored.server.models["vae"].weights
        np.testing.assert_array_equal(
            explored.levels(), levels_of(weights.decode({"z": z}))
        )
    finally:
        explored.server.close()


def test_another_model_found_is_opened_anew(explored: Explored) -> None:
    explored.open()
    explored.excused = "Failed to load resource"
    explored.server.close()
    explored.browser.click("#z-1", right=0.6)
    explored.browser.wait("!document.querySelector('#lost').hidden")
    explored.server = RowServer(explored.server.port)
    try:
        explored.server.models["vae"] = explored.server.models["cvae"]
        explored.browser.wait(
            "document.querySelector('#about').textContent.includes('3 lat')"
        )
        assert explored.text("#link-error") == (
            "The link does not fit: it has 10 latents, the model 3."
        )
    finally:
        explored.server.close()
