"""Starts the workers of a job on this machine: python -m tfvae.launch --help."""

import dataclasses
import sys
from collections.abc import Sequence

from tfvae import flags, program, train
from tfvae.config import Config
from tfvae.errors import FailedError, InputError
from tfvae.job import Job
from tfvae.settings import setting

SUMMARY = """Trains with several processes on this machine.

usage: python -m tfvae.launch --workers=N [--name=value ...] -- TRAIN_FLAGS

TRAIN_FLAGS are those of python -m tfvae.train. A worker that is killed is
started again, with all others, and the run goes on from its last checkpoint;
where one fails, all end. SIGINT and SIGTERM reach all, which save and stop."""


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
    end = argv.index("--") if "--" in argv else len(argv)
    own = flags.parse_as(LaunchFlags, argv[:end], summary=SUMMARY)
    command = [sys.executable, "-m", "tfvae.train"]
    command += _worker_flags(argv[end + 1 :])
    for restart in range(own.max_restarts + 1):
        with Job(command, own.workers, own.grace_seconds) as job:
            end = job.wait()
        if not end.is_worth_restarting:
            return end.status
        print(
            f"launch.py: {end.text}; restart {restart + 1} of "
            f"{own.max_restarts}", file=sys.stderr,
        )  # fmt: skip
        # What has been learned is not to be removed.
        command.append("--overwrite=false")
    raise FailedError(
        f"{end.text}, after {own.max_restarts} restart(s); what was saved is "
        "whole, and the same command, without --overwrite, goes on from there."
    )


def _worker_flags(given: Sequence[str]) -> list[str]:
    """Returns the flags of every worker, checked before any is started."""
    line = flags.parse(flags.Launch, ["train", *given], summary=SUMMARY)
    if "strategy" in line.flags and line.launch.strategy != "multi_worker":
        raise InputError(
            "`strategy` is multi_worker under tfvae.launch; got "
            f"{line.launch.strategy}; leave it out."
        )
    path = line.launch.run_dir or train.default_run_dir(Config(**line.given))
    return [*given, "--strategy=multi_worker", f"--run_dir={path}"]


if __name__ == "__main__":
    program.run_main(main, stopped="stopped.")
