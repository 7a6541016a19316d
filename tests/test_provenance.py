"""Where a run came from, and that the same beginning has the same end."""

import dataclasses
import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import replicas
from tests.runs import assert_same_run
from tests.small_runs import build_model, image_set
from tfvae import figures, provenance, train, weights
from tfvae.config import Config
from tfvae.data.load import load_data
from tfvae.data.spec import DataSpec
from tfvae.data.split import ArraySplit, Splits, StreamSplit

SIZES = {"train": 5, "validation": 3, "test": 4}
SHAPE = (2, 3, 1)
TINY = (
    "--epochs=2", "--batch_size=16", "--hidden_units=6", "--latent_dim=2",
    "--steps_per_execution=4",
)  # fmt: skip


def _splits(dtype: str = "<f4", **labels: int) -> Splits:
    """Returns splits that are equal at each call but for what is named.

    Args:
      dtype: in which the values, sixteenths, are held.
      **labels: of the first example of the parts named.
    """
    parts = {}
    for index, (part, num) in enumerate(SIZES.items()):
        x = np.arange(num * 6).reshape([num, *SHAPE]).astype(dtype) / 16
        y = np.arange(num) % 3 + index
        y[0] = labels.get(part, y[0])
        parts[part] = ArraySplit(x.astype(dtype), y.astype(np.int64), 1.0)
    return Splits(**parts, spec=DataSpec(SHAPE, 5, "unit"))


def _with_part(splits: Splits, part: str, **changes: Any) -> Splits:
    changed = dataclasses.replace(getattr(splits, part), **changes)
    return dataclasses.replace(splits, **{part: changed})


def _write_images(folder: pathlib.Path, num: int = 24) -> str:
    """Writes PNGs of two classes; returns --dataset for them."""
    pixels = np.random.default_rng(0).integers(256, size=[num, 9, 7, 3])
    for index, image in enumerate(pixels.astype(np.uint8)):
        _write_image(folder / "ab"[index % 2] / f"{index:02d}.png", image)
    return f"images:{folder}"


def _write_image(path: pathlib.Path, pixels: np.ndarray) -> None:
    tf.io.write_file(str(path), tf.io.encode_png(pixels))


def _streamed(dataset: str, **settings: Any) -> str:
    config = Config(dataset=dataset, max_resident_mb=0, **settings)
    return provenance.data_fingerprint(load_data(config))


def test_fingerprint_in_memory_is_of_the_bytes_described() -> None:
    expected = hashlib.sha256()
    splits = _splits()
    for part, num in SIZES.items():
        split = getattr(splits, part)
        header = (
            f'{{"part": "{part}", "shape": [{num}, 2, 3, 1], "divisor": 1.0, '
            '"dequantized": false}'
        )
        for piece in (
            header.encode(), b"float32", split.x.tobytes(), b"int64",
            split.y.tobytes(),
        ):  # fmt: skip
            expected.update(len(piece).to_bytes(8, "little") + piece)
    assert provenance.data_fingerprint(splits) == expected.hexdigest()


def test_fingerprint_does_not_depend_on_how_memory_is_laid_out() -> None:
    expected = provenance.data_fingerprint(_splits())
    assert provenance.data_fingerprint(_splits(">f4")) == expected
    x = np.asfortranarray(_splits().train.x)
    other = _with_part(_splits(), "train", x=x)
    assert provenance.data_fingerprint(other) == expected


@pytest.mark.parametrize("part", SIZES)
def test_fingerprint_sees_every_value_label_and_range(part: str) -> None:
    splits = _splits()
    split = getattr(splits, part)
    pixel = split.x.copy()
    pixel[-1, -1, -1, -1] += 2.0**-10
    changed = [
        splits,
        _with_part(splits, part, x=pixel),
        _with_part(splits, part, x=split.x[::-1], y=split.y[::-1]),
        _with_part(splits, part, x=split.x.astype(np.float16)),
        _with_part(splits, part, y=None),
        _with_part(splits, part, divisor=255.0),
        _with_part(splits, part, dequantized=True),
        _splits(**{part: 4}),
    ]
    found = {provenance.data_fingerprint(each) for each in changed}
    assert len(found) == len(changed)


def test_streamed_fingerprint_is_of_the_files_wherever_they_lie(
    tmp_path: pathlib.Path,
) -> None:
    dataset = _write_images(tmp_path / "here")
    there = tmp_path / "elsewhere" / "copy"
    shutil.copytree(tmp_path / "here", there)
    expected = _streamed(dataset)
    assert _streamed(f"images:{there}") == expected
    path = there / "a" / "10.png"
    pixels = tf.io.decode_png(path.read_bytes()).numpy()
    pixels[-1, -1, -1] ^= 1
    _write_image(path, pixels)
    pixel = _streamed(f"images:{there}")
    drawn = _streamed(dataset, binarize="static")
    (tmp_path / "here" / "a").rename(tmp_path / "here" / "c")
    labels = _streamed(dataset)
    assert len({expected, pixel, drawn, labels}) == 4


def test_streamed_fingerprint_counts_each_record(
    tmp_path: pathlib.Path,
) -> None:
    elements = [b"ab", b"c"], [b"a", b"bc"], [b"ab", b"c"]
    found = []
    for records in elements:
        split = StreamSplit(
            tf.data.Dataset.from_tensor_slices(records),
            lambda record: (tf.zeros(SHAPE), -1),
            len(records), 255.0, shuffle_buffer=3,
        )  # fmt: skip
        spec = DataSpec(SHAPE, None, "unit")
        found.append(
            provenance.data_fingerprint(Splits(split, split, split, spec))
        )
    assert found[0] == found[2] != found[1]


def _git(root: pathlib.Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), "-c", "user.name=n", "-c",
               "user.email=e@example.com", *arguments]  # fmt: skip
    return subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    """Returns a checkout of one commit, with a tag."""
    if not shutil.which("git"):
        pytest.skip("needs git")
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "a.txt").write_text("one")
    _git(root, "init", "-q")
    _git(root, "add", "a.txt")
    _git(root, "commit", "-q", "-m", "first")
    _git(root, "tag", "-a", "v1", "-m", "v1")
    return root


def test_commit_is_the_checkout_s(checkout: pathlib.Path) -> None:
    head = _git(checkout, "rev-parse", "HEAD")
    assert len(head) == 40
    assert provenance.git_commit(str(checkout)) == head
    (checkout / "untracked.txt").write_text("two")
    assert provenance.git_commit(str(checkout)) == head
    (checkout / "a.txt").write_text("three")
    assert provenance.git_commit(str(checkout)) == f"{head}-dirty"


def test_commit_of_a_linked_worktree(checkout: pathlib.Path) -> None:
    other = checkout.parent / "other"
    _git(checkout, "worktree", "add", "-q", str(other))
    head = _git(checkout, "rev-parse", "HEAD")
    assert provenance.git_commit(str(other)) == head


def test_commit_is_not_that_of_a_project_around(checkout: pathlib.Path) -> None:
    installed = checkout / "site-packages"
    installed.mkdir()
    assert provenance.git_commit(str(installed)) is None


def test_environment_does_not_lead_git_elsewhere(
    checkout: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = _git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(checkout.parent / "nowhere"))
    assert provenance.git_commit(str(checkout)) == head


def test_commit_is_none_where_git_fails_stalls_or_is_not_there(
    checkout: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    assert provenance.git_commit(str(checkout)) is None  # not there
    git = programs / "git"
    stalling = "import time; time.sleep(5); print('late')"
    git.write_text(f"#!{sys.executable}\n{stalling}")
    git.chmod(0o755)
    monkeypatch.setattr(provenance, "GIT_SECONDS", 0.2)
    assert provenance.git_commit(str(checkout)) is None
    monkeypatch.undo()
    (checkout / ".git" / "HEAD").write_text("nonsense")
    assert provenance.git_commit(str(checkout)) is None


def test_versions_are_the_ones_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        provenance, "PACKAGES", (*provenance.PACKAGES, "no-such-package")
    )
    found = provenance.versions()
    assert found["tensorflow"] == tf.__version__
    assert found["numpy"] == np.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert platform.machine() in found["platform"]
    cores, _, sets = found["cpu"].partition(" x ")
    assert int(cores) == len(os.sched_getaffinity(0))
    assert sets.split() == _simd_found()
    assert "no-such-package" not in found
    assert all(isinstance(version, str) for version in found.values())


def _simd_found() -> list[str]:
    return np.show_config(mode="dicts")["SIMD Extensions"]["found"]


def test_provenance_is_plain_json() -> None:
    with replicas(2).scope():
        model = build_model(SHAPE)
    found = json.loads(json.dumps(provenance.provenance(_splits(), model)))
    arrays = {name: v.numpy() for name, v in weights.variables(model).items()}
    assert found == {
        "versions": provenance.versions(),
        "git_commit": provenance.git_commit(),
        "data_fingerprint": provenance.data_fingerprint(_splits()),
        "weights_sha256": weights.sha256(arrays),
        "num_replicas": 2,
    }


KINDS = {
    "xla_label": ("--jit_compile=on", "--condition=label"),
    "streamed_conv_dynamic": (
        "--max_resident_mb=0", "--architecture=conv", "--filters=3,4",
        "--binarize=dynamic",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_config_json_repeats_a_run_to_the_bit(
    kind: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # They take half the time, and nothing is learned from them.
    monkeypatch.setattr(figures, "make_figures", lambda *_, **__: [])
    dataset = (
        _write_images(tmp_path / "images")
        if "streamed" in kind
        else image_set(tmp_path, num=80)
    )
    first, second = tmp_path / "first", tmp_path / "second"
    flags = (*TINY, *KINDS[kind], f"--dataset={dataset}", f"--run_dir={first}")
    assert train.main(["train", *flags]) == 0
    again = (f"--config={first / 'config.json'}", f"--run_dir={second}")
    assert train.main(["train", *again]) == 0
    assert_same_run(first, second)
    for name in ("config.json", "data.json"):
        assert (first / name).read_text() == (second / name).read_text()
    results = [
        json.loads((path / "result.json").read_text())
        for path in (first, second)
    ]
    for result in results:
        del result["train_seconds"], result["images_per_second"]
    assert results[0] == results[1]
