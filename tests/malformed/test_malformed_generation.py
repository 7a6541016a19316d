"""Whatever `generate` cannot start from is answered by one line."""

import functools
import pathlib

import pytest

from tests.malformed.generation_inputs import GENERATION_INPUTS, write_files
from tests.malformed.programs import refusal
from tests.small_runs import image_set, save_run
from tfvae import run_dir

pytestmark = pytest.mark.timeout(60)
CONDITIONS = {"plain": "none", "label": "label", "mask": "mask"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of files, and of runs as they are asked for."""
    made = tmp_path_factory.mktemp("runs")
    image_set(made)
    write_files(made)
    return made


@functools.cache
def trained(path: pathlib.Path) -> run_dir.Run:
    """Returns the run of a folder, which is made if it is not there."""
    dataset = f"npz:{path.parent / 'images.npz'}"
    condition = CONDITIONS[path.name]
    return save_run(path, dataset=dataset, condition=condition)


@pytest.mark.parametrize(
    ("run", "arguments", "words"),
    [
        pytest.param(
            *case,
            id=f"{n} {' '.join([case[0], *case[1]])}"[:60],
            marks=[] if case[0] == "plain" else [pytest.mark.slow],
        )
        for n, case in enumerate(GENERATION_INPUTS)
    ],
)
def test_generation(
    run: str,
    arguments: list[str],
    words: str,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    made = trained(folder / run)
    monkeypatch.setattr(run_dir, "load_run", lambda *_, **__: made)
    arguments = [*arguments, f"--run_dir={folder / run}"]
    line = refusal("generate", arguments, folder, monkeypatch, capfd)
    assert words in line
