"""python -m tfvae.generate: files of every mode, and what is refused."""

import errno
import io
import pathlib
import subprocess
import sys
from typing import IO

import numpy as np
import pytest
from PIL import Image

from tests.small_runs import image_set, save_run
from tfvae import generate, plots, program, train
from tfvae.errors import InputError
from tfvae.generation import archive
from tfvae.run_dir import Run, load_run

IMAGE = (9, 7, 3)
# Arrays of each mode: the run it needs, what it is given, and their shapes.
ARRAYS: dict[str, tuple[str, list[str], dict[str, tuple[int, ...]]]] = {
    "sample": ("trained", ["--num=5"], {"x": (5, *IMAGE), "z": (5, 2)}),
    "reconstruct": (
        "trained", ["--indices=4,0,7"],
        {"x": (3, *IMAGE), "z": (3, 2), "image": (3, *IMAGE)},
    ),
    "interpolate": (
        "trained", ["--indices=4,0,7,1", "--steps=5"],
        {
            "x": (10, *IMAGE), "z": (10, 2), "x_from": (2, *IMAGE),
            "x_to": (2, *IMAGE),
        },
    ),
    "traverse": (
        "trained", ["--steps=5"],
        {"x": (10, *IMAGE), "z": (10, 2), "dims": (2,), "values": (5,)},
    ),
    "manifold": (
        "trained", ["--steps=3"], {"x": (9, *IMAGE), "z": (9, 2)},
    ),
    "inpaint": (
        "mask", ["--indices=4,0,7", "--num=2"],
        {
            "x": (6, *IMAGE), "z": (6, 4), "image": (3, *IMAGE),
            "mask": (3, 9, 7, 1), "completions": (3, 2, *IMAGE),
        },
    ),
    "arithmetic": (
        "label", ["--plus=0", "--minus=1", "--indices=4", "--strengths=-1,2"],
        {
            "x": (2, *IMAGE), "z": (2, 4), "label": (2,), "image": (1, *IMAGE),
            "direction": (4,), "strengths": (2,),
        },
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A trained run of colour images with two latents, and small others."""
    folder = tmp_path_factory.mktemp("runs")
    dataset = image_set(folder)
    trained = ["train", f"--run_dir={folder / 'trained'}", "--epochs=1",
               f"--dataset={dataset}", "--hidden_units=6", "--latent_dim=2",
               "--jit_compile=off"]  # fmt: skip
    assert train.main(trained) == 0
    return {
        "trained": load_run(str(folder / "trained")),
        "label": save_run(folder / "label", dataset=dataset, condition="label"),
        "mask": save_run(folder / "mask", dataset=dataset, condition="mask"),
        "ae": save_run(folder / "ae", dataset=dataset, model="ae"),
        "vectors": save_run(
            folder / "vectors", dataset="linear_gaussian", latent_dim=2
        ),
    }


def run(run: Run, *arguments: str) -> int:
    argv = ["generate.py", *arguments, f"--run_dir={run.run_dir}"]
    return generate.main(argv)


def arrays_in(path: pathlib.Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("mode", list(ARRAYS))
def test_every_mode_writes_a_picture_and_its_arrays(
    mode: str, runs: dict[str, Run], tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    name, given, shapes = ARRAYS[mode]
    out = tmp_path / "new" / "a.png"
    assert run(runs[name], mode, *given, f"--out={out}") == 0
    assert capsys.readouterr().out == (
        f"written: {out.with_suffix('.npz')}\nwritten: {out}\n"
    )
    assert sorted(out.parent.iterdir()) == [out.with_suffix(".npz"), out]
    arrays = arrays_in(out.with_suffix(".npz"))
    assert {key: value.shape for key, value in arrays.items()} == shapes
    assert all(np.isfinite(value).all() for value in arrays.values())
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 200
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 100


def test_equal_commands_write_equal_files(
    runs: dict[str, Run], tmp_path: pathlib.Path
) -> None:
    given = ["traverse", "--steps=3", "--shown=draw"]
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        out = tmp_path / f"{name}.gif"
        run(runs["trained"], *given, f"--seed={seed}", f"--out={out}")
    run(runs["trained"], *given, f"--out={tmp_path}/a.png")
    arrays = (tmp_path / "a.npz").read_bytes()
    picture = (tmp_path / "a.png").read_bytes()
    run(runs["trained"], *given, f"--out={tmp_path}/a.png")
    assert (tmp_path / "a.png").read_bytes() == picture
    for ending in ("npz", "gif"):
        a, b, c = ((tmp_path / f"{n}.{ending}").read_bytes() for n in "abc")
        assert a == b
        assert a != c
    assert (tmp_path / "b.npz").read_bytes() == arrays


def test_picture_shows_what_was_made(
    runs: dict[str, Run], tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    shown = []
    original = plots.labelled_rows
    monkeypatch.setattr(
        plots, "labelled_rows", lambda *a: (shown.append(a), original(*a))[1]
    )
    run(runs["label"], "sample", "--shown=draw", f"--out={tmp_path}/a.png")
    ((x, title, row_labels, column_labels),) = shown
    assert x.shape == (3, 22, *IMAGE)
    assert title == "sample: a draw of p(x|z), z ~ p(z)"
    assert row_labels == ("class 0", "class 1", "class 2")
    assert column_labels == ()


@pytest.mark.parametrize(
    ("mode", "given"),
    [("interpolate", ["--indices=1,2,3,4,5,6"]), ("traverse", [])],
)
def test_animation_runs_there_and_back(
    mode: str, given: list[str], runs: dict[str, Run], tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    shown = []
    original = plots.gif_bytes
    monkeypatch.setattr(
        plots, "gif_bytes", lambda *a: (shown.append(a), original(*a))[1]
    )
    out = tmp_path / "a.gif"
    run(runs["trained"], mode, *given, "--steps=4", f"--out={out}")
    ((frames, num_columns, title),) = shown
    num_rows = 3 if mode == "interpolate" else 2
    assert frames.shape == (4, num_rows, *IMAGE)
    assert num_columns == 2
    assert title.startswith(f"{mode}: mean of p(x|z)")
    x = arrays_in(tmp_path / "a.npz")["x"].reshape(num_rows, 4, *IMAGE)
    np.testing.assert_array_equal(frames[3, 1], x[1, 3])
    with Image.open(out) as picture:
        assert picture.format == "GIF"
        assert picture.n_frames == 6
    run(runs["trained"], mode, *given, f"--out={out}")
    with Image.open(out) as picture:
        assert picture.n_frames == 58  # of 30 there and back


@pytest.mark.parametrize(
    ("mode", "given", "num"),
    [
        ("sample", ["--num=1500", "--shown=draw"], 1500),
        ("reconstruct", ["--num=7"], 7),
        ("interpolate", ["--indices=1,2"], 9),
        ("traverse", [], 18),
        ("manifold", ["--steps=3"], 9),
    ],
)
def test_vectors_go_into_arrays_but_into_no_picture(
    mode: str, given: list[str], num: int, runs: dict[str, Run],
    tmp_path: pathlib.Path,
) -> None:  # fmt: skip
    assert run(runs["vectors"], mode, *given, f"--out={tmp_path}/a.npz") == 0
    arrays = arrays_in(tmp_path / "a.npz")
    assert arrays["x"].shape == (num, 8)
    assert arrays["z"].shape == (num, 2)
    assert len(list(tmp_path.iterdir())) == 1
    if "--num=1500" not in given:
        with pytest.raises(InputError, match="vectors, of which there is no "):
            run(runs["vectors"], mode, *given, f"--out={tmp_path}/b.png")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("trained", [], "`mode` is missing: it must be sample, reconstruct,"),
        ("trained", ["smple"], "`mode` must be sample, reconstruct, interpol"),
        ("trained", ["sample", "more"], "unexpected argument 'more'"),
        ("trained", ["sample", "--sede=1"], "unknown flag `sede`; did you mea"),
        ("trained", ["sample", "--dims=1"], "`dims` is of no use to sample, "),
        ("trained", ["sample", "--label=1"], "`label` needs a run that was "),
        ("label", ["sample", "--label=3"], "`label` must be from 0 to 2, a "),
        ("trained", ["traverse", "--dims=2"], "`dims` must be from 0 to 1, "),
        ("trained", ["reconstruct", "--indices=20"], "`indices` must be from "),
        ("trained", ["reconstruct", "--images=no.png"], "cannot read the imag"),
        ("trained", ["inpaint"], "`inpaint` needs a run that was trained with"),
        ("mask", ["sample"], "`sample` shows no image to complete, for which"),
        ("mask", ["inpaint", "--mask=oval"], "`mask` must be one of halves, "),
        ("ae", ["sample"], "`sample` draws from a prior, which an autoencoder"),
        ("ae", ["manifold"], "`manifold` draws from a prior, which an autoenc"),
        ("label", ["manifold"], "`manifold` shows the plane of two latents; "),
        ("trained", ["arithmetic"], "`plus` must be a class of the run's data"),
    ],
)  # fmt: skip
def test_wrong_input_leaves_no_file(
    name: str, arguments: list[str], message: str, runs: dict[str, Run],
    tmp_path: pathlib.Path,
) -> None:  # fmt: skip
    with pytest.raises(InputError) as refused:
        run(runs[name], *arguments, f"--out={tmp_path}/new/a.png")
    assert str(refused.value).startswith(message)
    assert not list(tmp_path.iterdir())


def test_run_folder_must_be_given_and_hold_a_run(
    tmp_path: pathlib.Path,
) -> None:
    argv = ["generate.py", "sample", f"--out={tmp_path}/a.png"]
    with pytest.raises(InputError, match="`run_dir` must name the folder of a"):
        generate.main(argv)
    with pytest.raises(InputError, match="holds no run"):
        generate.main([*argv, f"--run_dir={tmp_path}"])
    with pytest.raises(InputError, match="holds no last weights yet"):
        run(
            save_run(tmp_path / "run", dataset="ring"), *argv[1:],
            "--weights=last",
        )  # fmt: skip


def test_path_that_cannot_be_written_is_refused_before_anything_is_computed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.png").mkdir()

    def refusal(out: pathlib.Path) -> str:
        argv = ["generate.py", "sample", f"--out={out}", "--run_dir=none"]
        with pytest.raises(InputError) as refused:
            generate.main(argv)
        return str(refused.value)

    for out, reason in (
        (tmp_path / "file" / "a.png", f"{tmp_path}/file is no folder"),
        (tmp_path / "file" / "b" / "a.png", f"{tmp_path}/file is no folder"),
        (tmp_path / "folder.png", "it is a folder"),
    ):
        line = f"`out` {out} cannot be written: {reason}; give another."
        assert refusal(out) == line
    monkeypatch.setattr(generate.os, "access", lambda *_: False)
    assert f"{tmp_path} is read-only" in refusal(tmp_path / "new" / "a.png")
    assert (tmp_path / "file").read_text() == "in the way"


def test_full_disk_is_one_line_and_leaves_nothing(
    runs: dict[str, Run], tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fill_the_disk(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", fill_the_disk)
    monkeypatch.setattr(archive, "write", fill_the_disk)
    out = tmp_path / "a.npz"
    for mode in ("sample", "traverse"):
        with pytest.raises(InputError) as refused:
            run(runs["trained"], mode, f"--out={out}")
        assert str(refused.value) == (
            f"`out` {out} cannot be written: No space left on device; give "
            "another."
        )
        assert list(tmp_path.iterdir()) == []


def test_samples_in_arrays_are_never_held_together(
    runs: dict[str, Run], tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    largest = []
    write = archive.write

    def watched(file: IO[bytes], parts: archive.Parts) -> None:
        arrays = {
            name: (largest.append(part.nbytes) or part for part in of_array)
            for name, of_array in parts.arrays.items()
        }
        write(file, archive.Parts(parts.num, arrays))

    monkeypatch.setattr(archive, "write", watched)
    out = tmp_path / "a.npz"
    run(runs["trained"], "sample", "--num=1100", f"--out={out}")
    assert max(largest) == 250 * 9 * 7 * 3 * 4
    assert arrays_in(out)["x"].shape == (1100, *IMAGE)


def test_file_of_the_working_folder(
    runs: dict[str, Run], tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    run(runs["trained"], "sample", "--num=1", "--out=a.npz")
    assert capsys.readouterr().out == "written: a.npz\n"
    assert (tmp_path / "a.npz").exists()


def test_nothing_is_written_over_what_is_read(
    runs: dict[str, Run], tmp_path: pathlib.Path
) -> None:
    data = pathlib.Path(runs["trained"].config.dataset.removeprefix("npz:"))
    before = data.read_bytes()
    with pytest.raises(
        InputError, match=r"would write over .*images.npz, which"
    ):
        run(runs["trained"], "sample", f"--out={data.with_suffix('.png')}")
    assert data.read_bytes() == before
    Image.new("RGB", (7, 9)).save(tmp_path / "a.png")
    Image.new("L", (7, 9)).save(tmp_path / "mask.png")
    given = [f"--images={tmp_path}/a.png", f"--mask={tmp_path}/mask.png"]
    for name in ("a.png", "mask.png"):
        with pytest.raises(InputError, match=f"would write over .*{name}"):
            run(runs["mask"], "inpaint", *given, f"--out={tmp_path}/{name}")
    assert len(list(tmp_path.iterdir())) == 2


def test_image_files_are_what_is_started_from(
    runs: dict[str, Run], tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    pixels = np.random.default_rng(0).integers(0, 256, [2, *IMAGE], np.uint8)
    names = []
    for index, image in enumerate(pixels):
        file = io.BytesIO()
        Image.fromarray(image).save(file, format="PNG")
        names.append(str(tmp_path / f"{index}.png"))
        pathlib.Path(names[-1]).write_bytes(file.getvalue())
    mask = np.zeros([9, 7], np.uint8)
    mask[:4] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    run(
        runs["mask"], "inpaint", f"--images={','.join(names)}",
        f"--mask={tmp_path}/mask.png", f"--out={tmp_path}/a.npz",
    )  # fmt: skip
    arrays = arrays_in(tmp_path / "a.npz")
    np.testing.assert_array_equal(arrays["image"], np.float32(pixels) / 255)
    np.testing.assert_array_equal(arrays["mask"][1, ..., 0], mask / 255)
    seen = arrays["completions"][:, :, :4]
    expected = np.broadcast_to(arrays["image"][:, np.newaxis, :4], seen.shape)
    np.testing.assert_array_equal(seen, expected)
    assert "brought to" not in capsys.readouterr().out


def test_program_ends_with_status_2_and_one_line(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    argv = ["generate.py", "sample", f"--out={tmp_path}/a.png"]
    monkeypatch.setattr(sys, "argv", [*argv, "--run_dir=none"])
    with pytest.raises(SystemExit) as end:
        program.run_main(generate.main)
    assert end.value.code == 2
    assert capfd.readouterr() == (
        "", "generate.py: `run_dir` none holds no run (no config.json).\n"
    )  # fmt: skip


def test_help_answers_without_tensorflow() -> None:
    code = (
        "import sys; from tfvae import flags, generate\n"
        "try: generate.main(['g', '--help'])\n"
        "except flags.HelpRequested as text: print(text)\n"
        "assert not {'tensorflow', 'numpy', 'matplotlib'} & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for mode in ARRAYS:
        assert f"\n  {mode} " in result.stdout
    for name in ("temperature", "indices", "mask", "strengths"):
        assert f"  --{name}\n" in result.stdout
    assert max(map(len, result.stdout.split("\n"))) <= 80


def test_file_may_be_on_any_storage(tmp_path: pathlib.Path) -> None:
    path = f"file://{tmp_path}/new/a.png"
    generate.check_folder(path)
    generate._write(path, lambda file: file.write(b"1"))
    assert (tmp_path / "new" / "a.png").read_bytes() == b"1"
