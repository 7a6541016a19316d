"""The safe sequence: load both, wait, move the label, drop the old one.

Every step is a models.config written by rename, so a rollout that is killed
leaves one that serves; the same rollout goes on from there.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence

from export import models_config
from export.client import (
    Client,
    ClientError,
    InvalidArgument,
    NotFound,
    VersionStatus,
)
from export.client.status import AVAILABLE
from export.models_config import LABELS
from export.rollout_plan import Move
from tfvae.errors import FailedError

ANSWER_SECONDS = 10.0
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


def states(url: str, model: str) -> dict[int, VersionStatus]:
    """Returns the versions of a model that a server knows of.

    Args:
      url: of the server.
      model: its name.

    Raises:
      InputError: the URL is none.
      FailedError: no server of models answers there.
    """
    with _asking(url) as client:
        try:
            found = client.status(model=model)
        except NotFound:
            return {}
    return {status.version: status for status in found}


def wait_until_loaded(url: str, moves: Sequence[Move], *, end: float) -> None:
    """Waits until all versions that the labels move to are available.

    Args:
      url: of a server that reads models.config again and again.
      moves: what becomes of the models.
      end: of `time.monotonic`, after which it is given up.

    Raises:
      FailedError: a version could not be loaded, or it took too long.
    """
    for move in moves:
        for version in sorted({move.labels[name] for name in LABELS}):
            _wait_for_version(url, move.before.name, version, end=end)


def wait_until_labelled(url: str, moves: Sequence[Move], *, end: float) -> None:
    """Waits until the labels lead to their new versions.

    Args:
      url: of a server that reads models.config again and again.
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
                    answers = _leads_to(url, model, name)
                    if answers == version:
                        break
                    seen = f"leads to {answers or 'no version'}"
                except FailedError as error:
                    seen = f"cannot be seen: {error}"
                _pause(
                    f"the label {name} of {model} has not moved to {version} "
                    f"in time: it {seen}",
                    end=end,
                )


def wait_until_dropped(url: str, moves: Sequence[Move], *, end: float) -> None:
    """Waits until no request reaches what has no label any more.

    Args:
      url: of a server that reads models.config again and again.
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
                    status = states(url, model).get(version)
                    if status is None or status.state != AVAILABLE:
                        break
                    seen = f"it is {status.state}"
                except FailedError as error:
                    seen = str(error)
                _pause(
                    f"the labels of {model} have moved, but version {version} "
                    f"was not dropped in time: {seen}",
                    end=end,
                )


def _wait_for_version(
    url: str, model: str, version: int, *, end: float
) -> None:
    while True:
        try:
            status = states(url, model).get(version)
        except FailedError as error:
            seen = str(error)
        else:
            if status and status.state == AVAILABLE:
                return
            if status and status.has_failed:
                raise FailedError(
                    f"version {version} of {model} cannot be loaded: "
                    f"{status.error()}"
                )
            seen = f"it is {status.state}" if status else UNKNOWN
        _pause(
            f"version {version} of {model} was not available in time: {seen}",
            end=end,
        )


def _leads_to(url: str, model: str, label: str) -> int | None:
    """Returns the version that answers for a label; None: none does."""
    # The status is the same for every label; the metadata are not.
    with _asking(url, label=label) as client:
        try:
            return client.metadata(model=model).version
        except (InvalidArgument, NotFound):
            return None


@contextlib.contextmanager
def _asking(url: str, *, label: str = "") -> Iterator[Client]:
    """Lends a client that tries once; the rollout itself asks again."""
    try:
        with Client(
            url, version_label=label, timeout=ANSWER_SECONDS, num_retries=0
        ) as client:
            yield client
    except ClientError as error:
        raise FailedError(f"no server of models at {url}: {error}") from error


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
