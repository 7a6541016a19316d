"""Wrong input: exit status 2, one line that says what to do, no traceback."""

import json
import pathlib
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tfvae import program, train

ROOT = pathlib.Path(__file__).parents[1]
QUICK = ["--dataset=digits", "--hidden_units=4", "--epochs=1"]


def refusal(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> str:
    """Runs train; returns its one line on stderr."""
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    with pytest.raises(SystemExit) as end:
        program.run_main(train.main)
    captured = capfd.readouterr()
    assert end.value.code == 2
    assert captured.out == ""
    lines = captured.err.split("\n")
    assert len(lines) == 2
    assert lines[1] == ""
    assert lines[0].startswith("train.py: ")
    return lines[0].removeprefix("train.py: ")


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
):
    """Function: arguments to the line; the run folder is left as it was."""

    def run(*arguments: str) -> str:
        run_dir = tmp_path / "run"
        before = run_dir.exists(), sorted(run_dir.rglob("*"))
        line = refusal([f"--run_dir={run_dir}", *arguments], monkeypatch, capfd)
        assert (run_dir.exists(), sorted(run_dir.rglob("*"))) == before
        return line

    return run


def npz(folder: pathlib.Path, **arrays: np.ndarray) -> str:
    np.savez(folder / "data.npz", **arrays)
    return f"--dataset=npz:{folder / 'data.npz'}"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--epoch=3"], "unknown flag `epoch`; did you mean `epochs`?"),
        (["epochs=3"], "unexpected argument 'epochs=3'; settings are given as"),
        (
            ["--likelihood=gausian"],
            "`likelihood` must be auto, gaussian, bernoulli, ",
        ),
        (
            ["--latent_dim=0"],
            "`latent_dim` must be a whole number of at least 1 and at most ",
        ),
        (["--latent_dim=two"], "`latent_dim` must be a whole number of at "),
        (
            ["--C=0"],
            "`C` must be auto, learned, optimal, per_pixel or a number of at ",
        ),
        (
            ["--C=2", "--beta=2"],
            "`beta` and `C` are one setting (C = 1 / beta)",
        ),
        (
            ["--strategy=all"],
            "`strategy` must be one_device, mirrored or multi_worker;",
        ),
        (["--kl_schedule=linear:31"], "`kl_schedule` must end within the run"),
    ],
)
def test_wrong_flag_value(
    arguments: list[str], line: str, refused: Callable[..., str]
) -> None:
    assert refused(*arguments).startswith(line)


def test_batch_smaller_than_replicas(refused: Callable[..., str]) -> None:
    line = refused(*QUICK, "--strategy=mirrored", "--batch_size=3")
    assert line == (
        "`batch_size` is global and must be at least the number of "
        "replicas, 4; got 3."
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--architecture=conv"],
            "`architecture`=conv needs images; `dataset`",
        ),
        (["--likelihood=bernoulli"], "`likelihood`=bernoulli needs data in [0"),
        (["--binarize=static"], "`binarize` needs data in [0, 1]; `dataset` r"),
        (["--image_size=7"], "`dataset` ring holds vectors; --image_size and"),
    ],
)
def test_settings_that_do_not_fit_the_data(
    arguments: list[str], line: str, refused: Callable[..., str]
) -> None:
    assert refused("--dataset=ring", *arguments).startswith(line)


def test_missing_npz_file(
    tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    path = tmp_path / "none.npz"
    line = refused(f"--dataset=npz:{path}")
    assert line == f"`dataset` npz:{path}: No such file or directory."


def test_npz_without_x(
    tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    line = refused(npz(tmp_path, images=np.zeros([9, 6, 5])))
    assert "must hold `x`, or `x_train` and `x_test`; got images." in line


def test_nan_in_the_data(
    tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    x = np.full([20, 6, 5], 0.5)
    x[7, 2, 3] = np.nan
    line = refused(npz(tmp_path, x=x))
    assert "holds NaN or infinity (in 1 of 1" in line
    assert line.endswith("remove or replace them.")


def test_empty_image_folder(
    tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    line = refused(f"--dataset=images:{folder}")
    assert line == f"`dataset` images:{folder} holds no PNG or JPEG file."


def write_images(folder: pathlib.Path, broken: str) -> None:
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name in ("a.png", "b.png", "c.png", "d.png"):
        x = rng.integers(0, 256, [20, 30, 3], np.uint8)
        content = tf.io.encode_png(x).numpy()
        if name == broken:
            content = content[: len(content) // 2]
        (folder / name).write_bytes(content)


def test_corrupt_png_is_named(
    tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    write_images(tmp_path / "images", broken="c.png")
    line = refused(f"--dataset=images:{tmp_path / 'images'}")
    assert line.startswith(f"cannot read the image {tmp_path}/images/c.png: ")
    assert line.endswith("; remove or replace the file.")


def test_unknown_tfds_name(
    tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    line = refused("--dataset=mnits", f"--data_dir={tmp_path}")
    assert line.startswith("`dataset` 'mnits' is no data set of tfvae or TFDS;")


def test_tfds_set_not_prepared_and_no_network(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: Callable[..., str],
) -> None:
    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    line = refused("--dataset=cifar10", f"--data_dir={tmp_path}")
    assert line == (
        f"`dataset` cifar10 is not prepared in {tmp_path} and could not be "
        "downloaded (no network); give the --data_dir that holds it, or "
        "connect to a network."
    )


def test_unwritable_run_folder(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        line = refusal([*QUICK, f"--run_dir={path}"], monkeypatch, capfd)
        assert line.startswith(f"`run_dir` {path} cannot be written: ")
        assert line.endswith("; give another.")


def test_folder_that_holds_other_files(
    tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("mine")
    line = refused(*QUICK)
    assert "holds files that are no run (thesis.tex); give an empty or" in line
    assert (tmp_path / "run" / "thesis.tex").read_text() == "mine"
    assert "thesis.tex" in refused(*QUICK, "--overwrite")


def start_run(run_dir: pathlib.Path, **settings) -> None:
    run_dir.mkdir()
    (run_dir / "config.json").write_text(json.dumps(settings))


def test_run_folder_of_another_configuration(
    tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    start_run(tmp_path / "run", dataset="digits", latent_dim=5, seed=3)
    line = refused("--latent_dim=7", "--jit_compile=off")
    assert line.startswith(f"`run_dir` {tmp_path}/run holds a run of another ")
    assert "latent_dim=5 there, 7 asked for" in line
    assert "seed" not in line
    assert "jit_compile" not in line
    assert line.endswith("give another folder, or --overwrite to start anew.")


@pytest.mark.parametrize(
    "argument",
    ["--dataset=npz:none.npz", "--dataset=mnits", "--likelihood=other"],
)
def test_wrong_input_with_overwrite_leaves_the_run_that_is_there(
    argument: str, tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    start_run(tmp_path / "run", dataset="digits")
    (tmp_path / "run" / "weights").mkdir()
    (tmp_path / "run" / "weights" / "best.npz").write_text("dear")
    refused("--overwrite", argument)  # which compares the folder's files
    assert (tmp_path / "run" / "weights" / "best.npz").read_text() == "dear"


CONFIGS = pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{"latent_dmi": 3}', "`latent_dmi`; did you mean `latent_dim`?"),
        ('{"latent_dim": "3"}', "`latent_dim` must be a whole number of at"),
        (
            '{"C": null}',
            "`C` must be auto, learned, optimal, per_pixel or a number",
        ),
        ('{"epochs": 3', "is not JSON: "),
        ("[]", "must hold one JSON object."),
    ],
)


@CONFIGS
def test_wrong_config_file(
    content: str, line: str, tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    path = tmp_path / "my.json"
    path.write_text(content)
    told = refused(f"--config={path}")
    assert line in told
    assert str(path) in told


@CONFIGS
def test_wrong_config_in_the_run_folder(
    content: str, line: str, tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    start_run(tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text(content)
    told = refused()
    assert line in told
    assert f"{tmp_path}/run/config.json" in told


def test_missing_config_file(
    tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    path = tmp_path / "none.json"
    line = refused(f"--config={path}")
    assert line == f"`config` {path}: No such file or directory."


def test_more_devices_asked_for_after_tensorflow_began(
    refused: Callable[..., str],
) -> None:
    tf.constant(0)
    line = refused(*QUICK, "--num_virtual_devices=3")
    assert line.startswith("`num_virtual_devices`=3 comes too late: ")


@pytest.mark.parametrize(
    "kind",
    [
        "latent_dim",
        *(pytest.param(k, marks=pytest.mark.slow) for k in ("npz", "png")),
    ],
)
def test_program_ends_with_status_2_and_one_line(
    kind: str, tmp_path: pathlib.Path
) -> None:
    write_images(tmp_path / "images", broken="b.png")
    argument, told = {
        "latent_dim": ("--latent_dim=0", "`latent_dim` must be a whole number"),
        "npz": (f"--dataset=npz:{tmp_path}/no.npz", "no.npz: No such file or"),
        "png": (f"--dataset=images:{tmp_path}/images", "images/b.png: "),
    }[kind]
    done = subprocess.run(
        [sys.executable, "-m", "tfvae.train", argument,
         f"--run_dir={tmp_path}/run"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("train.py: ")
    assert told in done.stderr
