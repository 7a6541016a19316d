"""The safe sequence: load both, wait, move the label, drop the old one.

Every step is a models.config written by rename, so a rollout that is killed
leaves one that serves; the same rollout goes on from there.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence

from export import models_config
from export.models_config import LABELS
from export.rollout_plan import Move
from export.server_state import AVAILABLE, ServerState, UnreachableError
from tfvae.errors import FailedError

LOOK_SECONDS = 0.2
UNKNOWN = (
    "the server does not know of it; does it read models.config again and "
    "again (--model_config_file_poll_wait_seconds=1)?"
)


def load(export_dir: str, moves: Sequence[Move]) -> None:
    """Has the new versions loaded beside the old ones; no label moves."""
    with models_config.edit(export_dir) as config:
        for entry, move in _entries(config, moves):
            wanted = [*move.before.served, *move.labels.values()]
            models_config.serve(entry, wanted)


def label(export_dir: str, moves: Sequence[Move]) -> None:
    """Moves the labels; the old versions stay loaded."""
    with models_config.edit(export_dir) as config:
        for entry, move in _entries(config, moves):
            entry.version_labels.update(move.labels)


def drop(export_dir: str, moves: Sequence[Move]) -> None:
    """Drops the versions without a label."""
    with models_config.edit(export_dir) as config:
        for entry, _ in _entries(config, moves):
            models_config.serve(entry, [])


@contextlib.contextmanager
def put_back(export_dir: str, moves: Sequence[Move]) -> Iterator[None]:
    """Puts models.config back as it was if the server refuses its block.

    Args:
      export_dir: the export folder.
      moves: what was to become of the models.
    """
    try:
        yield
    except FailedError as error:
        with models_config.edit(export_dir) as config:
            for entry, move in _entries(config, moves):
                entry.version_labels.clear()
                entry.version_labels.update(move.before.labels)
                entry.model_version_policy.specific.versions[:] = (
                    move.before.served
                )
        raise FailedError(f"{error}; models.config is as it was.") from error


def wait_until_loaded(
    server: ServerState, moves: Sequence[Move], *, end: float
) -> None:
    """Waits until all versions that the labels move to are available.

    Args:
      server: that reads models.config again and again.
      moves: what becomes of the models.
      end: of `time.monotonic`, after which it is given up.

    Raises:
      FailedError: a version could not be loaded, or it took too long.
    """
    for move in moves:
        for version in sorted({move.labels[name] for name in LABELS}):
            _wait_for_version(server, move.before.name, version, end=end)


def wait_until_labelled(
    server: ServerState, moves: Sequence[Move], *, end: float
) -> None:
    """Waits until the labels lead to their new versions.

    Args:
      server: that reads models.config again and again.
      moves: what becomes of the models.
      end: of `time.monotonic`, after which it is given up.

    Raises:
      FailedError: it took too long.
    """
    for move in moves:
        for name in LABELS:
            model, version = move.before.name, move.labels[name]
            while True:
                try:
                    answers = server.label(model, name)
                    if answers == version:
                        break
                    seen = f"leads to {answers or 'no version'}"
                except UnreachableError as error:
                    seen = f"cannot be seen: {error}"
                _pause(
                    f"the label {name} of {model} has not moved to {version} "
                    f"in time: it {seen}",
                    end=end,
                )


def wait_until_dropped(
    server: ServerState, moves: Sequence[Move], *, end: float
) -> None:
    """Waits until no request reaches what has no label any more.

    Args:
      server: that reads models.config again and again.
      moves: what became of the models.
      end: of `time.monotonic`, after which it is given up.

    Raises:
      FailedError: it took too long.
    """
    for move in moves:
        model = move.before.name
        for version in set(move.before.served) - set(move.labels.values()):
            while True:
                try:
                    state = server.version(model, version).state
                    if state != AVAILABLE:
                        break
                    seen = f"it is {state}"
                except UnreachableError as error:
                    seen = str(error)
                _pause(
                    f"the labels of {model} have moved, but version {version} "
                    f"was not dropped in time: {seen}",
                    end=end,
                )


def _wait_for_version(
    server: ServerState, model: str, version: int, *, end: float
) -> None:
    while True:
        try:
            state = server.version(model, version)
            if state.state == AVAILABLE:
                return
            if state.has_failed():
                raise FailedError(
                    f"version {version} of {model} cannot be loaded: "
                    f"{state.code}: {state.message}"
                )
            seen = f"it is {state.state}" if state.state else UNKNOWN
        except UnreachableError as error:
            seen = str(error)
        _pause(
            f"version {version} of {model} was not available in time: {seen}",
            end=end,
        )


def _pause(failure: str, *, end: float) -> None:
    if time.monotonic() >= end:
        raise FailedError(failure)
    time.sleep(LOOK_SECONDS)


def _entries(
    config: models_config.config_pb2.ModelServerConfig, moves: Sequence[Move]
) -> Iterator[tuple[models_config.config_pb2.ModelConfig, Move]]:
    by_name = {move.before.name: move for move in moves}
    for entry in config.model_config_list.config:
        if entry.name in by_name:
            yield entry, by_name[entry.name]
