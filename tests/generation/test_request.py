"""Settings of a generation: what each mode takes, and what is refused."""

import dataclasses

import pytest

from tfvae.errors import InputError
from tfvae.generation.request import (
    ALWAYS,
    ENDINGS,
    MODES,
    Generation,
    value_or,
)

# A value other than the default, for every setting that a mode may not take.
OTHER = {
    "num": 3, "temperature": 0.5, "label": (1,), "indices": (4, 5),
    "images": "a.png", "split": "train", "mask": "left", "path": "spherical",
    "steps": 5, "dims": (0,), "span": 2.0, "plus": "1", "minus": "2",
    "strengths": (1.0,), "data_dir": "there",
}  # fmt: skip


def test_every_setting_is_of_use_to_some_mode() -> None:
    names = {field.name for field in dataclasses.fields(Generation)}
    used = {name for uses in MODES.values() for name in uses}
    assert used | set(ALWAYS) == names
    assert set(OTHER) == used


@pytest.mark.parametrize("name", list(OTHER))
@pytest.mark.parametrize("mode", list(MODES))
def test_a_mode_takes_what_it_uses_and_nothing_else(
    mode: str, name: str
) -> None:
    given = {"mode": mode, "out": "a.npz", name: OTHER[name]}
    if name in MODES[mode]:
        assert getattr(Generation(**given), name) == OTHER[name]
        return
    with pytest.raises(InputError) as refused:
        Generation(**given)
    assert str(refused.value) == (
        f"`{name}` is of no use to {mode}, which takes "
        f"{', '.join(MODES[mode])}."
    )


@pytest.mark.parametrize("ending", [".png", ".npz", ".gif"])
@pytest.mark.parametrize("mode", list(MODES))
def test_only_what_moves_is_animated(mode: str, ending: str) -> None:
    moves = mode in ("interpolate", "traverse")
    if ending != ".gif" or moves:
        asked = Generation(mode=mode, out=f"there/a{ending.upper()}")
        assert asked.ending == ending
        return
    with pytest.raises(InputError, match=f"{mode} has nothing to animate, as "):
        Generation(mode=mode, out=f"a{ending}")


@pytest.mark.parametrize("out", ["", "picture", "picture.jpg", ".png", "a/"])
def test_other_files_are_refused(out: str) -> None:
    with pytest.raises(InputError) as refused:
        Generation(mode="sample", out=out)
    assert str(refused.value) == (
        "`out` must name the file to write, one that ends in "
        f"{', '.join(ENDINGS)}; got {out!r}."
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "smple"}, "`mode` must be sample, reconstruct, interpolate"),
        ({"num": 0}, "`num` must be auto or a whole number of at least 1"),
        ({"num": 1001}, "`num` must be at most 1,000 in a picture; got 1,001;"),
        ({"temperature": -1.0}, "`temperature` must be a number of at least 0"),
        ({"label": (-1,)}, "`label` must be a list, each a whole number of at"),
        ({"shown": "mode"}, "`shown` must be mean or draw; got 'mode'."),
        (
            {"mode": "interpolate", "steps": 1},
            "`steps` must be auto or a whole number of at least 2 and at most",
        ),
        ({"mode": "traverse", "span": 0.0}, "`span` must be a number above 0"),
        (
            {"mode": "reconstruct", "indices": (1,), "images": "a.png"},
            "`indices` and `images` exclude each other; give one.",
        ),
        (
            {"mode": "reconstruct", "indices": (1,), "num": 2},
            "`num` examples are drawn at random; give it, or --indices, not",
        ),
        (
            {"mode": "arithmetic", "images": "a.png", "num": 2},
            "`num` examples are drawn at random; give it, or --images, not",
        ),
    ],
)
def test_wrong_settings_are_refused(given: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        Generation(**{"mode": "sample", "out": "a.png"} | given)
    assert str(refused.value).startswith(message)


def test_number_of_completions_goes_with_indices() -> None:
    asked = Generation(mode="inpaint", out="a.png", indices=(1,), num=5)
    assert (asked.num, asked.starts) == (5, "indices")


def test_any_number_goes_into_arrays() -> None:
    assert Generation(mode="sample", out="a.npz", num=10**6).num == 10**6


def test_what_auto_stands_for() -> None:
    assert value_or("auto", 8) == 8
    assert value_or(3, 8) == 3
