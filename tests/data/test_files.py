"""The user's own files: npz archives and folders of images."""

import pathlib

import matplotlib.image
import numpy as np
import pytest
import tensorflow as tf

from tfvae.config import Config
from tfvae.data import files
from tfvae.data.load import load_data
from tfvae.data.split import ArraySplit, Splits, StreamSplit
from tfvae.errors import InputError


def levels(shape: list[int], seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def load_npz(folder: pathlib.Path, **arrays: np.ndarray) -> Splits:
    np.savez(folder / "data.npz", **arrays)
    return load_data(Config(dataset=f"npz:{folder / 'data.npz'}"))


def load_images(folder: pathlib.Path, **settings) -> Splits:
    return load_data(Config(dataset=f"images:{folder}", **settings))


def write_png(path: pathlib.Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_png(image).numpy())


def rows(x: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in x}


def test_x_alone_is_divided_in_three(tmp_path: pathlib.Path) -> None:
    x = levels([47, 6, 5])
    splits = load_npz(tmp_path, x=x, y=np.arange(47) % 7)
    parts = [splits.train, splits.validation, splits.test]
    assert [part.num_examples for part in parts] == [39, 4, 4]
    assert splits.spec.event_shape == (6, 5, 1)
    assert splits.spec.num_classes == 7
    assert set.union(*(rows(part.x) for part in parts)) == rows(x)
    label_of = {row.tobytes(): k % 7 for k, row in enumerate(x)}
    for part in parts:
        np.testing.assert_array_equal(
            [label_of[row.tobytes()] for row in part.x], part.y
        )


def test_train_and_test_are_kept_and_validation_is_cut(
    tmp_path: pathlib.Path,
) -> None:
    x, x_test = levels([40, 6, 5, 3]), levels([7, 6, 5, 3], seed=3)
    splits = load_npz(tmp_path, x_train=x, x_test=x_test)
    np.testing.assert_array_equal(splits.test.x, x_test)
    assert splits.validation.num_examples == 4
    assert rows(splits.train.x) | rows(splits.validation.x) == rows(x)
    assert splits.test.y is None
    assert splits.spec.num_classes is None


def test_three_parts_are_taken_as_they_are(tmp_path: pathlib.Path) -> None:
    sizes = {"train": 9, "validation": 3, "test": 5}
    arrays = {f"x_{p}": levels([n, 6, 5], seed=n) for p, n in sizes.items()}
    labels = {f"y_{part}": np.arange(n) for part, n in sizes.items()}
    splits = load_npz(tmp_path, **arrays, **labels)
    for part in sizes:
        split = getattr(splits, part)
        np.testing.assert_array_equal(split.x[..., 0], arrays[f"x_{part}"])
        np.testing.assert_array_equal(split.y, labels[f"y_{part}"])


def test_compressed_archive_is_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "c.npz"
    np.savez_compressed(path, x=levels([20, 6]))
    splits = load_data(Config(dataset=f"npz:{path}"))
    assert splits.spec.event_shape == (6,)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": np.zeros(3)}, "must hold `x`, or `x_train` and `x_test`; got z"),
        ({"x_train": np.zeros(3), "y": np.zeros(3)}, "; got x_train, y."),
        ({}, "; got no arrays."),
        ({"x": np.zeros([5, 4]), "y": np.zeros(4)}, r"`y` must .* shape \[4\]"),
        ({"x": np.zeros([5, 4]), "y": np.zeros([5, 1])}, r"shape \[5, 1\]"),
        ({"x": np.float32(3)}, "`x` holds a single number."),
        ({"x_train": np.float32(3), "x_test": 4}, "`x_train` holds a single"),
        ({"x": np.array([None, 3])}, "`x` must hold numbers; got object, and"),
        (
            {"x": np.zeros([2, 4])},
            "too few examples to divide; give at least 3",
        ),
        ({"x": np.zeros([0, 4])}, "too few examples to divide"),
        ({"x": np.full([9, 4], np.nan)}, "holds NaN or infinity"),
    ],
)
def test_wrong_arrays_are_refused(
    arrays: dict[str, np.ndarray], message: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_npz(tmp_path, **arrays)
    assert "data.npz" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no readable npz archive: File is not a zip"),
        (b"text, not an archive", "is no readable npz archive: "),
        (b"PK\x03\x04 cut", "is no readable npz archive: File is not a zip"),
    ],
)
def test_file_that_is_no_archive_is_refused(
    content: bytes, message: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"npz:.*broken.npz {message}"):
        files.npz(str(path))


def test_damaged_member_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "damaged.npz"
    np.savez(path, x=levels([100, 30]))
    content = bytearray(path.read_bytes())
    content[1500] ^= 255
    path.write_bytes(content)
    with pytest.raises(InputError, match="no readable npz archive: Bad CRC-32"):
        files.npz(str(path))


def test_single_array_is_refused(tmp_path: pathlib.Path) -> None:
    np.save(tmp_path / "one.npy", levels([9, 6]))
    with pytest.raises(InputError, match="is a single array, not an npz arch"):
        files.npz(str(tmp_path / "one.npy"))


def test_missing_archive_and_folder_in_its_place_are_refused(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(InputError, match=r"no.npz: No such file or directory."):
        files.npz(str(tmp_path / "no.npz"))
    with pytest.raises(InputError, match=r"npz:.*: Is a directory."):
        files.npz(str(tmp_path))


def test_sub_folders_are_labels_in_sorted_order(tmp_path: pathlib.Path) -> None:
    for k, name in enumerate(["cat", "ant", "bee"]):
        for index in range(4):
            image = np.full([6, 5, 3], 10 * k + index, np.uint8)
            write_png(tmp_path / name / "deep" / f"{index}.png", image)
    (tmp_path / "notes.txt").write_text("no image")
    splits = load_images(tmp_path)
    assert splits.spec.event_shape == (6, 5, 3)
    assert splits.spec.num_classes == 3
    parts = [splits.train, splits.validation, splits.test]
    assert [part.num_examples for part in parts] == [10, 1, 1]
    found = {}
    for part in parts:
        found |= dict(zip(part.x[:, 0, 0, 0].tolist(), part.y, strict=True))
    labels = {0: 2, 1: 0, 2: 1}  # of cat, ant, bee
    assert found == {10 * k + i: labels[k] for k in range(3) for i in range(4)}


def test_images_beside_sub_folders_leave_all_without_labels(
    tmp_path: pathlib.Path,
) -> None:
    for index in range(3):
        write_png(tmp_path / "a" / f"{index}.png", levels([6, 5, 1]))
    write_png(tmp_path / "beside.PNG", levels([6, 5, 1]))
    splits = load_images(tmp_path)
    assert splits.spec.num_classes is None
    assert splits.train.y is None
    assert splits.spec.event_shape == (6, 5, 1)


def test_png_and_jpeg_are_mixed(tmp_path: pathlib.Path) -> None:
    for index, ending in enumerate(["png", "jpg", "jpeg", "JPG"]):
        image = np.full([16, 24, 3], 40 * index + 20, np.uint8)
        kind = "png" if ending == "png" else "jpeg"
        matplotlib.image.imsave(
            tmp_path / f"{index}.{ending}", image, format=kind
        )
    splits = load_images(tmp_path)
    x = np.concatenate([splits.train.x, splits.validation.x, splits.test.x])
    assert x.shape == (4, 16, 24, 3)  # matplotlib's PNG has an alpha channel
    np.testing.assert_allclose(
        np.sort(x.mean(axis=(1, 2, 3))), [20, 60, 100, 140], atol=2
    )


def test_grey_beside_colour_becomes_colour(tmp_path: pathlib.Path) -> None:
    grey = levels([6, 5, 1])
    for index in range(4):
        write_png(tmp_path / f"g{index}.png", grey)
    write_png(tmp_path / "rgb.png", levels([6, 5, 3]))
    splits = load_images(tmp_path)
    assert splits.spec.event_shape == (6, 5, 3)
    x = np.concatenate([splits.train.x, splits.validation.x, splits.test.x])
    assert sum(np.array_equal(one, grey.repeat(3, axis=2)) for one in x) == 4


@pytest.mark.parametrize("max_resident_mb", [0, 2048])
def test_images_of_different_sizes_need_a_size(
    max_resident_mb: int, tmp_path: pathlib.Path
) -> None:
    for index in range(5):
        write_png(tmp_path / f"{index}.png", levels([6 + index, 5, 3]))
    with pytest.raises(InputError, match="different sizes; give --image_size"):
        load_images(tmp_path, max_resident_mb=max_resident_mb)
    splits = load_images(
        tmp_path, image_size=4, grayscale=True, max_resident_mb=max_resident_mb
    )
    kind = ArraySplit if max_resident_mb else StreamSplit
    assert isinstance(splits.train, kind)
    assert splits.spec.event_shape == (4, 4, 1)
    batch = next(splits.train.ordered(3).as_numpy_iterator())
    assert (batch.shape, batch.dtype) == ((3, 4, 4, 1), np.uint8)


@pytest.mark.parametrize("chunk", [2, 100])
def test_broken_image_among_good_ones_is_named(
    chunk: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK", chunk)
    for index in range(5):
        write_png(tmp_path / f"{index}.png", levels([6, 5, 3]))
    good = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(good[: len(good) // 2])
    with pytest.raises(InputError, match=r"cannot read the image .*3.png: "):
        load_images(tmp_path)


def test_folder_without_images_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(
        InputError, match=r"images:.* holds no PNG or JPEG file."
    ):
        load_images(tmp_path)


def test_missing_folder_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(
        InputError, match=r"images:.*: there is no such folder."
    ):
        load_images(tmp_path / "none")


def test_two_images_are_too_few(tmp_path: pathlib.Path) -> None:
    for index in range(2):
        write_png(tmp_path / f"{index}.png", levels([6, 5, 3]))
    with pytest.raises(InputError, match=r"holds 2 images; give at least 3."):
        load_images(tmp_path)
