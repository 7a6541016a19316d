"""python -m export.client: the files of every mode."""

import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from tests.export.client import toy_models
from tests.export.client.program_runs import npz, pixels, run
from tests.export.client.toy_models import IMAGE, Toy
from tfvae.errors import InputError

SEEDS = np.array([6, 7, 8, 9, 10])


def test_sample_as_arrays(
    served: str, here: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = npz(served, "sample", "--num=5", "--seed=6")
    assert list(found) == ["seed", "x", "z"]
    z = toy_models.code_of(SEEDS)
    np.testing.assert_array_equal(found["seed"], SEEDS)
    np.testing.assert_array_equal(found["z"], z)
    np.testing.assert_array_equal(found["x"], toy_models.image_of(z))
    assert capsys.readouterr().out == "written: out/a.npz\n"


def test_decode_as_arrays(served: str, here: pathlib.Path) -> None:
    z = np.array([[0.1, -2], [3, 4e-2], [5, 6]], np.float32)
    found = npz(served, "--z=0.1,-2,3,4e-2,5,6", "decode")
    np.testing.assert_array_equal(found["z"], z)
    np.testing.assert_array_equal(found["x"], toy_models.image_of(z))
    np.savez("z.npz", z=z, other=3)
    again = npz(served, "decode", "--z=z.npz")
    np.testing.assert_array_equal(again["x"], found["x"])


def test_what_is_made_of_images(served: str, here: pathlib.Path) -> None:
    levels = np.arange(3 * 12).reshape(3, *IMAGE).astype(np.uint8) * 7
    x = levels / np.float32(255)
    np.savez("bytes.npz", x=levels)
    np.savez("flat.npz", x=x[..., 0])
    folder = here / "folder"
    folder.mkdir()
    for number, each in enumerate(levels):
        Image.fromarray(each[..., 0]).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("no image")
    names = ",".join(f"folder/{number}.png" for number in range(3))
    for images in ("bytes.npz", "flat.npz", "folder", names):
        given = f"--images={images}"
        found = npz(served, "encode", given)
        np.testing.assert_allclose(found["loc"], x[:, 0, 1:3, 0], rtol=1e-6)
        found = npz(served, "reconstruct", given)
        np.testing.assert_allclose(found["x"], x[:, ::-1], rtol=1e-6)
        found = npz(served, "score", given, "--seed=4")
        kl = toy_models.code_of(np.array([4, 5, 6]))[:, 0]
        np.testing.assert_array_equal(found["kl"], kl)


def test_one_image_is_written_as_it_was_served(
    served: str, toy: Toy, here: pathlib.Path
) -> None:
    assert run(served, "sample", "--num=1", "--seed=6", "--out=a.png") == 0
    x = toy_models.image_of(toy_models.code_of(SEEDS[:1]))
    content = (here / "a.png").read_bytes()
    assert content == toy_models.png_of(x)[0]
    assert run(served, "decode", "--z=1,2", "--out=b.PNG") == 0
    x = toy_models.image_of(np.array([[1, 2]]))
    assert (here / "b.PNG").read_bytes() == toy_models.png_of(x)[0]
    del toy.models["decoder"]["decode_png"]
    try:
        assert run(served, "decode", "--z=1,2", "--out=c.png") == 0
    finally:
        toy.models["decoder"]["decode_png"] = (
            toy_models.Z, toy_models.PNG,
            lambda z: {"png_bytes": toy_models.png_of(toy_models.image_of(z))},
        )  # fmt: skip
    assert pixels("c.png").shape[-1] == 3


def test_several_images_are_a_grid(served: str, here: pathlib.Path) -> None:
    assert run(served, "sample", "--num=5", "--seed=6", "--out=a.png") == 0
    grid = pixels("a.png")
    assert grid.shape[1] > 300
    np.savez("x.npz", x=np.linspace(0, 1, 24).reshape(2, *IMAGE))
    out = "--out=b.png"
    assert run(served, "reconstruct", "--images=x.npz", out) == 0
    assert pixels("b.png").shape[0] > 100
    # Lighter below, where each column is seen in reverse.
    assert not np.array_equal(pixels("a.png"), pixels("b.png"))


def test_classes_of_a_conditional_model(
    served: str, here: pathlib.Path
) -> None:
    model = "--model=conditional"
    found = npz(served, "sample", model, "--num=7", "--seed=6")
    assert found["label"].tolist() == [0, 0, 1, 1, 2, 3, 4]
    found = npz(served, "sample", model, "--num=3", "--label=4")
    assert found["label"].tolist() == [4, 4, 4]
    found = npz(served, "decode", model, "--z=1,2,3,4", "--label=3,1")
    z = np.array([[1, 2], [3, 4]], np.float32)
    weights = np.array([0.3, 0.1])[:, None, None, None]
    np.testing.assert_allclose(
        found["x"], toy_models.image_of(z) * weights, rtol=1e-6
    )
    for label, got in (((), "none"), ((1, 2, 3), "3")):
        with pytest.raises(InputError) as refused:
            npz(
                served, "decode", model, "--z=1,2,3,4",
                *([f"--label={','.join(map(str, label))}"] if label else []),
            )  # fmt: skip
        assert str(refused.value) == (
            "`label` must be one class, or one for each of 2 rows; got "
            f"{got}; give --label=N."
        )
    with pytest.raises(InputError, match="`label` must be from 0 to 4, a cla"):
        npz(served, "sample", model, "--num=3", "--label=5")


def test_completions(served: str, here: pathlib.Path) -> None:
    x = np.linspace(0, 1, 12, dtype=np.float32).reshape(1, *IMAGE)
    mask = np.zeros([3, 4], np.uint8)
    mask[:, :2] = 255
    Image.fromarray(mask).save("mask.png")
    np.savez("mask.npz", mask=mask[None, :, :, None] > 0)
    np.savez("x.npz", x=x)
    np.savez("two.npz", x=np.repeat(x, 2, axis=0))
    model, seen = "--model=completing", (mask > 0)[..., None]
    for given in ("--mask=mask.png", "--mask=mask.npz"):
        found = npz(served, "sample", model, "--num=3", "--images=x.npz", given)
        expected = np.where(seen, x, 0) + np.where(seen, 0, 0.5)
        np.testing.assert_allclose(found["x"], np.repeat(expected, 3, axis=0))
        np.testing.assert_array_equal(
            found["image"][2], np.where(seen, x, 0)[0]
        )
    for flags, words in (
        (
            ["--mask=mask.png"],
            "`sample` of `completing` needs `images`; give --",
        ),
        (
            ["--images=x.npz"],
            "`sample` of `completing` needs `mask`; give --mas",
        ),
        (
            ["--images=two.npz", "--mask=mask.png"],
            "`images` must give one, or one for each of 3 rows; got 2.",
        ),
    ):
        with pytest.raises(InputError, match=re.escape(words)):
            npz(served, "sample", model, "--num=3", *flags)
