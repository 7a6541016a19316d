"""Starts a job's workers on this machine: python -m tfvae.launch --help."""

import dataclasses
import os
import sys
from collections.abc import Sequence

from tfvae import flags, program, storage, train
from tfvae.config import Config
from tfvae.errors import InputError, LostWorkerError
from tfvae.folder import reading
from tfvae.job import Job
from tfvae.settings import setting

SUMMARY = """Trains with several processes on this machine.

usage: python -m tfvae.launch --workers=N [--name=value ...] -- TRAIN_FLAGS

TRAIN_FLAGS are those of python -m tfvae.train. A worker that is killed is
started again, with all others, and the run goes on from its last checkpoint;
where one fails, all end. SIGINT and SIGTERM reach all, which save and stop.

While it runs, TensorFlow listens on a port for each worker, on all of this
machine's addresses, for anyone and without encryption: whoever reaches them can
make it read and write files. Only for machines in networks that are trusted."""


@dataclasses.dataclass(frozen=True)
class LaunchFlags:
    """How many workers there are, and how often they are started."""

    workers: int = setting(
        2, "number of processes", number=int, minimum=1, maximum=1024
    )
    max_restarts: int = setting(
        3,
        "how often all are started again after one was killed or lost",
        number=int, minimum=0,
    )  # fmt: skip
    grace_seconds: int = setting(
        30,
        "how long a worker that was told to stop may take to save",
        number=int, minimum=1,
    )  # fmt: skip


def main(argv: list[str]) -> int:
    """Reads the command line, runs the job, and returns the exit status."""
    split = argv.index("--") if "--" in argv else len(argv)
    own = flags.parse_as(LaunchFlags, argv[:split], summary=SUMMARY)
    given = argv[split + 1 :]
    line = _parse(given)
    path = line.launch.run_dir or train.default_run_dir(Config(**line.given))
    command = [
        sys.executable, "-m", "tfvae.train",
        *given, "--strategy=multi_worker", f"--run_dir={path}",
    ]  # fmt: skip
    old = _began(path) if line.launch.overwrite else 0
    for restart in range(own.max_restarts + 1):
        with Job(command, own.workers, own.grace_seconds) as job:
            end = job.wait()
        if not end.is_worth_restarting:
            break
        if restart == own.max_restarts:
            raise LostWorkerError(
                f"{end.text}, after {restart} restart(s); what was saved is "
                f"whole, go on with: {_command(own, line, path, old)}"
            )
        _tell(f"{end.text}; restart {restart + 1} of {own.max_restarts}")
        # What has been learned since is not to be removed.
        command.append(f"--overwrite={_stands(path, old)}".lower())
    if end.text:
        _tell(end.text)
    if end.status in (program.INTERRUPTED, program.TERMINATED):
        print(f"go on with:\n  {_command(own, line, path, old)}")
    return end.status


def _parse(given: Sequence[str]) -> flags.CommandLine[flags.Launch]:
    """Returns what every worker will be told, checked before any is started."""
    line = flags.parse(flags.Launch, ["train", *given], summary=SUMMARY)
    if "strategy" in line.flags and line.launch.strategy != "multi_worker":
        raise InputError(
            "`strategy` is multi_worker under tfvae.launch; got "
            f"{line.launch.strategy}; leave it out."
        )
    return line


def _command(
    own: LaunchFlags,
    line: flags.CommandLine[flags.Launch],
    path: str,
    old: int,
) -> str:
    """Returns the command with which the run goes on where it stands."""
    launch = dataclasses.replace(
        line.launch, run_dir=path, overwrite=_stands(path, old), config="",
        strategy=flags.Launch.strategy,
    )  # fmt: skip
    parts = (
        "python -m tfvae.launch",
        f"--workers={own.workers}",
        "--",
        flags.to_argv(launch),
        flags.to_argv(Config(**line.given)),
    )
    return " ".join(part for part in parts if part)


def _began(path: str) -> int:
    """Returns when the run in a folder began, in ns; 0: there is none."""
    config = os.path.join(path, "config.json")
    with reading(config):
        return storage.modified(config)


def _stands(path: str, old: int) -> bool:
    """Whether the run to overwrite, which began at `old`, is still there."""
    return old > 0 and _began(path) == old


def _tell(text: str) -> None:
    print(f"launch.py: {text}", file=sys.stderr)


if __name__ == "__main__":
    program.run_main(main, stopped="stopped.")
