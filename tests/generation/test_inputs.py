"""Examples, image files, classes and masks that a generation starts from."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.small_runs import IMAGE_SHAPE, image_set, save_run
from tfvae.data.spec import DataSpec
from tfvae.errors import InputError
from tfvae.generation.inputs import Inputs, read_images
from tfvae.generation.request import Generation
from tfvae.run_dir import Run

RNG = np.random.default_rng(1)
COLOUR = DataSpec(IMAGE_SHAPE, None, "unit", levels=256)
GREY = DataSpec((9, 7, 1), None, "unit", levels=256)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Runs by their condition, all of the same images; and of vectors."""
    folder = tmp_path_factory.mktemp("runs")
    dataset = image_set(folder)
    made = {
        name: save_run(folder / name, dataset=dataset, condition=name)
        for name in ("none", "label", "mask")
    }
    return made | {"vectors": save_run(folder / "vectors", dataset="ring")}


@pytest.fixture(scope="module")
def test_set(runs: dict[str, Run]) -> tuple[np.ndarray, np.ndarray]:
    """x in [0, 1] and y of the test split, divided as `sources` says."""
    path = runs["none"].config.dataset.removeprefix("npz:")
    with np.load(path) as arrays:
        order = np.random.default_rng(0).permutation(200)[20:40]
        return np.float32(arrays["x"][order] / 255), arrays["y"][order]


def inputs(run: Run, mode: str = "reconstruct", **asked) -> Inputs:
    return Inputs(run, Generation(mode=mode, out="a.npz", **asked))


def levels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, np.uint8)


def png(path: pathlib.Path, pixels: np.ndarray) -> str:
    path.write_bytes(tf.io.encode_png(pixels).numpy())
    return str(path)


def test_image_file_of_the_run_s_size_is_read_as_it_is(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = levels(2, 9, 7, 3)
    paths = [
        png(tmp_path / f"{i}.png", image) for i, image in enumerate(pixels)
    ]
    x = read_images(paths, COLOUR)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, pixels / 255, rtol=1e-6)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("spec", [COLOUR, GREY], ids=["colour", "grey"])
def test_image_file_of_other_channels_is_brought_to_the_run_s(
    channels: int, spec: DataSpec, tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    pixels = levels(9, 7, channels)
    path = png(tmp_path / "a.png", pixels)
    (x,) = read_images([path], spec)
    shown = np.broadcast_to(
        pixels[..., : 3 if channels > 2 else 1], IMAGE_SHAPE
    )
    if spec is GREY:
        shown = (shown @ [0.299, 0.587, 0.114])[..., np.newaxis]
    np.testing.assert_allclose(x, shown / 255, atol=1 / 255 + 1e-6)
    printed = capsys.readouterr().out
    if channels == spec.event_shape[-1]:
        assert printed == ""
    else:
        shape = "x".join(map(str, spec.event_shape))
        assert printed == f"brought to {shape}: {path} (9x7x{channels})\n"


@pytest.mark.parametrize("ending", ["JPEG", "jpg", "png"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
@pytest.mark.parametrize("spec", [COLOUR, GREY], ids=["colour", "grey"])
def test_image_file_of_any_kind_is_read(
    ending: str, mode: str, spec: DataSpec, tmp_path: pathlib.Path
) -> None:
    if ending != "png":
        mode = {"RGBA": "CMYK", "P": "L"}.get(mode, mode)
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (7, 9), (102, 102, 102)).convert(mode).save(path)
    (x,) = read_images([str(path)], spec)
    np.testing.assert_allclose(x, 102 / 255, atol=1 / 255)


def test_image_file_of_another_size_is_resized(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The triangle of antialiasing leaves a plane of equal blocks alone.
    small = np.repeat(levels(1, 1, 3), 9, axis=0).repeat(7, axis=1)
    large = small.repeat(2, axis=0).repeat(3, axis=1)
    path = png(tmp_path / "a.png", large)
    (x,) = read_images([path], COLOUR)
    np.testing.assert_allclose(x, small / 255, rtol=1e-6)
    printed = capsys.readouterr().out
    assert printed == f"brought to 9x7x3: {path} (18x21x3)\n"


def test_pixels_of_binary_data_are_zero_and_one(tmp_path: pathlib.Path) -> None:
    pixels = levels(9, 7, 1)
    spec = DataSpec((9, 7, 1), None, "binary", levels=2)
    (x,) = read_images([png(tmp_path / "a.png", pixels)], spec)
    np.testing.assert_array_equal(x, pixels > 127)


def test_file_of_another_kind_is_refused(tmp_path: pathlib.Path) -> None:
    # TensorFlow reads some BMP files as other colours.
    Image.new("P", (7, 9)).save(tmp_path / "a.bmp")
    with pytest.raises(InputError, match=r"must end in \.png, .*; got '.*bmp'"):
        read_images([str(tmp_path / "a.bmp")], COLOUR)


def test_unreadable_image_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    for name in ("a.png", "none.png"):
        with pytest.raises(InputError, match=f"cannot read the image .*{name}"):
            read_images([str(tmp_path / name)], COLOUR)


@pytest.mark.parametrize("shape", [(5,), (9, 7, 2)])
def test_data_that_no_image_file_holds(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        InputError, match=r"1 or 3 channels and do not fit .*\["
    ):
        read_images(["a.png"], DataSpec(shape, None, "unit"))


def test_examples_are_named_by_their_indices(
    runs: dict[str, Run], test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    found = inputs(runs["label"], indices=(7, 0, 19)).starts(5)
    np.testing.assert_allclose(found.x, test_set[0][[7, 0, 19]], rtol=1e-6)
    np.testing.assert_array_equal(found.labels, test_set[1][[7, 0, 19]])
    np.testing.assert_array_equal(found.condition["label"], found.labels)
    with pytest.raises(InputError, match="`indices` must be from 0 to 19, of"):
        inputs(runs["none"], indices=(20,)).starts(5)


def test_examples_are_drawn_by_the_seed(runs: dict[str, Run]) -> None:
    first, again, other = (
        inputs(runs["none"], seed=seed).starts(6).x for seed in (3, 3, 4)
    )
    assert len(first) == 6
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    everything = inputs(runs["none"], split="validation").starts(999)
    assert len(everything) == 20


def test_class_asked_for_replaces_the_examples_own(
    runs: dict[str, Run], tmp_path: pathlib.Path
) -> None:
    for label, expected in (((2,), [2, 2, 2]), ((2, 0, 1), [2, 0, 1])):
        found = inputs(runs["label"], indices=(1, 2, 3), label=label).starts(1)
        assert found.condition["label"].tolist() == expected
    path = png(tmp_path / "a.png", levels(9, 7, 3))
    found = inputs(runs["label"], images=path, label=(1,)).starts(1)
    assert found.condition["label"].tolist() == [1]
    with pytest.raises(InputError, match="one for each of 3 images; got 2"):
        inputs(runs["label"], indices=(1, 2, 3), label=(0, 1)).starts(1)
    with pytest.raises(InputError, match="for each of 1 images; got none"):
        inputs(runs["label"], images=path).starts(1)


@pytest.mark.parametrize("condition", ["none", "mask"])
def test_class_is_for_runs_of_classes(
    runs: dict[str, Run], condition: str
) -> None:
    with pytest.raises(InputError) as refused:
        inputs(runs[condition], label=(1,))
    assert str(refused.value) == (
        "`label` needs a run that was trained with --condition=label; this "
        f"one has --condition={condition}."
    )


def test_class_out_of_range_names_the_range(runs: dict[str, Run]) -> None:
    with pytest.raises(
        InputError, match=r"`label` must be from 0 to 2, .*got 3"
    ):
        inputs(runs["label"], label=(0, 3))


@pytest.mark.parametrize("mode", ["sample", "manifold", "interpolate",
                                  "arithmetic"])  # fmt: skip
def test_run_of_masks_makes_nothing_of_nothing(
    runs: dict[str, Run], mode: str
) -> None:
    with pytest.raises(
        InputError, match=f"`{mode}` shows no image to complete"
    ):
        inputs(runs["mask"], mode)


def test_named_mask_hides_what_it_says(
    runs: dict[str, Run], test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    found = inputs(runs["mask"], mask="left", indices=(3, 4)).starts(1)
    expected = np.zeros([2, 9, 7, 1], np.float32)
    expected[:, :, :4] = 1  # of 7 columns the middle one is left
    np.testing.assert_array_equal(found.condition["mask"], expected)
    np.testing.assert_allclose(
        found.condition["image"], test_set[0][[3, 4]] * expected, rtol=1e-6
    )
    np.testing.assert_allclose(found.x, test_set[0][[3, 4]], rtol=1e-6)


def test_drawn_mask_follows_the_seed(runs: dict[str, Run]) -> None:
    first, again, other = (
        inputs(runs["mask"], seed=seed).starts(6).condition["mask"]
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert len(np.unique(first, axis=0)) > 1


def test_mask_file_is_white_where_pixels_are_seen(
    runs: dict[str, Run], tmp_path: pathlib.Path
) -> None:
    pixels = levels(9, 7, 1)
    path = png(tmp_path / "mask.png", pixels)
    found = inputs(runs["mask"], mask=path, indices=(3, 4, 5)).starts(1)
    np.testing.assert_array_equal(
        found.condition["mask"], np.stack([pixels > 127] * 3)
    )


def test_wrong_mask_is_refused(
    runs: dict[str, Run], tmp_path: pathlib.Path
) -> None:
    path = png(tmp_path / "mask.png", levels(7, 9, 1))
    with pytest.raises(InputError, match=r"must be 9x7 .*; got 7x9"):
        inputs(runs["mask"], mask=path).starts(1)
    with pytest.raises(
        InputError, match=r"`mask` must be one of .*left, .*'lft'"
    ):
        inputs(runs["mask"], mask="lft").starts(1)
    with pytest.raises(InputError, match="`mask` needs a run that was trained"):
        inputs(runs["none"], mask="left")


def test_examples_of_a_class(
    runs: dict[str, Run], test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = test_set
    found = inputs(runs["label"], "arithmetic", plus="2").having("plus")
    np.testing.assert_allclose(found.x, x[y == 2], rtol=1e-6)
    assert (found.condition["label"] == 2).all()


def test_images_of_a_folder(
    runs: dict[str, Run], tmp_path: pathlib.Path
) -> None:
    pixels = levels(3, 9, 7, 3)
    for name, image in zip(("c.png", "a.PNG", "b.png"), pixels, strict=True):
        png(tmp_path / name, image)
    (tmp_path / "notes.txt").write_text("none")
    asked = {"mode": "arithmetic", "minus": str(tmp_path)}
    found = inputs(runs["none"], **asked).having("minus")
    np.testing.assert_allclose(found.x, pixels[[1, 2, 0]] / 255, rtol=1e-6)
    assert found.condition == {}
    found = inputs(runs["label"], label=(1,), **asked).having("minus")
    assert found.condition["label"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("condition", "plus", "message"),
    [
        ("none", "3", "`plus` must be from 0 to 2, a class of the run's data;"),
        ("none", "", "`plus` must be a class of the run's data or a folder of"),
        ("none", "there", "images; got 'there'."),
        ("none", "EMPTY", "holds no PNG or JPEG file."),
        ("vectors", "1", "`plus` 1 is a class, and the run's data have no lab"),
    ],
)
def test_wrong_attribute_is_refused(
    condition: str, plus: str, message: str, runs: dict[str, Run],
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "EMPTY").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        inputs(runs[condition], "arithmetic", plus=plus).having("plus")
    assert message in str(refused.value)


def test_class_without_an_example_in_the_split(tmp_path: pathlib.Path) -> None:
    x = RNG.uniform(size=[40, 6, 5])
    y = np.zeros(40, int)
    y[np.random.default_rng(0).permutation(40)[39]] = 1  # a training example
    np.savez(tmp_path / "x.npz", x=x, y=y)
    run = save_run(tmp_path / "run", dataset=f"npz:{tmp_path / 'x.npz'}")
    with pytest.raises(
        InputError, match="test split holds no example of class"
    ):
        inputs(run, "arithmetic", plus="1").having("plus")
    found = inputs(run, "arithmetic", plus="1", split="train").having("plus")
    assert len(found) == 1
