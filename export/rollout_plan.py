"""Which labels a rollout moves, and to which version."""

import dataclasses
import json
import os

from export import models_config
from export.models_config import CANARY, STABLE
from tfvae import folder, storage
from tfvae.errors import InputError

HISTORY = ".rollout.json"  # {model: versions that were stable, oldest first}


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where a model stands in models.config, and on disk.

    Attributes:
      name: of the model.
      published: versions in its folder, rising.
      served: versions at which it is served, rising.
      labels: {label: version}.
      past: versions that were stable, oldest first.
    """

    name: str
    published: list[int]
    served: list[int]
    labels: dict[str, int]
    past: list[int]

    def unlabelled(self) -> list[int]:
        """Returns what is served without a label: a rollout stopped there."""
        return [v for v in self.served if v not in self.labels.values()]

    def has_canary(self) -> bool:
        """Whether a canary runs beside the stable version."""
        return self.labels.get(CANARY) != self.labels.get(STABLE)


@dataclasses.dataclass(frozen=True)
class Move:
    """What is to become of one model.

    Attributes:
      before: where it stands.
      labels: {label: version} at the end.
    """

    before: Standing
    labels: dict[str, int]

    @property
    def version(self) -> int:
        """The version that the canary label ends at."""
        return self.labels[CANARY]

    def is_done(self) -> bool:
        """Whether models.config says so already."""
        return (
            self.before.labels == self.labels and not self.before.unlabelled()
        )


def standings(export_dir: str, model: str) -> list[Standing]:
    """Returns where the models stand.

    Args:
      export_dir: the export folder.
      model: of which; empty: all that models.config has.

    Raises:
      InputError: models.config has no such model, or none.
    """
    config = models_config.read(export_dir)
    past = read_history(export_dir)
    found = [
        Standing(
            name=entry.name,
            published=models_config.published(export_dir, entry.name),
            served=models_config.served(entry),
            labels=dict(entry.version_labels),
            past=past.get(entry.name, []),
        )
        for entry in config.model_config_list.config
        if model in ("", entry.name)
    ]
    if found:
        return found
    names = ", ".join(entry.name for entry in config.model_config_list.config)
    path = os.path.join(export_dir, models_config.MODELS)
    if names:
        raise InputError(
            f"`model` {model} is not in {path}, which has {names}."
        )
    raise InputError(
        f"`export_dir` must name the folder of an export; {path} has no "
        "models. `python -m export.saved_model` writes one."
    )


def plan(action: str, standing: Standing, *, version: int) -> Move:
    """Returns what an action makes of a model.

    Args:
      action: promote, canary or rollback.
      standing: where the model stands.
      version: that was asked for; 0: promote takes the canary or else the
        newest, canary the newest, rollback what was stable before, or where
        a canary runs, ends it.

    Raises:
      InputError: there is no such version, or it is not clear which.
    """
    labels = standing.labels
    if version not in (0, *standing.published):
        raise InputError(
            f"`version` {version} of {standing.name} does not exist; "
            f"{_choice(standing)}."
        )
    if action == "rollback":
        version = version or _earlier(standing)
    elif action == "promote" and standing.has_canary():
        version = version or labels.get(CANARY, 0)
    version = version or max(standing.published, default=0)
    if not version:
        raise InputError(
            f"{standing.name} has no version; `python -m export.saved_model` "
            "publishes one."
        )
    stable = labels.get(STABLE, version) if action == "canary" else version
    return Move(standing, {**labels, STABLE: stable, CANARY: version})


def _earlier(standing: Standing) -> int:
    """Returns the version to which a rollback leads that names none."""
    stable = standing.labels.get(STABLE, 0)
    if standing.unlabelled():
        served = ", ".join(map(str, standing.served))
        raise InputError(
            f"a rollout of {standing.name} stopped half-way (served: {served}; "
            f"stable: {stable}); say --version=N, where stable is to be."
        )
    if standing.has_canary():
        return stable
    for version in reversed(standing.past):
        if version != stable and version in standing.published:
            return version
    raise InputError(
        f"{standing.name} has no earlier stable version; give --version=N: "
        f"{_choice(standing)}."
    )


def _choice(standing: Standing) -> str:
    return "there are " + (", ".join(map(str, standing.published)) or "none")


def read_history(export_dir: str) -> dict[str, list[int]]:
    """Returns {model: versions that were stable, oldest first}.

    Raises:
      InputError: the file that holds it is broken.
    """
    path = os.path.join(export_dir, HISTORY)
    try:
        history = json.loads(storage.read(path))
        if not _is_history(history):
            raise ValueError("it is not {model: [versions]}")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} cannot be read: {error}; remove it, and name versions."
        ) from error
    return history


def _is_history(content: object) -> bool:
    return isinstance(content, dict) and all(
        isinstance(past, list) and all(type(v) is int for v in past)
        for past in content.values()
    )


def remember(export_dir: str, moves: list[Move], *, action: str) -> None:
    """Notes which versions were stable, before or after their label moves.

    Args:
      export_dir: the export folder.
      moves: what becomes of the models.
      action: a rollback forgets what it goes back to; others add to it.
    """
    history = read_history(export_dir)
    for move in moves:
        past = history.setdefault(move.before.name, [])
        old, new = move.before.labels.get(STABLE), move.labels[STABLE]
        if action == "rollback" and new in past:
            del past[past.index(new) :]
        elif action != "rollback" and old and old not in (new, *past[-1:]):
            past.append(old)
    folder.Folder(export_dir).write_json(HISTORY, history)
