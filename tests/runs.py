"""What two runs are compared by."""

import json
import pathlib

import numpy as np


def rows_of(run_dir: pathlib.Path) -> list[dict[str, float]]:
    """Returns the rows of metrics.jsonl without what a clock measured."""
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:
        del row["seconds"], row["images_per_second"]
    return rows


def weights_of(run_dir: pathlib.Path, which: str) -> dict[str, bytes]:
    """Returns the bits of the "best" or the "last" weights, by name."""
    with np.load(run_dir / "weights" / f"{which}.npz") as arrays:
        return {name: arrays[name].tobytes() for name in arrays}


def assert_same_run(one: pathlib.Path, other: pathlib.Path) -> None:
    """Asserts that weights, to the bit, and rows are the same."""
    for which in ("last", "best"):
        assert weights_of(one, which) == weights_of(other, which)
    assert rows_of(one) == rows_of(other)
