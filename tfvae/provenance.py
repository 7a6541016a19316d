"""Where a run came from: software, machine, source, data and weights."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

import tfvae
from tfvae import weights
from tfvae.data.sources import PARTS
from tfvae.data.split import ArraySplit, Split, Splits, StreamSplit
from tfvae.learner import Learner

PACKAGES = (
    "tensorflow", "tf_keras", "tensorflow-probability", "tensorflow-datasets",
    "numpy", "scipy", "scikit-learn", "pillow", "ml_dtypes",
)  # fmt: skip
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(tfvae.__file__)))
GIT_SECONDS = 5.0  # a stalled network file system must not hold up a run
CHUNK = 32  # records read at once


def provenance(splits: Splits, model: Learner) -> dict[str, Any]:
    """Returns what result.json tells of a run's origin.

    Args:
      splits: the data that the run learns from, chooses by and reports on.
      model: with the weights that are reported on.

    Returns:
      "versions", "git_commit" and "data_fingerprint", of the functions here;
      "weights_sha256", of `weights.sha256`; and "num_replicas", over which the
      model was trained.
    """
    arrays = {name: v.numpy() for name, v in weights.variables(model).items()}
    return {
        "versions": versions(),
        "git_commit": git_commit(),
        "data_fingerprint": data_fingerprint(splits),
        "weights_sha256": weights.sha256(arrays),
        "num_replicas": model.distribute_strategy.num_replicas_in_sync,
    }


def versions() -> dict[str, str]:
    """Returns {name: version}: tfvae, Python, packages, platform, CPU.

    "cpu" is the number of cores that TensorFlow may use and the instruction
    sets that NumPy found: with others of both, sums differ in their last bits.
    A package that is not installed is left out.
    """
    found = {
        "tfvae": tfvae.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": " ".join([f"{_num_cores()} x", *_instruction_sets()]),
    }
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def git_commit(root: str = ROOT) -> str | None:
    """Returns the commit of a checkout, with "-dirty" where files differ.

    Files that git does not track are not looked at.

    Args:
      root: of the checkout; by default the one that tfvae runs from.

    Returns:
      None: it is no checkout (tfvae is installed), or git does not tell.
    """
    # Without this, git would name the project in which an environment lies.
    if not os.path.exists(os.path.join(root, ".git")):
        return None
    command = [
        "git", "--no-optional-locks", "-C", root, "describe", "--always",
        "--dirty", "--abbrev=40", "--exclude=*",
    ]  # fmt: skip
    others = [name for name in os.environ if name.startswith("GIT_")]
    env = {k: v for k, v in os.environ.items() if k not in others}
    try:
        answer = subprocess.run(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="ascii",
            errors="replace",
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def data_fingerprint(splits: Splits) -> str:
    """Returns a sha256 over all examples: other data, another fingerprint.

    It covers the training, validation and test examples in their order, the
    labels, and the range. Equal data give an equal one on every machine,
    whatever their path. In memory they are taken as they were prepared
    (resized, drawn by static binarisation); streamed, as they are stored: the
    bytes of every image file or record, which are read once, and the shape
    that they are brought to. So the same images have one fingerprint in memory
    and another streamed.

    Returns:
      64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    shape = splits.spec.event_shape
    for part in PARTS:
        split: Split = getattr(splits, part)
        header = {
            "part": part,
            "shape": [split.num_examples, *shape],
            "divisor": split.divisor,
            "dequantized": split.dequantized,
        }
        for piece in (json.dumps(header).encode(), *_pieces(split)):
            digest.update(memoryview(piece).nbytes.to_bytes(8, "little"))
            digest.update(piece)
    return digest.hexdigest()


def _num_cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _instruction_sets() -> list[str]:
    found: Any = np.show_config(mode="dicts")
    return found.get("SIMD Extensions", {}).get("found", [])


def _pieces(split: Split) -> Iterator[bytes | memoryview]:
    """Yields what a split holds, a piece at a time."""
    if isinstance(split, ArraySplit):
        for array in (split.x, split.y):
            if array is not None:
                yield array.dtype.name.encode()
                yield _portable(array)
        return
    for record in _records(split):
        for value in record:
            yield value if isinstance(value, bytes) else _portable(value)


def _portable(array: np.ndarray) -> memoryview:
    """Returns an array's bytes, the same on every machine."""
    little = array.dtype.newbyteorder("<")
    return np.ascontiguousarray(array, dtype=little).data


def _records(split: StreamSplit) -> Iterator[tuple[Any, ...]]:
    """Yields the stored records of a split, in order, undecoded."""
    stored = split.elements.map(_with_content, tf.data.AUTOTUNE)
    for chunk in stored.batch(CHUNK).as_numpy_iterator():
        yield from zip(*tf.nest.flatten(chunk), strict=True)


def _with_content(record: Any) -> Any:
    """Returns a record with the files that it names read in."""
    if not isinstance(record, dict):
        return record
    return {
        key: tf.io.read_file(value) if key == "path" else _with_content(value)
        for key, value in record.items()
    }
