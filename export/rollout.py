"""Moves labels between versions: python -m export.rollout --help."""

import dataclasses
import os
import time
from typing import TYPE_CHECKING

from export import interruption
from tfvae import flags, program, settings, storage
from tfvae.errors import FailedError, InputError, WriteError
from tfvae.folder import Folder
from tfvae.settings import setting

if TYPE_CHECKING:
    from export.rollout_plan import Move

SUMMARY = """Moves the labels of an export's models between their versions.

usage: python -m export.rollout ACTION --export_dir=E [--name=value ...]

ACTION is one of
  promote   both labels to a version: the canary, or else the newest
  canary    the label canary to a version, the newest; stable stays
  rollback  ends a canary; without one, both labels to what was stable before
  status    where the models stand; changes nothing

The new version is loaded beside the old one; once the server at --url says
that it is available the labels move, then what has no label is dropped. The
server must look at models.config again and again, as export.serve and
compose.yaml let it. A version that cannot be loaded ends the rollout, and
models.config is put back.

A request that names neither label nor version is answered by the largest
version that is loaded: a canary answers it."""

STOPPED = (
    "stopped; `status` says where it stands, and the same command goes on."
)
ACTIONS = ("promote", "canary", "rollback", "status")


@dataclasses.dataclass(frozen=True)
class Rollout:
    """Settings of the program.

    Raises:
      InputError: a value is of the wrong type or out of bounds.
    """

    action: str = setting("", "what to do", words=ACTIONS)
    export_dir: str = setting("", "folder that export.saved_model wrote")
    model: str = setting("", "of the export; empty: all of them")
    version: int = setting(
        0, "to which labels move; 0: see above",
        number=int, minimum=0, maximum=2**63 - 1,
    )  # fmt: skip
    url: str = setting(
        "", "REST interface of the server to wait for, as http://HOST:PORT"
    )
    timeout: float = setting(
        300.0,
        "seconds until a version that does not become available is given up",
        number=float, above=0, maximum=1e6,
    )  # fmt: skip
    offline: bool = setting(
        False,
        "no server runs: write what it is to begin with, and wait for nothing",
        is_switch=True,
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = settings.check(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        if self.url and self.offline:
            raise InputError(
                "`url` and `offline` exclude each other; give one of them."
            )


def main(argv: list[str]) -> int:
    """Reads the command line, moves labels, and returns the exit status."""
    asked = flags.parse_as(Rollout, argv, summary=SUMMARY, positional="action")
    return interruption.run(lambda: _act(asked), stopped=STOPPED)


def _act(asked: Rollout) -> int:
    if not storage.is_local(asked.export_dir):
        with interruption.held(), program.quiet_start():
            program.start_tensorflow()
    folder = Folder(asked.export_dir)
    if not (folder.has() and storage.is_folder(folder.path)):
        raise InputError(
            "`export_dir` must name the folder of an export; got "
            f"{asked.export_dir!r}."
        )
    (show if asked.action == "status" else roll_out)(asked)
    return program.DONE


def roll_out(asked: Rollout) -> None:
    """Moves the labels as asked, step by step.

    Args:
      asked: what to do.

    Raises:
      InputError: there is no such model or version, another rollout runs, or
        the folder cannot be written.
      FailedError: a version is damaged or cannot be loaded, or no server can
        be waited for.
    """
    from export import locking, rollout_plan

    try:
        with (
            locking.alone(Folder(asked.export_dir)),
            locking.locked(asked.export_dir, "rollout", wait=False),
        ):
            moves = [
                rollout_plan.plan(asked.action, model, version=asked.version)
                for model in rollout_plan.standings(
                    asked.export_dir, asked.model
                )
            ]
            _move([move for move in moves if not move.is_done()], asked)
    except BlockingIOError as error:
        raise InputError(
            f"another rollout of {asked.export_dir} is under way; wait for "
            "its end, or end it."
        ) from error
    except WriteError:
        raise
    except OSError as error:
        raise InputError(
            f"`export_dir` {asked.export_dir} cannot be written: "
            f"{error.strerror}."
        ) from error
    for move in moves:
        print(f"{move.before.name}: {_shown(move.labels)}")


def show(asked: Rollout) -> None:
    """Prints where the models stand, and what their server says.

    Args:
      asked: of which models, and of which server.

    Raises:
      FailedError: no server answers at the URL.
    """
    from export import rollout_plan, rollout_steps

    for standing in rollout_plan.standings(asked.export_dir, asked.model):
        print(f"{standing.name}: {_shown(standing.labels)}")
        print(f"  published: {_listed(standing.published)}")
        print(f"  served: {_listed(standing.served)}")
        if standing.past:
            print(f"  stable before: {_listed(standing.past)}")
        if standing.unlabelled():
            print(
                "  a rollout stopped half-way: "
                f"{_listed(standing.unlabelled())} served without a label; go "
                "on with the same command, or name where stable is to be: "
                "rollback --version=N"
            )
        if asked.url:
            states = rollout_steps.states(asked.url, standing.name)
            for version, status in sorted(states.items()):
                words = f": {status.error()}" if status.has_failed else ""
                print(f"  server: {version} {status.state}{words}")


def _move(moves: list["Move"], asked: Rollout) -> None:
    """Takes the models, together, to where their labels are to lead."""
    from export import rollout_plan, rollout_steps

    if not moves:
        return
    _check_files(moves, asked.export_dir)
    folder, end = asked.export_dir, time.monotonic() + asked.timeout
    if not asked.offline:
        _load(moves, asked, end=end)
    going_back = asked.action == "rollback"
    if not going_back:
        # Before the labels move, so that a kill leaves where to go back to.
        rollout_plan.remember(folder, moves, action=asked.action)
    with rollout_steps.put_back(folder, moves):
        rollout_steps.label(folder, moves)
        if not asked.offline:
            rollout_steps.wait_until_labelled(asked.url, moves, end=end)
    if going_back:
        rollout_plan.remember(folder, moves, action=asked.action)
    rollout_steps.drop(folder, moves)
    if not asked.offline:
        rollout_steps.wait_until_dropped(asked.url, moves, end=end)


def _check_files(moves: list["Move"], export_dir: str) -> None:
    """Makes sure that what comes to be served is what was published."""
    from export import integrity

    for move in moves:
        new = {*move.labels.values()} - {*move.before.served}
        for version in sorted(new):
            integrity.check(
                os.path.join(export_dir, move.before.name, str(version))
            )


def _load(moves: list["Move"], asked: Rollout, *, end: float) -> None:
    """Has the new versions loaded, and waits for the server to do it."""
    from export import rollout_steps

    if asked.url:
        _check_server(asked.url, moves)
    rollout_steps.load(asked.export_dir, moves)
    for move in moves:
        print(f"{move.before.name}: loading {move.version}", flush=True)
    if not asked.url:
        raise FailedError(
            "the labels have not moved: without --url it cannot be seen when "
            "what is to bear them is loaded; give the same command with "
            "--url=http://HOST:PORT, or with --offline if no server runs."
        )
    with rollout_steps.put_back(asked.export_dir, moves):
        rollout_steps.wait_until_loaded(asked.url, moves, end=end)


def _check_server(url: str, moves: list["Move"]) -> None:
    """Makes sure, before anything is changed, that a server answers."""
    from export import rollout_steps

    try:
        for move in moves:
            rollout_steps.states(url, move.before.name)
    except FailedError as error:
        raise FailedError(f"{error}; nothing was changed.") from error


def _shown(labels: dict[str, int]) -> str:
    return ", ".join(f"{name} {labels[name]}" for name in sorted(labels))


def _listed(versions: list[int]) -> str:
    return ", ".join(map(str, versions)) or "none"


if __name__ == "__main__":
    program.run_main(main, stopped=STOPPED)
