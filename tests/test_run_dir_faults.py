"""A run folder on any storage, damaged files in it, and writes that fail."""

import errno
import json
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

from tests import small_runs
from tfvae import holding, resolve, storage
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.errors import InputError, MissingRunError, WriteError
from tfvae.learner import Learner
from tfvae.run_dir import Row, RunDir, load_run

SPEC = DataSpec((6,), 3, "unit", levels=4)
SIZES = {"train": 10, "validation": 3, "test": 2}
TINY: dict[str, Any] = small_runs.TINY
ROWS: list[Row] = [{"epoch": n, "loss": 1 / n} for n in (1, 2, 3)]


@pytest.fixture(scope="module")
def model() -> Learner:
    return small_runs.build_model((6,))


def _config() -> Config:
    return resolve.resolve(
        Config(**TINY), SPEC, num_examples=10, num_replicas=1
    )


def _make(path: str, model: Learner) -> RunDir:
    run_dir = RunDir(path)
    run_dir.prepare()
    run_dir.write_config(_config(), SPEC, **SIZES)
    run_dir.write_rows(ROWS)
    run_dir.save_weights(model, "best")
    return run_dir


@pytest.fixture(params=["", "file://", "ram://"])
def path(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path
) -> Iterator[str]:
    path = f"{request.param}{tmp_path}/run"
    yield path
    storage.remove(path)


def test_whole_life_on_any_storage(
    path: str, model: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "SETTLE_SECONDS", 0.0)
    run_dir = _make(path, model)
    with run_dir.hold():
        run_dir.save_figure("curves", Figure())
        run_dir.checkpoints(model).save(3)
        run_dir.write_json("result.json", {"versions": {}, "best_epoch": 2})
    assert storage.names(path) == [
        "checkpoints", "config.json", "data.json", "figures", "metrics.jsonl",
        "result.json", "weights",
    ]  # fmt: skip
    assert storage.read(f"{path}/figures/curves.png").startswith(b"\x89PNG")
    assert RunDir(path).read_rows() == ROWS
    assert RunDir(path).checkpoints(model).newest_whole() == 3
    run = load_run(path)
    assert (run.config, run.spec) == (_config(), SPEC)
    for one, other in zip(run.model.variables, model.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    run_dir.clear()
    run_dir.prepare()
    assert storage.names(path) == []
    run_dir.remove_if_empty()
    assert not storage.exists(path)


def test_who_does_not_write_changes_nothing(
    tmp_path: pathlib.Path, model: Learner
) -> None:
    path = tmp_path / "run"
    quiet = RunDir(str(path), writes=False)
    for _ in range(2):
        quiet.prepare()
        quiet.write_config(_config(), SPEC, **SIZES)
        quiet.write_rows(ROWS[:1])
        quiet.save_weights(model, "last")
        quiet.save_figure("curves", Figure())
        quiet.checkpoints(model).save(1)
        quiet.clear()
        if not path.exists():
            _make(str(path), model)
    assert {entry.name for entry in path.iterdir()} == {
        "config.json", "data.json", "metrics.jsonl", "weights",
    }  # fmt: skip
    assert quiet.read_rows() == ROWS
    assert quiet.holds_run()


TEXTS = [
    b"", b"{", b"[]", b'"a"', b"null", b"{}", b"\xff\xfe", b'{"seed": NaN}',
    b'{"a":' * 50_000, b'{"latent_dim": 1e999, "event_shape": 1e999}',
    b'{"seed": 1' + b"0" * 5000 + b"}", b'{"seed": [], "event_shape": {}}',
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize(
    "name", ["config.json", "data.json", "result.json", "evaluation.json"]
)
def test_damaged_json_is_one_line_that_names_the_file(
    tmp_path: pathlib.Path, name: str, text: bytes
) -> None:
    (tmp_path / name).write_bytes(text)
    run_dir = RunDir(str(tmp_path))
    read: dict[str, Callable[[], Any]] = {
        "config.json": lambda: Config(**run_dir.read_settings()),
        "data.json": run_dir.read_data,
    }
    if (name, text) == ("config.json", b"{}"):  # all settings by default
        assert run_dir.read_settings() == {}
        return
    with pytest.raises(InputError) as caught:
        read.get(name, lambda: run_dir.read_json(name))()
    assert f"{tmp_path}/{name}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "line", [b"{", b"[1]", b'{"epoch": 3, "loss": NaN}', b'{"epoch": 9}',
             b'{"epoch": 3, "loss": "a"}', b"\xff", b"[" * 50_000],
    ids=range(7),
)  # fmt: skip
def test_damaged_row_is_left_out_only_where_it_is_not_needed(
    tmp_path: pathlib.Path, line: bytes
) -> None:
    run_dir = RunDir(str(tmp_path))
    run_dir.write_rows(ROWS)
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"\n".join([*path.read_bytes().splitlines()[:2], line]))
    assert run_dir.read_rows(num_epochs=2) == ROWS[:2]
    with pytest.raises(InputError, match=f"{path}, line 3 ") as caught:
        run_dir.read_rows(num_epochs=3)
    assert "\n" not in str(caught.value)


def test_missing_rows_are_told(tmp_path: pathlib.Path) -> None:
    run_dir = RunDir(str(tmp_path))
    assert run_dir.read_rows() == run_dir.read_rows(num_epochs=1) == []
    with pytest.raises(
        InputError, match=r"metrics\.jsonl holds 0 rows, and the checkpoint is "
        r"of epoch 2; put it back, or start anew with --overwrite\.",
    ):  # fmt: skip
        run_dir.read_rows(num_epochs=2)


def test_weights_that_are_not_the_model_s_are_told(
    tmp_path: pathlib.Path, model: Learner
) -> None:
    run_dir = _make(str(tmp_path), model)
    path = tmp_path / "weights" / "best.npz"
    path.write_bytes(path.read_bytes()[:-30])
    before = [v.numpy().tobytes() for v in model.variables]
    with pytest.raises(
        InputError, match=r"weights/best\.npz is damaged, or of another model: "
        "File is not a zip file; put it back, or take the others of best and",
    ):  # fmt: skip
        run_dir.load_weights(model, "best")
    assert [v.numpy().tobytes() for v in model.variables] == before


def test_path_that_cannot_be_read_is_told(
    tmp_path: pathlib.Path, model: Learner
) -> None:
    run_dir = _make(str(tmp_path), model)
    (tmp_path / "data.json").unlink()
    (tmp_path / "data.json").mkdir()
    with pytest.raises(
        InputError, match=r"data\.json cannot be read: Is a dir"
    ):
        run_dir.read_data()
    with pytest.raises(MissingRunError, match=r"holds no result\.json"):
        run_dir.read_json("result.json")


@pytest.mark.parametrize("method", ["prepare", "holds_run", "is_complete"])
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("no://bucket/run", r"no file system is loaded for no:// \(no://"),
        (
            "gs://bucket/run",
            "gs://bucket/run.* cannot be .*: no answer in 0.05",
        ),
    ],
)
def test_storage_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, method: str, path: str, told: str
) -> None:
    ended = threading.Event()

    def wait(path: str) -> None:
        ended.wait(9)

    monkeypatch.setattr(storage, "ANSWER_SECONDS", 0.05)
    if path.startswith("gs:"):
        monkeypatch.setattr(tf.io.gfile, "exists", wait)
        monkeypatch.setattr(tf.io.gfile, "makedirs", wait)
    with pytest.raises(InputError, match=told):
        getattr(RunDir(path), method)()
    ended.set()


@pytest.mark.parametrize("broken", ["writer", "replace", "make_folder"])
def test_write_that_fails_leaves_the_run_as_it_was(
    tmp_path: pathlib.Path,
    model: Learner,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
) -> None:
    run_dir = _make(str(tmp_path), model)
    run_dir.checkpoints(model).save(3)

    def content() -> dict[str, bytes]:
        files = (p for p in tmp_path.rglob("*") if p.is_file())
        return {str(p): p.read_bytes() for p in files}

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = content()
    monkeypatch.setattr(storage, broken, fail)
    for name, write in {
        "weights": lambda: run_dir.save_weights(model, "best"),
        "metrics.jsonl": lambda: run_dir.write_rows(ROWS[:1]),
        "data.json": lambda: run_dir.write_config(_config(), SPEC, **SIZES),
        "figures": lambda: run_dir.save_figure("a", Figure()),
        "checkpoints": lambda: run_dir.checkpoints(model).save(6),
        "result.json": lambda: run_dir.write_json("result.json", {}),
    }.items():
        with pytest.raises(
            WriteError, match=f"{tmp_path}.* cannot be written: No space left "
        ) as caught:
            write()
        assert name in str(caught.value) or broken == "make_folder"
    assert content() == before
    assert json.loads(storage.read(run_dir.file("config.json")))
