"""Every damaged TFDS set is answered by one line."""

import pathlib

import pytest

from tests.malformed.programs import refusal
from tests.malformed.tfds_folders import TFDS_FOLDERS, Damage, write_good
from tfvae.config import Config
from tfvae.data.load import load_data

pytestmark = pytest.mark.timeout(60)
EACH = 18  # case in the fast suite; the others are slow


def test_undamaged_set_is_read(tmp_path: pathlib.Path) -> None:
    write_good(tmp_path)
    splits = load_data(Config(dataset="toy", data_dir=str(tmp_path)))
    assert splits.spec.event_shape == (6, 5, 1)
    assert splits.train.num_examples == 24


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(
            *case[1:],
            id=case[0],
            marks=[pytest.mark.slow] if n % EACH else [],
        )
        for n, case in enumerate(TFDS_FOLDERS)
    ],
)
def test_tfds_folder(
    damage: Damage,
    words: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    damage(write_good(tmp_path / "data"))
    arguments = ["--run_dir=run", "--dataset=toy", "--data_dir=data"]
    assert words in refusal("train", arguments, tmp_path, monkeypatch, capfd)
