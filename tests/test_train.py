"""python -m tfvae.train, called in process on the embedded digits."""

import json
import math
import pathlib

import numpy as np
import pytest

from tests.runs import assert_same_run, rows_of
from tests.tiny_train import NUM_TRAIN, TINY, train
from tfvae.config import Config
from tfvae.data.load import load_data
from tfvae.errors import InputError, TrainingError
from tfvae.run_dir import load_run

TERMS = {"loss", "elbo", "log_likelihood", "kl"}
ROW_KEYS = (
    {"epoch", "C", "learning_rate", "seconds", "images_per_second", "val_mse"}
    | TERMS
    | {f"val_{name}" for name in TERMS}
)


def _mse_of_best(run_dir: pathlib.Path) -> float:
    """Returns what the best weights make of the test digits."""
    run = load_run(str(run_dir), which="best")
    x = load_data(run.config).test.x.astype(np.float32) / 16
    return float(np.mean(np.square(x - run.model.reconstruct(x).numpy())))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Folder of a run that nothing disturbed."""
    path = tmp_path_factory.mktemp("runs") / "finished"
    assert train(path, *TINY) == 0
    return path


def test_run_folder_holds_the_files_of_the_contract(
    finished: pathlib.Path,
) -> None:
    assert {entry.name for entry in finished.iterdir()} == {
        "config.json", "data.json", "metrics.jsonl", "result.json", "weights",
        "checkpoints", "figures", "tensorboard",
    }  # fmt: skip
    assert {entry.name for entry in (finished / "weights").iterdir()} == {
        "best.npz",
        "last.npz",
    }
    assert {entry.name for entry in (finished / "figures").iterdir()} == {
        "curves.png", "latent_map.png", "manifold.png", "reconstructions.png",
        "samples.png",
    }  # fmt: skip
    assert list((finished / "tensorboard").rglob("events.*"))


def test_no_partial_file_is_left(finished: pathlib.Path) -> None:
    names = [entry.name for entry in finished.rglob("*")]
    assert not [name for name in names if "partial" in name]


def test_config_json_is_resolved_and_complete(finished: pathlib.Path) -> None:
    content = json.loads((finished / "config.json").read_text())
    assert "auto" not in content.values()
    assert set(content) == set(Config.__dataclass_fields__)
    assert (content["architecture"], content["C"]) == ("mlp", "optimal")
    assert (content["epochs"], content["latent_dim"]) == (3, 2)


def test_metrics_hold_one_row_an_epoch(finished: pathlib.Path) -> None:
    lines = (finished / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert set(row) == ROW_KEYS
        assert all(math.isfinite(value) for value in row.values())
        assert row["elbo"] == pytest.approx(
            row["log_likelihood"] - row["kl"], rel=1e-5
        )
        assert row["images_per_second"] == pytest.approx(
            NUM_TRAIN / row["seconds"], rel=1e-9
        )
    # cosine from 1e-3 to 0 over 12 steps; an epoch's last is step 3, 7, 11
    assert [row["learning_rate"] for row in rows] == pytest.approx(
        [1e-3 * (1 + math.cos(math.pi * n / 12)) / 2 for n in (3, 7, 11)],
        rel=1e-5,
    )


def test_result_json_tells_the_run(finished: pathlib.Path) -> None:
    result = json.loads((finished / "result.json").read_text())
    assert set(result) == {
        "test", "C", "latent_dim", "num_parameters", "epochs", "best_epoch",
        "seed", "dataset", "images_per_second", "train_seconds", "versions",
        "git_commit", "data_fingerprint", "weights_sha256", "num_replicas",
    }  # fmt: skip
    assert set(result["test"]) == TERMS | {"mse"}
    # 64 x 8 + 8, two heads 8 x 2 + 2, 2 x 8 + 8, 8 x 64 + 64
    assert result["num_parameters"] == 520 + 36 + 24 + 576
    assert (result["epochs"], result["seed"]) == (3, 0)
    lines = (finished / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert result["train_seconds"] == pytest.approx(
        sum(row["seconds"] for row in rows)
    )
    best = max(rows, key=lambda row: row["val_elbo"])
    assert result["best_epoch"] == best["epoch"]
    assert result["C"] == pytest.approx(best["C"], rel=1e-6)
    assert {"tensorflow", "tf_keras", "python"} <= set(result["versions"])


def test_last_line_names_folder_and_next_command(
    finished: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_dir = tmp_path / "again"
    assert train(run_dir, f"--config={finished}/config.json") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert str(run_dir) in last
    assert f"next: python -m tfvae.evaluate --run_dir={run_dir}" in last
    # --config gives the same settings, and equal settings the same run
    assert_same_run(finished, run_dir)
    content = (run_dir / "config.json").read_text()
    assert content == (finished / "config.json").read_text()


@pytest.mark.slow
def test_flags_win_over_config(
    finished: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    config = f"--config={finished}/config.json"
    assert train(tmp_path / "run", config, "--epochs=1", "--seed=7") == 0
    content = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (content["epochs"], content["seed"]) == (1, 7)
    assert content["hidden_units"] == [8]
    assert rows_of(tmp_path / "run")[0] != rows_of(finished)[0]


def test_complete_run_is_left_as_it_is(
    finished: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (finished / "result.json").read_bytes()
    assert train(finished) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 1
    assert f"the run is complete: {finished}" in out[0]
    assert "next: " in out[0]
    assert (finished / "result.json").read_bytes() == before


def test_run_of_other_settings_is_refused(finished: pathlib.Path) -> None:
    with pytest.raises(
        InputError,
        match=r"holds a run of another configuration \(latent_dim=2 there, 3 "
        r"asked for\); give another folder, or --overwrite",
    ):
        train(finished, "--latent_dim=3")


def test_result_is_of_the_test_set(finished: pathlib.Path) -> None:
    result = json.loads((finished / "result.json").read_text())
    assert result["test"]["mse"] == pytest.approx(
        _mse_of_best(finished), rel=1e-5
    )


@pytest.mark.slow
def test_overwrite_starts_anew(
    finished: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = (*TINY, "--epochs=1", "--seed=5")
    assert train(tmp_path, *flags) == 0
    assert train(tmp_path, *TINY, "--overwrite") == 0
    assert_same_run(finished, tmp_path)


@pytest.mark.slow
def test_early_stopping_ends_the_run_and_stays_ended(
    tmp_path: pathlib.Path,
) -> None:
    # The step size is so large that no epoch betters the first for long.
    flags = (*TINY, "--epochs=30", "--early_stopping=2", "--learning_rate=0.3")
    assert train(tmp_path, *flags) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["epochs"] == result["best_epoch"] + 2 < 30
    rows = rows_of(tmp_path)
    values = [row["val_elbo"] for row in rows]
    assert int(np.argmax(values)) + 1 == result["best_epoch"]
    assert result["test"]["mse"] == pytest.approx(
        _mse_of_best(tmp_path), rel=1e-5
    )
    (tmp_path / "result.json").unlink()  # as if killed while finishing
    assert train(tmp_path) == 0
    assert rows_of(tmp_path) == rows


def test_fault_stops_training_and_names_quantity_and_step(
    tmp_path: pathlib.Path,
) -> None:
    flags = (*TINY, "--optimizer=sgd", "--learning_rate=1e6", "--C=1e9")
    with pytest.raises(
        TrainingError,
        match=r"(log_likelihood|kl|loss|gradient) is not finite at step \d+ "
        r"\(epoch 1\); no epoch was finished; try a lower --learning_rate",
    ):
        train(tmp_path, *flags)
