"""Runs, and exports of them, that are killed at random moments.

python -m tests.benchmarks.kills FOLDER [--kills=30] [--seed=0] [--at_once=1]

Each case trains `digits` with python -m tfvae.launch --workers=2, exports the
run, and is hit once by a signal. Where that ended the program, the same command
is given again until it is done. Prints, and writes to FOLDER/kills.json, what
came of each: nothing may be left behind, and the run must be the undisturbed
one to the bit.
"""

import dataclasses
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

from export import integrity
from tests.benchmarks import faults
from tests.benchmarks.export_kills import Poller
from tests.benchmarks.faults import Started
from tfvae.errors import FailedError

EPOCHS = 8
RUN = ("--dataset=digits", "--hidden_units=16", "--latent_dim=2",
       f"--epochs={EPOCHS}")  # fmt: skip
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
WORKERS = {"chief": 0, "worker": 1}
IN_TRAINING = ("start", "epoch", "checkpoint", "end")
OF_PROCESSES = 0.05  # seconds between two looks at all of the machine's
MOST_TRIES = 5  # of the command, and of coming in time with the signal
# Largest delay in seconds after the moment has come.
DELAYS = {"start": 8.0, "epoch": 0.3, "checkpoint": 0.0, "end": 3.0,
          "export": 10.0}  # fmt: skip


@dataclasses.dataclass
class Case:
    """A kill: when, who, by what; and what came of it.

    Attributes:
      moment: one of IN_TRAINING, or "export".
      who: "launcher", "chief" or "worker"; of an export "exporter" or "child",
        the process in which it tries the new version.
      number: of the signal.
      epoch: after which, for "epoch" and "checkpoint".
      share: of the largest delay, from 0 to 1.
    """

    moment: str
    who: str
    number: signal.Signals
    epoch: int
    share: float
    statuses: list[int] = dataclasses.field(default_factory=list)
    hit_after: float = 0.0  # seconds
    done_after: float = 0.0  # seconds after the signal, of all that follows
    was_saving: bool = False  # whether a checkpoint was half-written then
    told: str = ""
    flaws: list[str] = dataclasses.field(default_factory=list)


def draw(num: int, rng: random.Random) -> list[Case]:
    """Returns cases in which every combination comes up as often."""
    whos = dict.fromkeys(IN_TRAINING, ("launcher", *WORKERS)) | {
        "export": ("exporter", "exporter", "child")
    }
    combinations = [
        (moment, who, number)
        for moment, names in whos.items()
        for who in names
        for number in SIGNALS
    ]

    def shuffled() -> Iterator[tuple[str, str, signal.Signals]]:
        while True:
            yield from rng.sample(combinations, len(combinations))

    return [
        Case(*one, epoch=rng.randrange(1, EPOCHS), share=rng.random())
        for one in itertools.islice(shuffled(), num)
    ]


def command(folder: pathlib.Path) -> tuple[str, ...]:
    """Returns module and flags that train a run with two workers."""
    return ("tfvae.launch", "--workers=2", "--", f"--run_dir={folder}", *RUN)


def export_command(folder: pathlib.Path) -> tuple[str, ...]:
    """Returns module and flags that export the run in a folder."""
    return ("export.saved_model", f"--run_dir={folder / 'run'}",
            f"--export_dir={folder / 'export'}", "--parts=decoder")  # fmt: skip


def give(words: Sequence[str], case: Case, run_dir: pathlib.Path) -> bool:
    """Gives a command until it is done, and notes what came of it.

    Args:
      words: of the command.
      case: applied to the first try.
      run_dir: at which its moment is seen.

    Returns:
      Whether the signal came before the end.
    """
    case.statuses, case.flaws, hit_at = [], [], 0.0
    for number in range(MOST_TRIES):
        program = Started(*words)
        if number == 0:
            hit_at = _hit(program, case, run_dir)
        case.statuses.append(program.wait())
        case.flaws += program.left_behind() + program.misspoken()
        if number == 0:
            case.told = " / ".join(program.stderr())
        if case.statuses[-1] == 0:
            break
    case.done_after = time.monotonic() - hit_at
    # A worker is started again by the launcher; the user is not to be asked.
    most = 1 if case.who in WORKERS else 2
    if len(case.statuses) > most or case.statuses[-1]:
        case.flaws.append(f"statuses {case.statuses}")
    return hit_at > 0


def _hit(program: Started, case: Case, run_dir: pathlib.Path) -> float:
    """Sends the signal at its moment; returns when, 0 where it was too late."""
    found = program.wait_for(lambda: _find(program, case), every=OF_PROCESSES)
    if found is None:
        return 0.0
    program.wait_for(lambda: MOMENTS[case.moment](case, run_dir))
    time.sleep(case.share * DELAYS[case.moment])
    if program.has_ended():
        return 0.0
    try:
        os.kill(found, case.number)
    except ProcessLookupError:
        return 0.0
    case.was_saving = faults.is_saving(run_dir)
    case.hit_after = time.monotonic() - program.began
    return time.monotonic()


def _find(program: Started, case: Case) -> int | None:
    if case.who in WORKERS:
        return program.worker(WORKERS[case.who])
    if case.who == "child":
        return program.child("export.trial_run")
    return program.process.pid


MOMENTS: dict[str, Callable[[Case, pathlib.Path], bool]] = {
    "start": lambda case, path: True,
    "epoch": lambda case, path: faults.num_rows(path) >= case.epoch,
    "checkpoint": lambda case, path: (
        faults.num_rows(path) >= case.epoch and faults.is_saving(path)
    ),
    "end": lambda case, path: faults.num_rows(path) == EPOCHS,
    "export": lambda case, path: True,
}


def try_case(
    case: Case, folder: pathlib.Path, undisturbed: pathlib.Path
) -> None:
    """Trains and exports under a case; fills it in.

    Args:
      case: to be tried; where the signal comes too late, with less delay.
      folder: to write in.
      undisturbed: run to compare with.
    """
    for _ in range(MOST_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if case.moment == "export":
            shutil.copytree(undisturbed, folder / "run")
            was_hit = _export(folder, case)
        else:
            was_hit = give(command(folder / "run"), case, folder / "run")
        if was_hit:
            break
        case.share /= 2
    else:
        case.flaws.append("the signal always came too late")
    own = folder / "run"
    case.flaws += faults.flaws(own) or faults.differences(own, undisturbed)
    if case.moment != "export":
        _export(folder, case)


def _export(folder: pathlib.Path, case: Case) -> bool:
    """Exports under the eyes of one that polls as a server does.

    Returns:
      Whether the case, if it is of exports, came before the end.
    """
    exported, was_hit = folder / "export", False
    poller = Poller(exported)
    poller.start()
    if case.moment == "export":
        was_hit = give(export_command(folder), case, folder / "run")
    else:
        faults.finish(*export_command(folder))
    time.sleep(0.1)
    poller.stop.set()
    poller.join()
    case.flaws += poller.faults
    case.flaws += [f"{path} was left" for path in exported.glob("*/.*")]
    versions = [*exported.glob("*/[0-9]*")]
    if not versions:
        case.flaws.append("nothing was exported")
    for version in versions:
        try:
            integrity.check(str(version))
        except FailedError as error:
            case.flaws.append(str(error))
    return was_hit


def table(cases: Sequence[Case]) -> str:
    """Returns a line a case."""
    head = (
        "moment",
        "who",
        "signal",
        "saving",
        "after s",
        "done s",
        "statuses",
        "flaws",
    )
    rows = [head] + [
        (
            case.moment, case.who, case.number.name,
            "yes" if case.was_saving else "no", f"{case.hit_after:.1f}",
            f"{case.done_after:.1f}", ",".join(map(str, case.statuses)),
            "; ".join(case.flaws) or "none",
        )
        for case in cases
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows
    )


def main(folder: str, *more: str) -> int:
    """Tries all cases, prints them; returns 1 where one has a flaw."""
    given = dict(word.removeprefix("--").split("=") for word in more)
    home = pathlib.Path(folder)
    undisturbed = home / "undisturbed"
    if not (undisturbed / "result.json").exists():
        faults.finish(*command(undisturbed))
    rng = random.Random(int(given.get("seed", 0)))
    cases = draw(int(given.get("kills", 30)), rng)
    at_once = int(given.get("at_once", 1))

    def work(number: int) -> None:
        case = cases[number]
        try_case(case, home / f"case-{number}", undisturbed)
        print(table([case]).splitlines()[1], flush=True)
        if not case.flaws:
            shutil.rmtree(home / f"case-{number}")

    with futures.ThreadPoolExecutor(at_once) as pool:
        list(pool.map(work, range(len(cases))))
    record: list[dict[str, Any]] = [dataclasses.asdict(case) for case in cases]
    (home / "kills.json").write_text(json.dumps(record, indent=2) + "\n")
    print(table(cases))
    flawed = sum(bool(case.flaws) for case in cases)
    print(f"{len(cases)} kills, {flawed} with a flaw")
    return int(flawed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
