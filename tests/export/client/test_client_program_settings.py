"""python -m export.client: the settings of every mode, and wrong ones."""

import pathlib
import re
from typing import Any

import pytest

from export.client.request import ALWAYS, ENDINGS, MODES, Request
from tests.export.client.program_runs import npz
from tests.export.client.toy_models import CARD, Toy
from tfvae.errors import InputError

URL = "http://127.0.0.1:1"
OTHER: dict[str, Any] = {
    "out": "b.npz", "z": "1", "num": 3, "seed": 3, "label": (1,),
    "images": "a.npz", "mask": "a.png", "num_concurrent": 2,
}  # fmt: skip


def test_settings_reach_the_server(
    served: str, toy: Toy, here: pathlib.Path
) -> None:
    npz(served, "sample", "--version=7", "--header=X-Token:  a: secret ")
    assert {version for _, version, _, _ in toy.seen} == {"versions/7"}
    assert toy.headers["X-Token"] == "a: secret"
    toy.seen.clear()
    npz(served, "sample", "--num=9", "--version_label=canary")
    assert {version for _, version, _, _ in toy.seen} == {"labels/canary"}
    sizes = [rows for _, _, name, rows in toy.seen if name == "sample"]
    assert sorted(sizes) == [1, CARD["max_batch_size"], 4]


def test_every_setting_is_of_use_to_some_mode() -> None:
    used = {name for uses in MODES.values() for name in uses}
    assert used == set(OTHER)
    assert not used & set(ALWAYS)


@pytest.mark.parametrize("name", list(OTHER))
@pytest.mark.parametrize("mode", list(MODES))
def test_a_mode_takes_what_it_uses_and_nothing_else(
    mode: str, name: str
) -> None:
    given = {"mode": mode, "url": URL, "out": "a.npz", name: OTHER[name]}
    if mode == "status" and name != "out":
        del given["out"]
    if name in MODES[mode]:
        assert getattr(Request(**given), name) == OTHER[name]
        return
    with pytest.raises(InputError) as refused:
        Request(**given)
    takes = ", ".join(MODES[mode]) or "no settings"
    assert str(refused.value) == (
        f"`{name}` is of no use to {mode}, which takes {takes}."
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"mode": "smple"},
            "`mode` must be decode, sample, encode, reconstruct",
        ),
        (
            {"url": ""},
            "`url` must name the server; give --url=http://HOST:PORT",
        ),
        (
            {"out": ""},
            "`out` must name the file to write, one that ends in .png",
        ),
        ({"out": "a.jpg"}, "one that ends in .png, .npz; got 'a.jpg'."),
        (
            {"header": "secret"},
            "`header` must be \"Name: value\"; got 'secret'.",
        ),
        (
            {"version": 0},
            "`version` must be latest or a whole number of at leas",
        ),
        ({"timeout": 0.0}, "`timeout` must be a number above 0"),
        ({"num": 0}, "`num` must be a whole number of at least 1"),
        (
            {"mode": "score", "out": "a.png"},
            "`out` a.png: score gives numbers, no picture; give a FILE.npz.",
        ),
    ],
)
def test_wrong_settings_are_refused_by_the_program(
    given: dict, words: str
) -> None:
    settings = {"mode": "sample", "url": URL, "out": "a.npz", **given}
    with pytest.raises(InputError, match=re.escape(words)):
        Request(**settings)
    assert set(ENDINGS[".npz"]) == set(MODES) - {"status"}
