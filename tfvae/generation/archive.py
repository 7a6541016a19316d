"""An .npz written part by part, so that memory does not grow with its rows."""

import dataclasses
import itertools
import zipfile
from collections.abc import Iterable, Mapping
from typing import IO

import numpy as np


@dataclasses.dataclass(frozen=True)
class Parts:
    """Arrays of equally many rows, made part by part as they are read.

    Attributes:
      num: of rows; at least 1.
      arrays: {name: its parts [n, ...], of one dtype and shape but for n}.
    """

    num: int
    arrays: Mapping[str, Iterable[np.ndarray]]


def write(file: IO[bytes], parts: Parts) -> None:
    """Writes what np.savez would write of the whole arrays, to the byte.

    Args:
      file: open for writing, and seekable.
      parts: are read one after another, each once.
    """
    with zipfile.ZipFile(file, "w") as archive:
        for name, of_array in parts.arrays.items():
            rest = iter(of_array)
            first = next(rest)
            header = {
                "descr": np.lib.format.dtype_to_descr(first.dtype),
                "fortran_order": False,
                "shape": (parts.num, *first.shape[1:]),
            }
            # An array of 2 GiB and more needs the 64 bits from the start.
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, header)
                for part in itertools.chain([first], rest):
                    member.write(np.ascontiguousarray(part).data)
