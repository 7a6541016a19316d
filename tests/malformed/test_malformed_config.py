"""Every malformed config.json is answered by one line that names it."""

import pathlib

import pytest

from tests.malformed.config_texts import CONFIG_TEXTS
from tests.malformed.programs import refusal

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    ("content", "words"),
    [pytest.param(*c, id=ascii(c[0])[:50]) for c in CONFIG_TEXTS],
)
def test_config_file(
    content: str | bytes,
    words: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if isinstance(content, str):
        content = content.encode()
    (tmp_path / "my.json").write_bytes(content)
    arguments = ["--run_dir=run", "--config=my.json"]
    assert words in refusal("train", arguments, tmp_path, monkeypatch, capfd)
