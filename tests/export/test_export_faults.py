"""Whole exports: to a store, and through faults of disk, process and run."""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from export import c_api, integrity, rollout, saved_model
from export.protos import meta_graph_pb2
from tests.export.places import tree
from tests.small_runs import image_set, save_run
from tfvae import holding, storage
from tfvae.errors import FailedError, InputError, WriteError
from tfvae.run_dir import Run

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    return save_run(folder / "colour", dataset=image_set(folder))


def arguments(run_dir: object, export_dir: object, *more: str) -> list[str]:
    return [
        "saved_model.py", f"--run_dir={run_dir}", f"--export_dir={export_dir}",
        "--parts=decoder", *more,
    ]  # fmt: skip


def decode(folder: str, z: np.ndarray) -> np.ndarray:
    session = c_api.Session(folder)
    graph = meta_graph_pb2.MetaGraphDef.FromString(session.meta_graph)
    signature = graph.signature_def["decode"]
    (x,) = session.run(
        {signature.inputs["z"].name: z}, [signature.outputs["x"].name]
    )
    return x


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["file", "ram"])
def test_export_to_a_store_is_served_from_there(
    tmp_path: pathlib.Path,
    run: Run,
    scheme: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(holding, "SETTLE_SECONDS", 0.0)
    place = f"{scheme}://{tmp_path}"
    assert saved_model.main(arguments(run.run_dir, place)) == 0
    assert f"published: {place}/decoder/1\n" in capsys.readouterr().out
    folder = f"{place}/decoder/1"
    assert tree(folder) == {
        "saved_model.pb", "fingerprint.pb", "batching_params.pbtxt",
        "variables/variables.index", "variables/variables.data-00000-of-00001",
        "assets.extra/tfvae.json", "assets.extra/tf_serving_warmup_requests",
    }  # fmt: skip
    manifest = json.loads(storage.read(f"{folder}/{integrity.MANIFEST}"))
    assert manifest["files"] == integrity.sums(folder)
    assert len(manifest["files"]) == 3
    z = np.random.default_rng(0).normal(size=[5, 4]).astype(np.float32)
    expected = run.model.decode(z, {}).mean()
    np.testing.assert_allclose(decode(folder, z), expected, atol=1e-5)
    with storage.writer(f"{folder}/saved_model.pb") as file:
        file.write(b"cut")
    with pytest.raises(FailedError, match=r"decoder/1 is not what was publish"):
        integrity.check(folder)
    assert rollout.main(["rollout.py", "status", f"--export_dir={place}"]) == 0
    assert "decoder: canary 1, stable 1\n" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("most_bytes", [100, 20_000])
def test_file_that_cannot_grow_is_one_line(
    tmp_path: pathlib.Path, run: Run, most_bytes: int
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        with pytest.raises(
            WriteError,
            match=r"cannot be written: .*File too large.*; what was saved befo",
        ) as told:
            saved_model.main(arguments(run.run_dir, tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(told.value)
    assert tree(str(tmp_path)) == set()


@pytest.mark.slow
def test_run_that_vanishes_once_it_is_loaded_is_exported(
    tmp_path: pathlib.Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes after the publication cannot be written at first."""
    copy = tmp_path / "copy"
    shutil.copytree(run.run_dir.path, copy)
    held_out = saved_model._held_out

    def removing(*given: object) -> object:
        shutil.rmtree(copy)
        return held_out(*given)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "models.config")

    monkeypatch.setattr(saved_model, "_held_out", removing)
    monkeypatch.setattr("export.serving_config.write", full)
    with pytest.raises(
        FailedError, match=r"^version 1 was published, but not .*No space left"
    ):
        saved_model.main(arguments(copy, tmp_path / "E"))
    assert os.listdir(tmp_path / "E" / "decoder") == ["1"]


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_damaged_run_is_one_line(
    tmp_path: pathlib.Path, run: Run, kept: float
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.run_dir.path, copy)
    weights = copy / "weights" / "best.npz"
    content = weights.read_bytes()
    weights.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match=r"best\.npz"):
        saved_model.main(arguments(copy, tmp_path / "E"))
    assert not (tmp_path / "E").exists()


def test_damaged_export_is_told_before_anything_is_done(
    tmp_path: pathlib.Path, run: Run
) -> None:
    (tmp_path / "models.config").write_text("model_config_list {")
    with pytest.raises(InputError, match=r"is no ModelServerConfig"):
        saved_model.main(arguments(run.run_dir, tmp_path))
    assert os.listdir(tmp_path) == ["models.config"]


@pytest.mark.slow
def test_sigterm_ends_an_export_with_one_line_and_nothing_left(
    tmp_path: pathlib.Path, run: Run
) -> None:
    process = subprocess.Popen(
        [
            sys.executable, "-m", "export.saved_model",
            *arguments(run.run_dir, tmp_path)[1:],
        ],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not list(tmp_path.glob("decoder/.staging-*/variables")):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (143, "")
    assert errors == (
        "saved_model.py: stopped; only what stands above was published.\n"
    )
    assert tree(str(tmp_path)) == set()
