"""Every malformed npz is answered by one line, and takes no memory."""

import pathlib
import resource
import sys

import numpy as np
import pytest

from tests.malformed.npz_files import NPZ_FILES, Recipe, arrays
from tests.malformed.programs import refusal
from tfvae.data import npz_archive

pytestmark = pytest.mark.timeout(60)
MOST_GROWTH = 300 * 2**10  # KiB, of what the process takes


@pytest.mark.parametrize(
    ("recipe", "words"), [pytest.param(*c[1:], id=c[0]) for c in NPZ_FILES]
)
def test_npz_file(
    recipe: Recipe,
    words: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.npz").write_bytes(recipe())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    arguments = ["--run_dir=run", "--dataset=npz:a.npz"]
    line = refusal("train", arguments, tmp_path, monkeypatch, capfd)
    assert words in line
    assert "npz:a.npz" in line
    if sys.platform == "linux":
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert after - before < MOST_GROWTH


def test_compressed_arrays_are_bounded_and_others_are_not(
    tmp_path: pathlib.Path,
) -> None:
    zeros = np.zeros([1000, 300], np.uint8)
    for name, save in (("large", np.savez), ("bomb", np.savez_compressed)):
        with open(tmp_path / name, "wb") as file:
            save(file, x=zeros, other=np.zeros(10**6))
    (tmp_path / "small").write_bytes(arrays(x=zeros[:9]))

    def read(name: str, most_bytes: int) -> int:
        found, held = npz_archive.read_arrays(
            str(tmp_path / name), ["x"], name="it", most_bytes=most_bytes
        )
        assert len(held) == (1 if name == "small" else 2)
        return found["x"].nbytes

    assert read("large", 0) == zeros.nbytes
    assert read("bomb", zeros.nbytes + 200) == zeros.nbytes
    assert read("small", 9 * 300 + 200) == 9 * 300
    with pytest.raises(npz_archive.InputError, match="--max_resident_mb=1 "):
        read("bomb", zeros.nbytes)
