"""Every malformed image, or folder of them, is answered by one line."""

import os
import pathlib
from collections.abc import Callable

import numpy as np
import pytest

from tests.malformed.image_files import (
    GOOD_FILES,
    IMAGE_FILES,
    PNG,
    Recipe,
    png,
)
from tests.malformed.programs import refusal
from tfvae.data import files
from tfvae.errors import InputError
from tfvae.plots import reading

pytestmark = pytest.mark.timeout(60)
EACH = 4  # case that has to be decoded in the fast suite; the others are slow
DECODED = "remove or"  # in what is said of them
NUM_GOOD = 3
SHAPE = (6, 5, 3)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder of good images, which come before and after the others."""
    found = tmp_path / "photos"
    found.mkdir()
    for name in ("A.png", "B.png", "~.png"):
        (found / name).write_bytes(PNG())
    return found


def read_by_pillow(path: pathlib.Path) -> None:
    """Reads a file as the client does, which may be less strict."""
    try:
        pixels = reading.read_image(str(path), event_shape=SHAPE)
    except InputError as error:
        line = str(error)
    else:
        assert pixels.shape == SHAPE
        return
    assert line.startswith(f"cannot read the image {path}: ")


@pytest.mark.parametrize(
    ("name", "recipe", "words"),
    [
        pytest.param(
            *case,
            id=case[0],
            marks=[pytest.mark.slow] if n % EACH and DECODED in case[2] else [],
        )
        for n, case in enumerate(IMAGE_FILES)
    ],
)
def test_image_file(
    name: str,
    recipe: Recipe,
    words: str,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = folder / name
    path.write_bytes(recipe())
    arguments = ["--run_dir=run", "--dataset=images:photos"]
    line = refusal("train", arguments, folder.parent, monkeypatch, capfd)
    assert words in line
    assert f"cannot read the image photos/{name}: " in line
    read_by_pillow(path)


def test_odd_image_files_are_read(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, recipe in GOOD_FILES:
        path = tmp_path / name
        path.write_bytes(recipe())
        pixels = reading.read_image(str(path), event_shape=SHAPE)
        assert pixels.shape == SHAPE
    found = files.image_folder(str(tmp_path))
    assert found.shape == SHAPE
    assert len(found.paths) == len(GOOD_FILES)
    assert capfd.readouterr().err == ""


def loop(path: pathlib.Path) -> None:
    path.symlink_to(path.name)


def pipe(path: pathlib.Path) -> None:
    os.mkfifo(path)


def nothing(path: pathlib.Path) -> None:
    path.symlink_to("nowhere.png")


def device(path: pathlib.Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: pathlib.Path) -> None:
    path.write_bytes(PNG())
    os.truncate(path, 2**40)


FILES: list[tuple[str, Callable[[pathlib.Path], None], str]] = [
    ("loop.png", loop, "Too many levels of symbolic links"),
    ("pipe.png", pipe, "not a regular file"),
    ("nothing.png", nothing, "No such file or directory"),
    ("device.png", device, "not a regular file"),
    ("huge.png", huge, "it takes 1,099,511,627,776 bytes, and at most"),
    ("x" * 251 + ".png", lambda path: path.write_text("no"), "no PNG or JPEG"),
    ("\udcff\udcfe.png", lambda path: path.write_text("no"), "no PNG or JPEG"),
    ("a\nb\x1b[2J.png", lambda path: path.write_text("no"), "no PNG or JPEG"),
    ("-rf; $(x) `y`.png", lambda path: path.write_text("no"), "PNG or JPEG"),
    ("%s {0} %n.png", lambda path: path.write_text("no"), "no PNG or JPEG"),
    ("💾 日本語.png", lambda path: path.write_text("no"), "no PNG or JPEG"),
]


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [pytest.param(*case, id=ascii(case[0])[1:20]) for case in FILES],
)
def test_what_is_no_plain_file(
    name: str,
    make: Callable[[pathlib.Path], None],
    words: str,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    make(folder / name)
    arguments = ["--run_dir=run", "--dataset=images:photos"]
    line = refusal("train", arguments, folder.parent, monkeypatch, capfd)
    assert words in line
    read_by_pillow(folder / name)


FOLDERS: list[tuple[str, dict[str, bytes], list[str], str]] = [
    ("empty", {}, [], "holds no PNG or JPEG file"),
    ("of text", {"a.txt": b"x", "b.md": b"x"}, [], "holds no PNG or JPEG file"),
    ("of folders", {"x.png/a.txt": b"x"}, [], "holds no PNG or JPEG file"),
    ("of one", {"a.png": PNG()}, [], "holds 1 images; give at least 3"),
    ("of two", {"a/a.png": PNG(), "b/b.png": PNG()}, [], "holds 2 images"),
    ("of other sizes", {f"{n}.png": png(4 + n, 1) for n in range(4)}, [],
     "holds images of different sizes; give --image_size"),
    ("of bombs", {f"{n}.png": png(60_000, 60_000) for n in range(4)},
     ["--image_size=8"], "it has 60000x60000 pixels"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("held", "flags", "words"),
    [pytest.param(*case[1:], id=case[0]) for case in FOLDERS],
)
def test_folder_of_images(
    held: dict[str, bytes],
    flags: list[str],
    words: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "photos").mkdir()
    for name, content in held.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    arguments = ["--run_dir=run", "--dataset=images:photos", *flags]
    assert words in refusal("train", arguments, tmp_path, monkeypatch, capfd)


def test_folder_that_cannot_be_read(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "closed").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(
        InputError, match=r"cannot read the folder .*closed: Permission denied"
    ):
        files.image_folder(str(folder))


def test_names_that_are_no_utf_8_are_read(folder: pathlib.Path) -> None:
    (folder / "\udcff.png").write_bytes(PNG())
    found = files.image_folder(str(folder))
    assert found.paths.tolist()[-1].endswith(b"\xff.png")
    images = [np.asarray(files.images.decode_file(path, channels=3))
              for path in found.paths.tolist()]  # fmt: skip
    assert len(images) == NUM_GOOD + 1
