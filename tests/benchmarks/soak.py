"""Rounds of train, evaluate, search, export and serve, each with one fault.

python -m tests.benchmarks.soak FOLDER [--rounds=24] [--at_once=1]

Every round runs all five on `digits` in a folder of its own; in one of them
there is a fault, after which the same command is given again. A fault is
survived if the program ended with one clear line and the status for it, or went
on; if nothing is half-written; and if all results are then those of a round
without a fault, to the bit. Writes FOLDER/soak.json and FOLDER/soak.md, and
needs the right to mount a tmpfs.
"""

import contextlib
import csv
import dataclasses
import json
import pathlib
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import numpy as np

from tests.benchmarks import disturbances, faults
from tests.benchmarks.disturbances import FAULTS, Fault
from tests.benchmarks.faults import Started
from tests.export.server_process import free_port

SMALL = ("--hidden_units=16", "--latent_dim=2")
SEARCH = ("--algorithm=random", "--max_trials=3", "--epochs=2",
          "--nll_samples=5", "--nll_examples=20", *SMALL)  # fmt: skip
STAGES = ("train", "evaluate", "search", "export", "serve")
CLOCKED = {"seconds", "train_seconds"}  # columns that a clock measured
MOST_TRIES = 4
ANSWER_SECONDS = 40.0  # for a server to say that it answers


@dataclasses.dataclass
class Round:
    """What came of a round.

    Attributes:
      statuses: of the disturbed program, a number a try.
      told: the line that the user sees.
      flaws: why the fault was not survived; a sentence each.
    """

    fault: str
    where: str
    statuses: list[int] = dataclasses.field(default_factory=list)
    told: str = ""
    flaws: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


def command(stage: str, folder: pathlib.Path) -> tuple[str, ...]:
    """Returns module and flags of a stage other than "serve"."""
    run = f"--run_dir={folder / 'run'}"
    return {
        "train": ("tfvae.train", run, "--epochs=12", *SMALL),
        "launch": ("tfvae.launch", "--workers=2", "--", run, "--epochs=12",
                   *SMALL),
        "evaluate": ("tfvae.evaluate", run, "--num_samples=50"),
        "search": ("tuning.search", f"--directory={folder / 'search'}",
                   *SEARCH),
        "export": ("export.saved_model", run, "--parts=decoder",
                   f"--export_dir={folder / 'export'}"),
    }[stage]  # fmt: skip


def play(
    stage: str, folder: pathlib.Path, fault: Fault | None, noted: Round
) -> bool:
    """Gives the command of a stage until it is done; returns whether it is.

    Args:
      stage: one of STAGES, or "launch".
      folder: of the round.
      fault: for the first try; None: there is none.
      noted: is told of each try.
    """
    attempt = _serve if stage == "serve" else _run
    if fault:
        fault.before(folder)
    for number in range(MOST_TRIES):
        now = fault if number == 0 else None
        status, told, wrong = attempt(stage, folder, now)
        if fault:
            noted.statuses.append(status)
            noted.flaws += wrong
            noted.told = noted.told or told
        elif status:
            noted.flaws.append(f"{stage}: status {status}, {told}")
        if now:
            if status not in now.statuses:
                noted.flaws.append(f"status {status} is not of this fault")
            now.after(folder)
        if not status:
            noted.told = noted.told.replace(f"{folder}/", "")
            if fault and fault.says not in noted.told:
                noted.flaws.append(f"it does not say {fault.says!r}")
            return True
    noted.flaws.append(f"{stage} was never done")
    return False


def _run(
    stage: str, folder: pathlib.Path, fault: Fault | None
) -> tuple[int, str, list[str]]:
    """Returns status, what was told, and what is wrong with a try."""
    program = Started(*command(stage, folder))
    told, wrong = None, []
    if fault and program.wait_for(lambda: fault.is_due(folder)):
        told = fault.act(program, folder)
    elif fault:
        wrong.append("it ended before the fault")
    status = program.wait()
    wrong += program.left_behind() + program.misspoken()
    return status, told or disturbances.told_by(program, status), wrong


def _serve(
    stage: str, folder: pathlib.Path, fault: Fault | None
) -> tuple[int, str, list[str]]:
    """Starts the server, asks it once, ends it; returns what `_run` does."""
    port, other = free_port(), free_port()
    server = Started(
        "export.serve", f"--export_dir={folder / 'export'}",
        "--server=development", f"--rest_port={port}", f"--grpc_port={other}",
    )  # fmt: skip
    server.wait_for(
        lambda: any("answers" in line for line in server.stdout()), every=0.1,
        within=ANSWER_SECONDS,
    )  # fmt: skip
    if fault:
        fault.act(server, folder)
    client = Started(
        "export.client", "sample", f"--url=http://127.0.0.1:{port}",
        "--num=3", "--wait=20", f"--out={folder / 'draws.npz'}",
    )  # fmt: skip
    status = client.wait()
    server.process.terminate()
    server.wait()
    wrong = client.misspoken() + server.left_behind() + server.misspoken()
    told = server.stderr()[:1] or [disturbances.told_by(client, status)]
    return status, told[0], wrong


def results(folder: pathlib.Path) -> dict[str, Any]:
    """Returns what a round ended with, without what a clock measured."""
    with (folder / "search" / "trials.csv").open(newline="") as file:
        trials = [
            {name: row[name] for name in sorted(set(row) - CLOCKED)}
            for row in csv.DictReader(file)
        ]
    with np.load(folder / "draws.npz") as arrays:
        draws = {name: arrays[name].tobytes().hex() for name in arrays}
    evaluation = json.loads((folder / "run" / "evaluation.json").read_text())
    for name in ("seconds", "versions"):
        evaluation.pop(name, None)
    return {"evaluation": evaluation, "trials": trials, "draws": draws}


def play_round(
    folder: pathlib.Path,
    fault: Fault | None,
    undisturbed: pathlib.Path | None,
    *,
    first: str,
) -> Round:
    """Plays all stages of a round; compares it.

    Args:
      folder: of the round; removed where there is no flaw.
      fault: of the round; None: there is none.
      undisturbed: round to compare with; None: there is none.
      first: "train", or "launch": with two workers.
    """
    began = time.monotonic()
    noted = Round(*((fault.name, fault.stage) if fault else ("none", "")))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with (
        disturbances.mounted(folder)
        if fault and fault.mounts
        else contextlib.nullcontext()
    ):
        for stage in (first, *STAGES[1:]):
            own = fault if stage == noted.where else None
            if not play(stage, folder, own, noted):
                break
        if undisturbed and not noted.flaws:
            noted.flaws += _compared(folder, undisturbed)
    noted.seconds = time.monotonic() - began
    return noted


def _compared(folder: pathlib.Path, undisturbed: pathlib.Path) -> list[str]:
    """Returns what is not whole, or else not as in an undisturbed round."""
    found = [f"{path.name} was left" for path in folder.glob("export/*/.*")]
    for name in ("run", "search"):
        found += faults.flaws(folder / name)
    if found:
        return found
    for name in ("run", "search/best/run"):
        found += faults.differences(folder / name, undisturbed / name)
    own, others = results(folder), results(undisturbed)
    return found + [f"{key} differs" for key in own if own[key] != others[key]]


def markdown(rounds: Sequence[Round]) -> str:
    """Returns a table, a row a kind of fault."""
    lines = [
        "| fault | where | tried | survived | what the user sees |",
        "| --- | --- | --- | --- | --- |",
    ]
    for fault, where in dict.fromkeys((r.fault, r.where) for r in rounds):
        same = [r for r in rounds if (r.fault, r.where) == (fault, where)]
        survived = sum(not r.flaws for r in same)
        told = f"`{same[0].told}`" if same[0].told else "nothing"
        status = same[0].statuses[0] if same[0].statuses else "?"
        lines.append(
            f"| {fault} | {where} | {len(same)} | {survived} | status {status}:"
            f" {told} |"
        )
    return "\n".join(lines)


def main(folder: str, *more: str) -> int:
    """Plays all rounds, prints the table; returns 1 where one failed."""
    given = dict(word.removeprefix("--").split("=") for word in more)
    home = pathlib.Path(folder).absolute()
    undisturbed = {}
    for first in ("train", "launch"):
        undisturbed[first] = home / f"undisturbed-{first}"
        if not (undisturbed[first] / "draws.npz").exists():
            wrong = play_round(undisturbed[first], None, None, first=first)
            assert not wrong.flaws, wrong.flaws
    chosen = list(range(int(given.get("rounds", 24))))
    if "only" in given:
        chosen = [int(number) for number in given["only"].split(",")]

    def work(number: int) -> Round:
        fault = FAULTS[number % len(FAULTS)]
        first = "launch" if fault.stage == "launch" else "train"
        noted = play_round(
            home / f"round-{number}", fault, undisturbed[first], first=first
        )
        print(number, noted, flush=True)
        return noted

    with futures.ThreadPoolExecutor(int(given.get("at_once", 1))) as pool:
        rounds = list(pool.map(work, chosen))
    record = [dataclasses.asdict(noted) for noted in rounds]
    (home / "soak.json").write_text(json.dumps(record, indent=2) + "\n")
    (home / "soak.md").write_text(markdown(rounds) + "\n")
    print(markdown(rounds))
    return int(any(noted.flaws for noted in rounds))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
