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


def train(folder: pathlib.Path, case: Case | None = None) -> None:
    """Trains a run to its end; hits it once if there is a case for it."""
    words = ("tfvae.launch", "--workers=2", "--", f"--run_dir={folder}", *RUN)
    run(words, case, folder, is_there=MOMENTS[case.moment] if case else None)


def export(
    run_dir: pathlib.Path, folder: pathlib.Path, case: Case | None = None
) -> None:
    """Exports a run; hits that once if there is a case for it."""
    words = ("export.saved_model", f"--run_dir={run_dir}",
             f"--export_dir={folder}", "--parts=decoder")  # fmt: skip
    run(words, case, folder, is_there=_is_begun if case else None)


def run(
    words: Sequence[str],
    case: Case | None,
    folder: pathlib.Path,
    is_there: Callable[[Case, pathlib.Path], bool] | None,
) -> None:
    """Gives a command until it is done, and notes what came of it.

    Args:
      words: of the command.
      case: to be applied to the first; none: it is left alone.
      folder: that it writes.
      is_there: whether the moment has come.
    """
    hit_at = 0.0
    for _ in range(MOST_TRIES):
        program = Started(*words)
        if is_there and case and not hit_at:
            hit_at = _hit(program, case, folder, is_there)
        status = program.wait()
        if case is None:
            assert status == 0, program.stderr()
            return
        case.flaws += program.left_behind() + program.misspoken()
        case.statuses.append(status)
        if hit_at and len(case.statuses) == 1:
            case.told = " / ".join(program.stderr())
        if status == 0:
            break
    else:
        case.flaws.append(f"not done: {' / '.join(program.stderr())}")
    if hit_at:
        case.done_after = time.monotonic() - hit_at


def _hit(
    program: Started,
    case: Case,
    folder: pathlib.Path,
    is_there: Callable[[Case, pathlib.Path], bool],
) -> float:
    """Sends the signal at its moment; returns when, 0 where it was too late."""
    if not (
        program.wait_until(
            lambda: _find(program, case) is not None, every=OF_PROCESSES
        )
        and program.wait_until(lambda: is_there(case, folder))
    ):
        return 0.0
    time.sleep(case.share * DELAYS[case.moment])
    found = _find(program, case)
    if found is None or program.has_ended():
        return 0.0
    os.kill(found, case.number)
    case.hit_after = time.monotonic() - program.began
    return time.monotonic()


def _find(program: Started, case: Case) -> int | None:
    if case.who in WORKERS:
        return program.worker(WORKERS[case.who])
    if case.who == "child":
        return program.child("export.trial_run")
    return program.process.pid


def _is_begun(case: Case, folder: pathlib.Path) -> bool:
    return True


MOMENTS: dict[str, Callable[[Case, pathlib.Path], bool]] = {
    "start": _is_begun,
    "epoch": lambda case, path: faults.num_rows(path) >= case.epoch,
    "checkpoint": lambda case, path: (
        faults.num_rows(path) >= case.epoch and faults.is_saving(path)
    ),
    "end": lambda case, path: faults.num_rows(path) == EPOCHS,
}


def try_case(
    case: Case, folder: pathlib.Path, undisturbed: pathlib.Path
) -> None:
    """Trains and exports under a case; fills it in.

    Args:
      case: to be tried; where the signal comes too late, with less delay.
      folder: to write in; removed where no flaw was found.
      undisturbed: run to compare with.
    """
    for _ in range(MOST_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        case.statuses, case.flaws = [], []
        if case.moment in IN_TRAINING:
            train(folder / "run", case)
        else:
            shutil.copytree(undisturbed, folder / "run")
            _export_watched(folder, case)
        if case.hit_after:
            break
        case.share /= 2
    case.flaws += faults.flaws(folder / "run")
    case.flaws += faults.differences(folder / "run", undisturbed)
    expected = 0 if case.who in WORKERS else 1
    if case.statuses and len(case.statuses) > 1 + expected:
        case.flaws.append(f"exit statuses {case.statuses}")
    if case.moment in IN_TRAINING:
        _export_watched(folder, dataclasses.replace(case, flaws=case.flaws))


def _export_watched(folder: pathlib.Path, case: Case) -> None:
    """Exports under the eyes of one that polls as a server does."""
    exported = folder / "export"
    poller = Poller(exported)
    poller.start()
    in_export = case.moment == "export"
    export(folder / "run", exported, case if in_export else None)
    time.sleep(0.1)
    poller.stop.set()
    poller.join()
    case.flaws += poller.faults
    case.flaws += [f"{path} left" for path in exported.glob("*/.*")]
    versions = [*exported.glob("*/[0-9]*")]
    if not versions:
        case.flaws.append("nothing was exported")
    for version in versions:
        try:
            integrity.check(str(version))
        except FailedError as error:
            case.flaws.append(str(error))


def table(cases: Sequence[Case]) -> str:
    """Returns a line a case."""
    head = ("moment", "who", "signal", "after s", "done s", "statuses", "flaws")
    rows = [head] + [
        (
            case.moment, case.who, case.number.name, f"{case.hit_after:.1f}",
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
        train(undisturbed)
    cases = draw(
        int(given.get("kills", 30)), random.Random(seed)
    )
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
