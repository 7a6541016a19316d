"""Weights in one npz file, with the sum that tells whether they are whole."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import tensorflow as tf

from tfvae.data.npz_archive import UNREADABLE
from tfvae.learner import Learner

SUM = "sha256"  # name of the array that holds the others' sum
MOST_HEADER_BYTES = 4096

Arrays = Mapping[str, np.ndarray]


def variables(model: Learner) -> dict[str, tf.Variable]:
    """Returns the variables of all networks by names that stay the same.

    Keras numbers its layers through a process, so their names are left out.
    """
    return {
        f"{name}/{index:03d}/{_own_name(variable)}": variable
        for name, network in model.networks.items()
        for index, variable in enumerate(network.variables)
    }


def write(file: IO[bytes], arrays: Arrays) -> None:
    """Writes arrays, and their sum, to an open file.

    Args:
      file: to write to.
      arrays: by name.
    """
    held: dict[str, Any] = {SUM: np.frombuffer(_sum(arrays), np.uint8)}
    np.savez(file, **held | dict(arrays))


def read(content: bytes, like: Arrays) -> dict[str, np.ndarray]:
    """Returns the arrays that a file holds.

    Nothing is unpickled, and no more memory taken than the arrays need. A file
    without a sum, as they were once written, is taken as it is.

    Args:
      content: of the file.
      like: arrays of the names, types and shapes that it must hold.

    Raises:
      ValueError: it holds others, or is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            _check_names(names, like)
            arrays = {
                name: _member(archive, name, array)
                for name, array in like.items()
            }
            if SUM in names:
                found = _member(archive, SUM, np.zeros(32, np.uint8))
                if found.tobytes() != _sum(arrays):
                    raise ValueError("its sha256 sum is not that of its arrays")
    except UNREADABLE as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return arrays


def assign(model: Learner, content: bytes) -> None:
    """Gives a model the weights that a file holds.

    Args:
      model: of the settings with which they were saved.
      content: of the file.

    Raises:
      ValueError: as of `read`.
    """
    own = variables(model)
    arrays = read(content, {name: v.numpy() for name, v in own.items()})
    for name, variable in own.items():
        variable.assign(arrays[name])


def sha256(arrays: Arrays) -> str:
    """Returns the sum of names, types, shapes and values, in hexadecimals."""
    return _sum(arrays).hex()


def _sum(arrays: Arrays) -> bytes:
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        head = [name, array.dtype.str, list(arrays[name].shape)]
        total.update(json.dumps(head).encode() + b"\n")
        total.update(array.data if array.size else b"")
    return total.digest()


def _check_names(names: list[str], like: Arrays) -> None:
    missing = sorted(set(like) - set(names))
    extra = sorted(set(names) - {*like, SUM})
    if missing:
        raise ValueError(f"it has no {missing[0]}")
    if extra or len(names) != len(set(names)):
        raise ValueError(f"it holds {(extra or names)[0]!r:.60} too")


def _member(
    archive: zipfile.ZipFile, name: str, like: np.ndarray
) -> np.ndarray:
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > like.nbytes + MOST_HEADER_BYTES:
        raise ValueError(f"{name} is larger than the model's")
    member = io.BytesIO(archive.read(info))
    np.lib.format.read_magic(member)
    shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    if (shape, dtype) != (like.shape, like.dtype):
        raise ValueError(
            f"{name} is {dtype}{list(shape)} where the model has "
            f"{like.dtype}{list(like.shape)}"
        )
    member.seek(0)
    return np.lib.format.read_array(member, allow_pickle=False)


def _own_name(variable: tf.Variable) -> str:
    """Returns "kernel" for "dense_1/kernel:0"."""
    return variable.name.rpartition("/")[2].partition(":")[0]
