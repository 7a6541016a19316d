"""A lock keeps others out, at once or until it is free."""

import pathlib

import pytest

from export import locking


def test_lock_that_is_held_is_refused_or_waited_for(
    tmp_path: pathlib.Path,
) -> None:
    folder = str(tmp_path)
    with (
        locking.locked(folder, "rollout"),
        pytest.raises(BlockingIOError, match="unavailable"),
        locking.locked(folder, "rollout", wait=False),
    ):
        pass
    with locking.locked(folder, "rollout", wait=False):
        pass
