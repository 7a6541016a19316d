"""Some malformed inputs of every kind, to programs run as processes."""

import concurrent.futures
import os
import pathlib
import subprocess
import sys

import pytest

from tests.malformed.command_lines import COMMAND_LINES
from tests.malformed.config_texts import CONFIG_TEXTS
from tests.malformed.image_files import IMAGE_FILES, PNG
from tests.malformed.npz_files import NPZ_FILES
from tests.malformed.programs import PROGRAMS, check_line, held
from tfvae import program

ROOT = pathlib.Path(__file__).parents[2]
NEEDS_DATA = ("--dataset", "--run_dir=none", "--directory")
EACH_LINE, EACH_TEXT = 8, 8
AT_ONCE = 2
MOST_SECONDS = 60  # for the libraries to load on a busy machine


def quick_lines() -> list[tuple[str, list[str], str]]:
    """Returns command lines that are refused before TensorFlow is loaded."""
    return [
        (name, arguments, words)
        for name, arguments, words in COMMAND_LINES
        if not any(a.startswith(NEEDS_DATA) for a in arguments)
        and "\0" not in "".join(arguments)
        and name in ("train", "generate", "search", "export", "client")
    ][::EACH_LINE]


def answer(name: str, arguments: list[str], folder: pathlib.Path) -> str:
    """Returns what stands on stderr once a program has ended with status 2."""
    done = subprocess.run(
        [sys.executable, "-m", PROGRAMS[name], *map(os.fsencode, arguments)],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=MOST_SECONDS,
    )  # fmt: skip
    assert done.returncode == program.WRONG_INPUT, done.stderr
    assert done.stdout == ""
    return done.stderr


@pytest.mark.slow
def test_processes_answer_with_one_line(tmp_path: pathlib.Path) -> None:
    cases = quick_lines()
    for index, (text, words) in enumerate(CONFIG_TEXTS[::EACH_TEXT]):
        content = text.encode() if isinstance(text, str) else text
        (tmp_path / f"{index}.json").write_bytes(content)
        if "each other" not in words and "one setting" not in words:
            cases.append(("train", [f"--config={index}.json"], words))
    bomb = next(c for c in NPZ_FILES if c[0] == "10^12 numbers")
    (tmp_path / "a.npz").write_bytes(bomb[1]())
    cases.append(("train", ["--dataset=npz:a.npz"], bomb[2]))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(PNG())
    image = next(c for c in IMAGE_FILES if c[0] == "12 bits.jpg")
    (tmp_path / "photos" / "b.jpg").write_bytes(image[1]())
    cases.append(("train", ["--dataset=images:photos"], image[2]))
    assert len(cases) > 24
    before = held(tmp_path)

    def run(case: tuple[str, list[str], str]) -> str:
        name, arguments, _ = case
        own = ["--run_dir=run"] if name == "train" else []
        return answer(name, [*own, *arguments], tmp_path)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for case, line in zip(cases, pool.map(run, cases), strict=True):
            check_line(line, line.partition(": ")[0])
            assert case[2] in line
    assert held(tmp_path) == before
