"""Every malformed command line is answered by one line, without TensorFlow."""

import pathlib

import pytest

from tests.malformed.command_lines import COMMAND_LINES
from tests.malformed.programs import refusal

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    ("program", "arguments", "words"),
    [
        pytest.param(*case, id=ascii(" ".join([case[0], *case[1]]))[1:60])
        for case in COMMAND_LINES
    ],
)
def test_command_line(
    program: str,
    arguments: list[str],
    words: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if program == "train":
        arguments = ["--run_dir=run", *arguments]
    assert words in refusal(program, arguments, tmp_path, monkeypatch, capfd)
