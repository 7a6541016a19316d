"""One setting: what it accepts, how its text is read, what it answers."""

import dataclasses
from typing import Any

import pytest

from tfvae import settings
from tfvae.errors import InputError
from tfvae.settings import setting


@dataclasses.dataclass(frozen=True)
class Toy:
    """One field of every kind of rule."""

    text: str = setting("", "any text")
    word: str = setting("red", "a word", words=("red", "green"))
    whole: int = setting(3, "a count", number=int, minimum=2)
    rate: float = setting(0.5, "a rate", number=float, above=0)
    either: str | float = setting(
        "auto", "word or number", words=("auto",), number=float, above=0
    )
    sizes: tuple[int, ...] = setting(
        (4, 5), "sizes", number=int, minimum=1, is_list=True
    )
    layers: str | tuple[int, ...] = setting(
        "auto", "layers", words=("auto",), number=int, minimum=1, is_list=True
    )
    switch: bool = setting(False, "on or off", is_switch=True)
    code: str = setting(
        "off",
        "off, or a code",
        words=("off",),
        pattern=r"n:[1-9]",
        pattern_text="n:DIGIT",
        identity=False,
    )


FIELDS = {field.name: field for field in dataclasses.fields(Toy)}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("text", "any thing", "any thing"),
        ("text", " file", " file"),
        ("word", " green ", "green"),
        ("whole", "2", 2),
        ("rate", "1e-3", 0.001),
        ("either", "auto", "auto"),
        ("either", "2", 2.0),
        ("sizes", "7", (7,)),
        ("sizes", "7,8,9", (7, 8, 9)),
        ("sizes", "none", ()),
        ("layers", "auto", "auto"),
        ("layers", "7,8", (7, 8)),
        ("layers", "none", ()),
        ("switch", "true", True),
        ("switch", "TRUE", True),
        ("switch", "1", True),
        ("switch", "false", False),
        ("switch", "0", False),
        ("code", "n:4", "n:4"),
        ("code", "off", "off"),
    ],
)
def test_text_becomes_a_value_of_the_fields_type(
    name: str, text: str, value: Any
) -> None:
    read = settings.read_text(FIELDS[name], text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("word", "blue", "`word` must be red or green; got 'blue'."),
        (
            "whole",
            "1",
            "`whole` must be a whole number of at least 2; got 1.",
        ),
        ("whole", "2.5", "`whole` must be a whole number .*; got '2.5'."),
        ("whole", "", "`whole` must be a whole number .*; got ''."),
        ("rate", "0", "`rate` must be a number above 0; got 0."),
        ("rate", "nan", "`rate` must be a number above 0; got nan."),
        ("rate", "inf", "`rate` must be a number above 0; got inf."),
        ("either", "-1", "`either` must be auto or a number above 0; got -1."),
        ("either", "some", "must be auto or a number above 0; got 'some'."),
        (
            "sizes",
            "4,0",
            "`sizes` must be a list, each a whole number of at least 1; got ",
        ),
        ("sizes", "", "`sizes` must be a list, .*; got "),
        ("sizes", "4,,5", "`sizes` must be a list, .*; got "),
        ("sizes", "4.5", "`sizes` must be a list, .*; got "),
        (
            "layers",
            "other",
            "`layers` must be auto or a list, each a whole number of at ",
        ),
        ("switch", "maybe", "`switch` must be true or false; got 'maybe'."),
        ("code", "n:0", "`code` must be off or n:DIGIT; got 'n:0'."),
        ("code", "n:12", "`code` must be off or n:DIGIT; got 'n:12'."),
    ],
)
def test_wrong_text_is_refused_with_what_is_accepted(
    name: str, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        settings.read_text(FIELDS[name], text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 3),
        ("word", True),
        ("whole", 3.0),
        ("whole", "3"),
        ("whole", True),
        ("rate", "0.5"),
        ("rate", None),
        ("rate", float("nan")),
        ("either", False),
        ("sizes", 4),
        ("sizes", [4, "5"]),
        ("sizes", [4, 5.0]),
        ("sizes", [True]),
        ("layers", [4, 0]),
        ("layers", 4),
        ("switch", 1),
        ("switch", "true"),
        ("code", ["off"]),
    ],
)
def test_value_of_another_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"`{name}` must be "):
        settings.check(FIELDS[name], value)


def test_checked_value_has_the_fields_own_type() -> None:
    assert settings.check(FIELDS["sizes"], [4, 5]) == (4, 5)
    rate = settings.check(FIELDS["rate"], 1)
    assert (rate, type(rate)) == (1.0, float)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (0.001, "0.001"),
        (2.0, "2"),
        ((4, 5), "4,5"),
        ((), "none"),
        ("word", "word"),
    ],
)
def test_value_is_shown_as_it_is_typed(value: Any, text: str) -> None:
    assert settings.to_text(value) == text


@pytest.mark.parametrize("value", [1e-9, 1 / 3, 123456789.0, 0.1234567])
def test_float_shown_as_text_reads_back_as_itself(value: float) -> None:
    text = settings.to_text(value)
    assert settings.read_text(FIELDS["rate"], text) == value


@pytest.mark.parametrize("name", FIELDS)
def test_default_reads_back_from_its_text(name: str) -> None:
    text = settings.to_text(FIELDS[name].default)
    assert settings.read_text(FIELDS[name], text) == FIELDS[name].default


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("word", "red or green"),
        ("whole", "a whole number of at least 2"),
        ("rate", "a number above 0"),
        ("either", "auto or a number above 0"),
        ("sizes", "a list, each a whole number of at least 1"),
        ("layers", "auto or a list, each a whole number of at least 1"),
        ("switch", "true or false"),
        ("code", "off or n:DIGIT"),
    ],
)
def test_rule_says_what_it_accepts(name: str, accepted: str) -> None:
    assert settings.rule_of(FIELDS[name]).accepted() == accepted


def test_only_a_rule_without_bounds_takes_free_text() -> None:
    free = [n for n, f in FIELDS.items() if settings.rule_of(f).is_free_text()]
    assert free == ["text"]


def test_settings_define_the_run_unless_they_say_otherwise() -> None:
    rules = {name: settings.rule_of(field) for name, field in FIELDS.items()}
    assert [n for n, rule in rules.items() if not rule.identity] == ["code"]


def test_unknown_name_suggests_the_closest() -> None:
    error = settings.unknown("flag", "latent_dmi", ["latent_dim", "epochs"])
    assert str(error) == "unknown flag `latent_dmi`; did you mean `latent_dim`?"
    error = settings.unknown("flag", "zzz", ["latent_dim", "epochs"])
    assert str(error) == "unknown flag `zzz`; see --help."
