"""Arrays written part by part, against NumPy's own writer and reader."""

import io

import numpy as np

from tfvae.generation import archive
from tfvae.generation.archive import Parts

RNG = np.random.default_rng(0)
ARRAYS = {
    "x": RNG.normal(size=[7, 3, 2]).astype(np.float32),
    "z": RNG.normal(size=[2, 7]).T,  # not contiguous
    "label": RNG.integers(0, 9, 7),
}


def written(sizes: dict[str, list[int]]) -> bytes:
    file = io.BytesIO()
    parts = {
        name: iter(np.split(ARRAYS[name], np.cumsum(of_array)[:-1]))
        for name, of_array in sizes.items()
    }
    archive.write(file, Parts(7, parts))
    return file.getvalue()


def test_parts_give_the_file_of_the_whole_arrays_to_the_byte() -> None:
    file = io.BytesIO()
    np.savez(file, **ARRAYS | {"z": np.ascontiguousarray(ARRAYS["z"])})
    sizes = {"x": [2, 4, 1], "z": [3, 4], "label": [7]}
    assert written(sizes) == file.getvalue()


def test_numpy_reads_it_without_pickle() -> None:
    content = written({"x": [1, 6], "z": [7], "label": [1] * 7})
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        assert list(arrays) == list(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(arrays[name], array)
