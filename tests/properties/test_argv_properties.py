"""Any command line of any program: settings, help, or one line."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from export import rollout, saved_model, serve
from export.client.request import Request
from export.explorer.__main__ import Exploring
from tests.properties.given import NUM_EXAMPLES, accepted, check_refusal, holds
from tfvae import evaluate, flags, report, settings
from tfvae.config import FIELDS
from tfvae.errors import InputError
from tfvae.generation.request import Generation
from tuning import search

# {program: (its settings, its bare word)}; None: it takes Config's, too.
PARSERS: dict[str, tuple[type, str | None]] = {
    "train": (flags.Launch, None),
    "search": (search.Search, None),
    "evaluate": (evaluate.Evaluation, ""),
    "generate": (Generation, "mode"),
    "report": (report.Report, ""),
    "export": (saved_model.Export, ""),
    "serve": (serve.Serving, ""),
    "client": (Request, "mode"),
    "rollout": (rollout.Rollout, "action"),
    "explorer": (Exploring, ""),
}


def parser(name: str) -> tuple[Callable[[list[str]], Any], flags.Fields]:
    """Returns how a program reads its command line, and its flags."""
    kind, word = PARSERS[name]
    fields = flags.fields_of(kind)
    if word is None:
        return (
            lambda argv: flags.parse(kind, argv, summary="it").launch,
            FIELDS | fields,
        )
    return (
        lambda argv: flags.parse_as(kind, argv, summary="it", positional=word),
        fields,
    )


def arguments(fields: flags.Fields) -> st.SearchStrategy[list[str]]:
    """Draws command lines: flags, good and bad, and other words."""
    good = st.sampled_from(sorted(fields)).flatmap(
        lambda name: accepted(fields[name]).map(
            lambda value: f"--{name}={settings.to_text(value)}"
        )
    )
    name = st.sampled_from(sorted(fields)) | st.text(max_size=20)
    bad = st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["--", "-", "", "--no", "---"]),
        name,
        st.sampled_from(["=", "", " ", "==", "=\0"]),
        st.text() | st.integers().map(str) | st.floats().map(str),
    )
    words = ["--help", "--", "-", "--flagfile=x", "--undefok=x", "sample"]
    other = st.sampled_from(words) | st.text()
    return st.lists(good | bad | other, max_size=6)


@NUM_EXAMPLES
@pytest.mark.parametrize("name", PARSERS)
def test_any_command_line_is_settings_or_refused(
    name: str, num_examples: int
) -> None:
    parse, fields = parser(name)
    kind = PARSERS[name][0]

    def claim(argv: list[str]) -> None:
        with contextlib.suppress(flags.HelpRequested):
            try:
                assert type(parse(["it", *argv])) is kind
            except InputError as error:
                check_refusal(error)

    holds(claim, num_examples, argv=arguments(fields))


@NUM_EXAMPLES
@pytest.mark.parametrize("name", PARSERS)
def test_every_flag_takes_what_it_says(name: str, num_examples: int) -> None:
    _, fields = parser(name)

    def claim(drawn: tuple[dataclasses.Field, Any]) -> None:
        field, value = drawn
        assert settings.read_text(field, settings.to_text(value)) == value

    pairs = st.sampled_from(sorted(fields)).flatmap(
        lambda name: st.tuples(st.just(fields[name]), accepted(fields[name]))
    )
    holds(claim, num_examples, drawn=pairs)
