"""The explorer in a browser: the ways to move, and what is then shown."""

import numpy as np
import pytest

from tests.export.explorer.browser import BROWSER, BROWSERS
from tests.export.explorer.explored import Explored, levels_of
from tests.export.explorer.row_models import KL

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None,
        reason=f"needs a browser on PATH: {', '.join(BROWSERS)} (Debian: apt "
        "install chromium)",
    ),
]
ORDER = [1, 5, 3, 0, 8, 7, 6, 4, 2, 9]  # of KL, falling


def decoded(explored: Explored, model: str = "vae") -> np.ndarray:
    """Returns the levels of what the last z asked for decodes to."""
    weights = explored.server.models[model].weights
    return levels_of(weights.decode(explored.sent()))


def drawn(seed: int, size: int) -> np.ndarray:
    """Returns the server's z of a seed."""
    return np.random.RandomState(seed).normal(size=size)


def test_sliders_stand_in_the_order_of_their_kl(explored: Explored) -> None:
    explored.open()
    found = explored.browser.evaluate(
        "Array.from(document.querySelectorAll('.slider'), (row) => "
        "[row.querySelector('label').textContent, "
        "row.querySelector('.kl').textContent, row.parentElement.id])"
    )
    assert found == [
        [
            f"z{index}",
            f"{KL[index]:.2f} nats",
            "sliders" if place < 8 else "more-sliders",
        ]
        for place, index in enumerate(ORDER)
    ]
    assert explored.text("#more summary") == "All latents: 2 more"
    assert "4 of 10 tell more than 0.01 nats" in explored.text("#latents-note")
    assert explored.text("#about") == (
        "toy: 10 latents, images of 8 × 6; vae, version 7."
    )


def test_slider_moves_the_picture(explored: Explored) -> None:
    explored.open()
    before = explored.levels()
    explored.click("#z-3", right=0.75)
    z = explored.sent()["z"]
    assert z[3] == pytest.approx(1.5, abs=0.1)
    assert np.count_nonzero(z) == 1
    assert (explored.levels() != before).any()
    np.testing.assert_array_equal(explored.levels(), decoded(explored))
    assert explored.text("#z-3 + output") == f"{z[3]:.2f}"


def test_keys_move_a_slider(explored: Explored) -> None:
    explored.open()
    explored.focus("#z-5")
    for key, times, expected in (
        ("ArrowRight", 2, 0.2), ("PageDown", 1, -0.3), ("ArrowLeft", 1, -0.4),
        ("ArrowUp", 1, -0.3), ("ArrowDown", 2, -0.5), ("0", 1, 0),
        ("End", 1, 3), ("PageUp", 1, 3), ("Home", 1, -3),
    ):  # fmt: skip
        explored.press(key, times)
        assert explored.sent()["z"][5] == expected, key
        np.testing.assert_array_equal(explored.levels(), decoded(explored))
    assert explored.text("#z-5 + output") == "−3.00"


def test_only_the_newest_is_asked_for_one_at_a_time(
    explored: Explored,
) -> None:
    explored.open()
    num_before, explored.server.seconds = len(explored.server.requests), 0.1
    explored.server.most_at_once = 0
    explored.focus("#z-1")
    explored.browser.press("ArrowRight", 25)
    explored.browser.wait("document.querySelector('#z-1').value === '2.5'")
    explored.rest()
    requests = explored.server.requests[num_before:]
    assert explored.server.most_at_once == 1
    sizes = [len(rows) for _, rows in requests]
    assert sizes.count(1) < 20
    assert sizes[:2] == [1, 1]  # the picture before its neighbours
    assert explored.sent()["z"][1] == 2.5
    np.testing.assert_array_equal(explored.levels(), decoded(explored))


def test_draw_by_seed(explored: Explored) -> None:
    weights = explored.server.models["vae"].weights
    explored.open()
    num_before = len(explored.server.requests)
    explored.type("#seed", "41")
    explored.click("#draw")
    np.testing.assert_array_equal(
        explored.levels(), levels_of(weights.decode({"z": drawn(41, 10)}))
    )
    assert explored.text("#said") == "Drawn from seed 41."
    explored.click("#next")
    assert explored.sent("sample")["seed"] == 42
    z = drawn(42, 10)
    np.testing.assert_array_equal(
        explored.levels(), levels_of(weights.decode({"z": z}))
    )
    assert explored.text("#z-1 + output") == f"{z[1]:.2f}".replace("-", "−")
    asked = [name for name, _ in explored.server.requests[num_before:]]
    assert asked == ["sample", "decode"] * 2  # x comes with z: the grid alone


def test_draw_does_not_undo_a_later_move(explored: Explored) -> None:
    explored.open()
    explored.server.seconds = 0.3
    explored.browser.click("#draw")
    explored.browser.click("#z-3", right=0.75)
    explored.rest()
    assert explored.server.requests[-1][0] == "decode"
    z = explored.place()["z"]
    assert np.count_nonzero(z) == 1
    np.testing.assert_array_equal(explored.levels(), decoded(explored))


def test_seed_must_be_a_whole_number(explored: Explored) -> None:
    explored.open()
    for text in ("1.5", "-1", "", "9007199254740992"):
        explored.type("#seed", text)
        explored.press("Enter")
        assert explored.text("#draw-error") == (
            "The seed must be a whole number from 0 to 9007199254740991."
        )
    assert "sample" not in [name for name, _ in explored.server.requests]
    explored.type("#seed", "7")
    explored.press("Enter")
    assert explored.sent("sample")["seed"] == 7
    assert explored.text("#draw-error") == ""


def test_class_picker(explored: Explored) -> None:
    weights = explored.server.models["cvae"].weights
    explored.open("model=cvae")
    explored.click("label.class:nth-of-type(3)")
    assert explored.sent()["label"] == 2
    np.testing.assert_array_equal(explored.levels(), decoded(explored, "cvae"))
    explored.press("ArrowRight")
    assert explored.sent()["label"] == 3
    explored.type("#seed", "5")
    explored.press("Enter")
    assert explored.sent("sample") == {"seed": 5, "label": 3}
    for label in range(4):  # the same z in every class
        row = {"z": drawn(5, 3), "label": label}
        np.testing.assert_array_equal(
            explored.levels(f"label.class:nth-of-type({label + 1}) canvas"),
            levels_of(weights.decode(row)),
        )


def test_way_from_a_to_b(explored: Explored) -> None:
    explored.open()
    assert explored.browser.evaluate("document.querySelector('#bar').disabled")
    for seed, name in ((3, "a"), (4, "b")):
        explored.type("#seed", str(seed))
        explored.press("Enter")
        explored.click(f"#keep-{name}")
    ends = drawn(3, 10), drawn(4, 10)
    weights = explored.server.models["vae"].weights
    for name, z in zip("ab", ends, strict=True):
        np.testing.assert_array_equal(
            explored.levels(f"#picture-{name}"),
            levels_of(weights.decode({"z": z})),
        )
    assert explored.text("#bar-value") == "0.00 A + 1.00 B"
    explored.focus("#bar")
    explored.press("Home")
    np.testing.assert_allclose(explored.sent()["z"], ends[0])
    explored.press("ArrowRight", 10)
    np.testing.assert_allclose(explored.sent()["z"], np.mean(ends, axis=0))
    np.testing.assert_array_equal(explored.levels(), decoded(explored))
    assert explored.text("#bar-value") == "0.50 A + 0.50 B"
    explored.click("#bar", right=0.25)
    near = 0.75 * ends[0] + 0.25 * ends[1]
    np.testing.assert_allclose(explored.sent()["z"], near, atol=0.1)
    explored.click("#go-b")
    np.testing.assert_allclose(explored.sent()["z"], ends[1])
    assert explored.text("#bar-value") == "0.00 A + 1.00 B"
    explored.click("#z-1", right=0.9)
    assert explored.text("#bar-value") == "z is elsewhere."


def test_neighbours(explored: Explored) -> None:
    weights = explored.server.models["vae"].weights
    explored.open("z=0.1,0.2,0,0,0,-0.3,0,0,0,0")
    for index, (right, up) in ((1, (-1, 1)), (9, (0.5, 0.5)), (22, (-0.5, -1))):
        z = np.array([0.1, 0.2, 0, 0, 0, -0.3, 0, 0, 0, 0])
        z[1] += right
        z[5] += up
        np.testing.assert_array_equal(
            explored.levels(f"#neighbours button:nth-child({index}) canvas"),
            levels_of(weights.decode({"z": np.round(z, 4)})),
        )
    explored.choose("#grid-size", "3")
    explored.choose("#grid-step", "0.25")
    assert len(explored.sent(num_rows=9)["z"]) == 10
    explored.click("#neighbours button:nth-child(3)")
    z = explored.sent()["z"]
    assert (z[0], z[1], z[5]) == (0.1, 0.45, -0.05)
    np.testing.assert_array_equal(explored.levels(), decoded(explored))
    assert explored.text("#said") == "Moved to z1 +0.25, z5 +0.25."
