"""Damaged npz archives and images: data or one line, and no warning."""

import pathlib
from collections.abc import Callable

import pytest
from hypothesis import strategies as st

from tests.malformed.image_files import JPEG, PNG
from tests.malformed.npz_files import GOOD, LABELS, array, arrays, x
from tests.properties.given import NUM_EXAMPLES, check_refusal, holds
from tfvae.data import files, images
from tfvae.errors import InputError
from tfvae.plots import reading

ARCHIVES = {"deflated": arrays(x=GOOD, y=LABELS), "one": x(array(GOOD))}
IMAGES = {"png": PNG(), "jpeg": JPEG()}
MOST_BYTES = 2**20


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """Draws what is left of a file once parts of it are replaced."""
    at = st.integers(0, len(content))
    edits = st.lists(st.tuples(at, at, st.binary(max_size=9)), max_size=3)

    def edited(parts: list[tuple[int, int, bytes]]) -> bytes:
        made = content
        for first, length, new in parts:
            made = made[:first] + new + made[first + length % 20 :]
        return made

    return edits.map(edited) | at.map(lambda size: content[:size])


def read_npz(path: str) -> None:
    source = files.npz(path, most_bytes=MOST_BYTES)
    for values, labels in source.arrays.values():
        assert values.nbytes <= MOST_BYTES
        assert labels is None or len(labels) == len(values)


def read_by_tensorflow(path: str) -> None:
    height, width, channels = images.probe_file(path)
    assert height * width <= images.image_header.MOST_PIXELS
    assert channels in (1, 2, 3, 4)


def read_by_pillow(path: str) -> None:
    pixels = reading.read_image(path, event_shape=(4, 3, 1))
    assert pixels.shape == (4, 3, 1)
    assert 0 <= pixels.min() <= pixels.max() <= 1


@NUM_EXAMPLES
@pytest.mark.parametrize(
    ("read", "content"),
    [
        *(
            pytest.param(read_npz, c, id=f"npz {n}")
            for n, c in ARCHIVES.items()
        ),
        *(
            pytest.param(read, content, id=f"{name} {read.__name__}")
            for name, content in IMAGES.items()
            for read in (read_by_tensorflow, read_by_pillow)
        ),
    ],
)
def test_damaged_file_is_read_or_refused(
    read: Callable[[str], None],
    content: bytes,
    num_examples: int,
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "a.png"

    def claim(made: bytes) -> None:
        path.write_bytes(made)
        try:
            read(str(path))
        except InputError as error:
            check_refusal(error)

    path.write_bytes(content)
    read(str(path))
    holds(claim, num_examples, made=damaged(content))
