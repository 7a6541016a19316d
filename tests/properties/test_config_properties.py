"""Config from whatever a config.json holds, and back."""

import contextlib
import dataclasses
import json
import pathlib
from typing import Any

import hypothesis
from hypothesis import strategies as st

from tests.properties.given import (
    JSON,
    NUM_EXAMPLES,
    accepted,
    check_refusal,
    holds,
)
from tfvae import config_file, flags, settings
from tfvae.config import FIELDS, Config
from tfvae.errors import InputError

OBJECTS = st.dictionaries(st.sampled_from(sorted(FIELDS)) | st.text(), JSON)
VALUES = st.fixed_dictionaries(
    {}, optional={name: accepted(field) for name, field in FIELDS.items()}
)


def read(path: pathlib.Path, content: bytes) -> Config | None:
    """Returns the settings of a file, or None where they are refused."""
    path.write_bytes(content)
    try:
        return Config(**config_file.read_json(str(path)))
    except InputError as error:
        check_refusal(error)
        return None


def config_of(values: dict[str, Any]) -> Config:
    """Returns settings whose values are accepted each by itself."""
    try:
        return Config(**values)
    except InputError:  # they contradict each other
        hypothesis.reject()


@NUM_EXAMPLES
def test_any_json_is_settings_or_refused(
    num_examples: int, tmp_path: pathlib.Path
) -> None:
    def claim(value: Any) -> None:
        read(tmp_path / "c.json", json.dumps(value).encode())

    holds(claim, num_examples, value=OBJECTS | JSON)


@NUM_EXAMPLES
def test_any_bytes_are_settings_or_refused(
    num_examples: int, tmp_path: pathlib.Path
) -> None:
    good = Config().to_json().encode()

    def claim(content: bytes, first: int, last: int) -> None:
        read(tmp_path / "c.json", content)
        read(tmp_path / "c.json", good[:first] + content + good[last:])

    at = st.integers(0, len(good))
    holds(claim, num_examples, content=st.binary(), first=at, last=at)


@NUM_EXAMPLES
def test_any_value_is_of_the_field_s_type_or_refused(num_examples: int) -> None:
    def claim(name: str, value: Any) -> None:
        with contextlib.suppress(InputError):
            found = getattr(Config(**{name: value}), name)
            assert found == (tuple(value) if type(value) is list else value)
            json.dumps(found, allow_nan=False)

    names = st.sampled_from(sorted(FIELDS))
    holds(claim, num_examples, name=names, value=JSON)


@NUM_EXAMPLES
def test_settings_survive_json(
    num_examples: int, tmp_path: pathlib.Path
) -> None:
    def claim(values: dict[str, Any]) -> None:
        config = config_of(values)
        assert dataclasses.asdict(config) | values == dataclasses.asdict(config)
        assert read(tmp_path / "c.json", config.to_json().encode()) == config

    holds(claim, num_examples, values=VALUES)


@NUM_EXAMPLES
def test_settings_survive_flags(num_examples: int) -> None:
    def claim(values: dict[str, Any]) -> None:
        config = config_of(values)
        argv = [
            f"--{name}={settings.to_text(value)}"
            for name, value in dataclasses.asdict(config).items()
        ]
        line = flags.parse(flags.Launch, ["train.py", *argv], summary="")
        assert Config(**line.given) == config

    holds(claim, num_examples, values=VALUES)
