"""Runs a program on wrong input, and says what it answered."""

import importlib
import pathlib
import sys
import time

import pytest

# Loaded first, as a program's own start would come too late for it here.
import tensorflow_probability  # noqa: F401

from tfvae import program

PROGRAMS = {
    "train": "tfvae.train",
    "evaluate": "tfvae.evaluate",
    "generate": "tfvae.generate",
    "report": "tfvae.report",
    "search": "tuning.search",
    "export": "export.saved_model",
    "client": "export.client.__main__",
    "serve": "export.serve",
    "rollout": "export.rollout",
    "explorer": "export.explorer.__main__",
}
MOST_SECONDS = 5.0  # with TensorFlow loaded; what hangs takes for ever
MOST_CHARACTERS = 4000


def held(folder: pathlib.Path) -> list[str]:
    """Returns the names of all files and folders below a folder."""
    return sorted(str(path) for path in folder.rglob("*"))


def refusal(
    name: str,
    arguments: list[str],
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> str:
    """Returns the one line that a program answers wrong input with.

    Makes sure that it ends with status 2, in time, and leaves nothing behind.

    Args:
      name: one of PROGRAMS.
      arguments: of the command line.
      folder: in which the program runs.
    """
    main = importlib.import_module(PROGRAMS[name]).main
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    before, start = held(folder), time.perf_counter()
    with pytest.raises(SystemExit) as end:
        program.run_main(main)
    took, captured = time.perf_counter() - start, capfd.readouterr()
    assert end.value.code == program.WRONG_INPUT, captured.err
    assert captured.out == ""
    check_line(captured.err, f"{name}.py")
    assert held(folder) == before
    assert took < MOST_SECONDS
    return captured.err


def check_line(answer: str, start: str) -> None:
    """Makes sure that what stands on stderr is one line of words."""
    assert answer.startswith(f"{start}: ")
    assert answer.count("\n") == 1
    assert answer.endswith((".\n", "?\n"))
    assert "Traceback" not in answer
    assert len(answer) < MOST_CHARACTERS
