"""Weights in a file: whole and the model's own, or refused."""

import io
import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tfvae import weights

ARRAYS = {
    "encoder/000/kernel": np.arange(6, dtype=np.float32).reshape(3, 2) / 7,
    "decoder/000/b": np.float32([np.pi, -0.0, np.nan]),
    "decoder/001/scale": np.float32(2.5).reshape(()),
}


def _written(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    weights.write(file, arrays)
    return file.getvalue()


def _plain(save: Any = np.savez, **arrays: Any) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("with_sum", [True, False])
def test_arrays_come_back_to_the_bit(with_sum: bool) -> None:
    content = _written(ARRAYS) if with_sum else _plain(**ARRAYS)
    found = weights.read(content, ARRAYS)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (found[name].shape, found[name].dtype) == (
            array.shape, array.dtype,
        )  # fmt: skip
        assert found[name].tobytes() == array.tobytes()


def test_sum_is_of_names_types_shapes_and_values() -> None:
    known = weights.sha256({"a": np.float32([1, 2])})
    # printf '["a", "<f4", [2]]\n\x00\x00\x80\x3f\x00\x00\x00\x40' | sha256sum
    assert known == (
        "1e40da072d7018ea41e4a1ea749a7a5840e8a0086ac5e186147258cb3558d4b2"
    )
    others = [
        {"b": np.float32([1, 2])},
        {"a": np.int32([1065353216, 1073741824])},
        {"a": np.float32([[1, 2]])},
        {"a": np.float32([2, 1])},
        {"a": np.float32([1, 2]), "b": np.float32([])},
    ]
    assert len({known, *map(weights.sha256, others)}) == 6
    ordered = {"a": np.float32([1]), "b": np.float32([2])}
    backwards = dict(reversed(ordered.items()))
    assert weights.sha256(ordered) == weights.sha256(backwards)
    across = np.asfortranarray(ARRAYS["encoder/000/kernel"])
    assert weights.sha256({"a": across}) == weights.sha256(
        {"a": across.copy("C")}
    )


def _with(name: str, value: Any) -> Callable[[], bytes]:
    return lambda: _plain(**ARRAYS | {name: value})


def _without(name: str) -> bytes:
    return _plain(**{n: a for n, a in ARRAYS.items() if n != name})


def _changed() -> bytes:
    """A file of other numbers, whose archive is sound, with the first's sum."""
    with np.load(io.BytesIO(_written(ARRAYS))) as archive:
        held = dict(archive)
    held["decoder/000/b"] = held["decoder/000/b"] + np.float32(1)
    return _plain(**held)


def _flipped() -> bytes:
    content = bytearray(_written(ARRAYS))
    place = content.index(ARRAYS["encoder/000/kernel"].tobytes())
    content[place + 5] ^= 1
    return bytes(content)


def _twice() -> bytes:
    file = io.BytesIO(_plain(**ARRAYS))
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(file, "a") as archive,
    ):
        archive.writestr("decoder/000/b.npy", b"")
    return file.getvalue()


def _lying() -> bytes:
    """A header that tells of more than follows it."""
    member = io.BytesIO()
    np.save(member, ARRAYS["decoder/000/b"])
    file = io.BytesIO(_without("decoder/000/b"))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("decoder/000/b.npy", member.getvalue()[:-4])
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_changed, "its sha256 sum is not that of its arrays"),
        (_flipped, "Bad CRC-32"),
        (lambda: _written(ARRAYS)[:-9], "not a zip file"),
        (lambda: _written(ARRAYS)[9:], "negative seek|Bad magic"),
        (lambda: b"", "not a zip file"),
        (lambda: b"text", "not a zip file"),
        (_lying, "cannot reshape|array data|EOF"),
        (_twice, "it holds '.*' too"),
        (lambda: _without("decoder/000/b"), "it has no decoder/000/b"),
        (lambda: _plain(x=np.zeros(3)), "it has no decoder/000/b"),
        (_with("more", np.zeros(2)), "it holds 'more' too"),
        (_with("decoder/000/b", np.float32([1, 2])),
         r"decoder/000/b is float32\[2\] where the model has float32\[3\]"),
        (_with("decoder/000/b", np.float64([1, 2, 3])),
         r"is float64\[3\] where the model has float32\[3\]"),
        (_with("decoder/000/b", np.array([print, 1, 2])), "is object"),
        (_with("decoder/000/b", np.zeros(10**6, np.float32)),
         "decoder/000/b is larger than the model's"),
        (lambda: _plain(np.savez_compressed,
                        **ARRAYS | {"decoder/000/b": np.zeros(10**6)}),
         "decoder/000/b is larger than the model's"),
        (lambda: pickle.dumps(ARRAYS), "not a zip file"),
    ],
)  # fmt: skip
def test_other_files_are_refused(make: Callable[[], bytes], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        weights.read(make(), ARRAYS)
