"""A config.json: what is read, and what is refused."""

import pathlib

import pytest

from tfvae import config_file
from tfvae.errors import InputError


def test_json_may_hold_some_of_the_settings(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "some.json"
    path.write_text('{"latent_dim": 3, "C": 2}')
    assert config_file.read_json(str(path)) == {"latent_dim": 3, "C": 2.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"latent_dmi": 3}', "unknown key in .*: `latent_dmi`; did you mean "),
        ('{"zzz": 3}', "unknown key in .*c.json: `zzz`; see --help."),
        ('{"latent_dim": "3"}', "c.json: `latent_dim` must be .*; got '3'."),
        ('{"latent_dim": 0}', "c.json: `latent_dim` must be .*; got 0."),
        ('{"grayscale": 1}', "c.json: `grayscale` must be true or false"),
        ('{"filters": 4}', "c.json: `filters` must be a list"),
        ('{"dataset": null}', "c.json: `dataset` must be text; got None."),
        ('{"latent_dim": 3', "c.json is not JSON: "),
        ("", "c.json is not JSON: "),
        ("[1, 2]", "c.json must hold one JSON object."),
        ('{"learning_rate": NaN}', "is not JSON: NaN is no number"),
        ('{"learning_rate": 1e999}', "is not JSON: 1e999 is too large"),
        ('{"a":' * 100_000, "c.json is nested too deeply."),
    ],
)
def test_wrong_json_is_refused_with_the_file_and_the_key(
    content: str, message: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "c.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        config_file.read_json(str(path))


def test_missing_json_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(
        InputError, match=r"`config` .*no.json: No such file or directory."
    ):
        config_file.read_json(str(tmp_path / "no.json"))


def test_json_that_is_not_utf8_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match=r"`config` .*c.json is not JSON: "):
        config_file.read_json(str(path))
